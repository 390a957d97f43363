"""The command `micromime`: a map of thin sub-commands. What they need is imported when they run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from micromime.mistakes import Mistake

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

remote = typer.Typer(no_args_is_help=True, help="The storage that a team shares (a DVC remote).")
app.add_typer(remote, name="remote")

User = Annotated[str, typer.Option(help="Your name on an SSH or WebDAV server.")]
Keyfile = Annotated[Path | None, typer.Option(help="The private key that opens an SSH server.")]
SaveKeys = Annotated[
    bool, typer.Option("--save-keys", help="Keep AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .dvc/config.local.")
]
Params = Annotated[Path, typer.Option(help="The parameter file.")]


@app.command()
def run() -> None:
    """Check params.yaml, find the real pictures, run what has changed (dvc repro), and say where to look."""
    from micromime.commands.run import run_pipeline

    run_pipeline(Path("params.yaml"))


@app.command()
def check(params: Params = Path("params.yaml")) -> None:
    """Say whether every key of params.yaml is known and within its bounds."""
    from micromime.stages.check import check_file

    check_file(params)
    print(f"{params}: every key is known and within its bounds.")


@app.command()
def profile(
    name: Annotated[str, typer.Argument(help="tiny, demo, evidence or paper.")],
    force: Annotated[bool, typer.Option("--force", help="Also when params.yaml has unsaved edits.")] = False,
) -> None:
    """Write a profile's sizes into params.yaml; its comments and other keys stay."""
    from micromime.commands.profile import write_profile

    write_profile(name, Path("params.yaml"), Path("profiles"), force)
    print(f"params.yaml now holds the profile {name}.")


@app.command()
def sources() -> None:
    """Write down which pictures the test set of each use case is made of: data/sources/."""
    from micromime.stages.check import use_cases_in
    from micromime.stages.sources import write_sources

    write_sources(use_cases_in(Path("params.yaml")), Path())


@app.command()
def render(  # noqa: PLR0913 - one argument an option
    use_case: str,
    out: Annotated[Path, typer.Option(help="A folder that is not there yet.")],
    count: Annotated[int, typer.Option(min=1)] = 64,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    exemplars: Annotated[
        Path | None, typer.Option(help="What was measured on real parts: a folder of a subset.")
    ] = None,
    params: Params = Path("params.yaml"),
) -> None:
    """Render a data set: the same seed gives the same bytes, however many workers."""
    from micromime.scenario.parameters import read_tree, typed
    from micromime.stages.render import RenderParameters, scenario_of
    from micromime.stages.render import render as render_stage

    asked = typed(RenderParameters, {"count": count, "seed": seed}, "render")
    content = scenario_of(read_tree(params), use_case, exemplars)
    render_stage(use_case, content, asked, out, out.parent / f"{out.name}.unfinished", workers)
    print(f"{count} samples in {out}; {out / 'preview.png'} shows the first.")


@app.command()
def resample(  # noqa: PLR0913 - one argument an option
    use_case: str,
    round_: Annotated[str, typer.Argument(metavar="ROUND", help="A key of <use case>.rounds in the parameter file.")],
    from_run: Annotated[str, typer.Option(help="Id of the MLflow run (an arm) that logged the table of scores.")],
    out: Annotated[Path, typer.Option(help="A folder that is not there yet.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    params: Params = Path("params.yaml"),
) -> None:
    """Render what a sampler asks for, from scores that were logged in MLflow instead of those of this folder."""
    from micromime.commands.resample_logged import resample_logged
    from micromime.scenario.parameters import read_tree

    resample_logged(read_tree(params), (use_case, round_), from_run, out, workers)
    print(f"{out} holds the new samples; {out / 'preview.png'} shows the first.")


@app.command()
def preview(
    folder: Path, out: Annotated[Path | None, typer.Option(help="Default: preview.png in the folder.")] = None
) -> None:
    """Write a contact sheet (PNG) of a rendered data set."""
    from micromime.datasets.preview import write_preview
    from micromime.datasets.store import Dataset

    file = out or folder / "preview.png"
    write_preview(Dataset(folder), file)
    print(file)


@app.command()
def rerender(folder: Path, sample: Annotated[str, typer.Option(help="Its id, such as 000017.")]) -> None:
    """Render one sample anew from its row alone, and compare it with what is stored."""
    from micromime.commands.rerender import differing

    different = differing(folder, sample)
    if different:
        print(f"sample {sample}: {', '.join(different)} differ from what is stored", file=sys.stderr)
        raise SystemExit(1)
    print(f"sample {sample}: equal to what is stored, byte by byte")


@app.command()
def lineage(
    what: Annotated[
        str, typer.Argument(metavar="MODEL_OR_RUN", help="A path, a DVC hash, an MLflow run id, or models:/NAME@ALIAS.")
    ],
    rev: Annotated[str, typer.Option(help="A commit or tag at which a path is meant; default: as it is here.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Print what a network comes from, version by version, or all runs on a data version."""
    import json

    from micromime.team.lineage import lineage as find_lineage
    from micromime.team.lineage_text import as_text, as_tree

    report = find_lineage(what, rev)
    print(json.dumps(as_tree(report), indent=1) if as_json else as_text(report))


@app.command()
def explain(
    what: Annotated[str, typer.Argument(metavar="RUN", help="Folder of an arm or a run in it, or an MLflow run id.")],
    out: Annotated[Path | None, typer.Option(help="The page, HTML; default: in .micromime/explanations/.")] = None,
    score: Annotated[str | None, typer.Option(help="Metric, such as boundary_f1; default: resample.score.")] = None,
) -> None:
    """Say why networks fail: which parameters the scores go with, the worst samples, what a sampler asked for."""
    from micromime.commands.explain import explain as explain_run

    explain_run(what, out, score)


@app.command()
def tag(name: Annotated[str, typer.Argument(help="Also give the commit this tag in git.")] = "") -> None:
    """Link the runs of every arm in dvc.lock, and their registered models, to the commit made after them."""
    from micromime.team.tag import tag as tag_commit

    print(tag_commit(name))


@remote.command("add")
def remote_add(  # noqa: PLR0913 - one argument an option
    url: Annotated[
        str, typer.Argument(help="A folder, ssh://host/folder, s3://bucket/folder or webdavs://host/folder.")
    ],
    name: Annotated[str, typer.Option(help="What DVC calls it.")] = "team",
    endpoint: Annotated[str, typer.Option(help="Address of an S3-compatible server; default: Amazon's.")] = "",
    user: User = "",
    keyfile: Keyfile = None,
    save_keys: SaveKeys = False,
    check: Annotated[bool, typer.Option(help="Write something there, and remove it, before it counts.")] = True,
) -> None:
    """Make a folder or server the project's storage; secrets go to .dvc/config.local, which is never in git."""
    from micromime.team.remotes import Login, add_remote

    add_remote(url, name, endpoint, Login(user, keyfile, save_keys), check)
    print(f"The remote {name} is this project's storage now; commit .dvc/config, and push to it by `micromime push`.")


@remote.command("login")
def remote_login(user: User = "", keyfile: Keyfile = None, save_keys: SaveKeys = False) -> None:
    """Write down how you get into the project's storage: in .dvc/config.local, which is never in git."""
    from micromime.team.remotes import Login, log_in

    log_in(Login(user, keyfile, save_keys))
    print("The project's storage lets you in.")


@app.command()
def push() -> None:
    """Push what dvc.lock names to the project's storage (dvc push); never hangs, and goes on where it stopped."""
    from micromime.team.transfer import transfer

    transfer("push")


@app.command()
def pull() -> None:
    """Pull what dvc.lock names from the project's storage (dvc pull); never hangs, and goes on where it stopped."""
    from micromime.team.transfer import transfer

    transfer("pull")


@app.command()
def sync(
    moved: Annotated[bool, typer.Option("--moved", help="Also what was kept for another address.")] = False,
) -> None:
    """Send to MLflow what was kept in .micromime/outbox/ while its server did not answer; once, whatever happens."""
    from micromime.tracking.sync import sync as sync_letters

    sync_letters(moved)


@app.command()
def tune(
    use_case: str,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long each combination is timed.")] = 4,
    params: Params = Path("params.yaml"),
) -> None:
    """Measure with which precision, order in memory and threads this machine trains fastest; change nothing."""
    from micromime.commands.tune import tune as tune_stage

    tune_stage(params, use_case, seconds)


def main() -> None:
    """Run the command; a mistake of the user is one sentence and exit code 2."""
    try:
        app()
    except Mistake as mistake:
        print(f"micromime: {mistake}", file=sys.stderr)
        raise SystemExit(2) from None
