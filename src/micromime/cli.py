"""The command `micromime`: a map of thin sub-commands. What they need is imported when they run."""

import errno
import gc
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from micromime.mistakes import Mistake
from micromime.project import places

NO_PLACE = (errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS)
"""Why a file cannot be written, or read, that is no fault of the program."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

remote = typer.Typer(no_args_is_help=True, help="The storage that a team shares (a DVC remote).")
app.add_typer(remote, name="remote")

User = Annotated[str, typer.Option(help="Your name on an SSH or WebDAV server.")]
Keyfile = Annotated[Path | None, typer.Option(help="The private key that opens an SSH server.")]
SaveKeys = Annotated[
    bool, typer.Option("--save-keys", help="Keep AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .dvc/config.local.")
]
Params = Annotated[Path, typer.Option(help="The parameter file.")]
UseCase = Annotated[str, typer.Argument(help="A key of params.yaml, such as grain_boundaries.")]


@app.command()
def run() -> None:
    """Check params.yaml, find the real pictures, run what has changed (dvc repro), and say where to look."""
    gc.disable()  # what is imported stays: going through it again and again was a tenth of the time to find no change
    try:
        from micromime.commands.run import run_pipeline

        run_pipeline()
    finally:
        gc.enable()


@app.command()
def check(params: Params = places.PARAMS) -> None:
    """Say whether every key of params.yaml is known and within its bounds."""
    from micromime.commands.check import check_tree
    from micromime.scenario.parameters import read_tree

    check_tree(read_tree(params))
    print(f"{params}: every key is known and within its bounds.")


@app.command()
def profile(
    name: Annotated[str, typer.Argument(help="tiny, demo, evidence or paper.")],
    force: Annotated[bool, typer.Option("--force", help="Also when params.yaml has unsaved edits.")] = False,
) -> None:
    """Write a profile's sizes into params.yaml; its comments and other keys stay. Where there is none, make it."""
    from micromime.commands.profile import write_profile

    write_profile(name, places.PARAMS, places.PROFILES, force)
    print(f"params.yaml now holds the profile {name}.")


@app.command()
def sources() -> None:
    """Write down which pictures the test set of each use case is made of: data/sources/."""
    from micromime.commands.run import write_sources
    from micromime.scenario.parameters import read_tree

    write_sources(read_tree(places.PARAMS))


def _stage(name: str, about: str) -> None:
    """Add a stage that depends on a use case alone: a function of the file of its name."""

    @app.command(name.partition("_")[0], help=f"Stage: {about}")
    def run_stage(use_case: UseCase) -> None:
        getattr(import_module(f"micromime.stages.{name}"), name)(use_case)


_stage("import_test_set", "bring the pictures of the test set in, real ones or a surrogate, as data/sources/ says.")
_stage("tile", "divide the real tiles into the test set and the nested subsets to train on.")
_stage("measure", "measure cracks and surfaces on each subset of the real tiles.")


@app.command()
def render(  # noqa: PLR0913 - one argument an option
    use_case: UseCase,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SET]...", help="As a stage: base scoring, or pools.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="For a set of your own: a folder that is not there yet.")] = None,
    count: Annotated[int, typer.Option(min=1)] = 64,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    exemplars: Annotated[
        Path | None, typer.Option(help="What was measured on real parts: a folder of a subset.")
    ] = None,
    params: Params = places.PARAMS,
) -> None:
    """Render a data set: the same seed gives the same bytes, however many workers."""
    from micromime.stages import render as stage

    for name in names or ():
        stage.render(use_case, name, params)
    if names:
        return
    if out is None:
        raise Mistake("Nothing says where to render to; give --out FOLDER, or name a set: base, scoring or pools.")
    if params == places.PARAMS and not params.exists():
        print(
            f"micromime: {params} is not here, so the supplied one is used; `micromime profile demo` writes it.",
            file=sys.stderr,
        )
        params = places.SUPPLIED / params
    stage.render_own(use_case, (count, seed), out, workers, (params, exemplars))
    print(f"{count} samples in {out}; {out / 'preview.png'} shows the first.")


@app.command()
def train(
    use_case: UseCase, arms: Annotated[list[str], typer.Argument(help="base, a round, or models: synthetic real ...")]
) -> None:
    """Stage: train arms, and write their networks to models/; what a record tells is not trained again."""
    from micromime.stages.train import train as stage

    stage(use_case, arms)


@app.command()
def retrain(
    arm: Annotated[Path, typer.Argument(help="Folder of an arm, such as models/grain_boundaries/base.")],
    run: Annotated[int, typer.Argument(min=1, help="Number of the run.")],
) -> None:
    """Train a network again of which only the record is left, for the stages that ask it."""
    from micromime.arms.queue import retrain as train_again

    print(f"The network of run {run} lies in {train_again(arm, run)}; stages find it there.")


@app.command()
def pack(profile: Annotated[str, typer.Argument(help="Such as evidence.")]) -> None:
    """Pack the records of a profile's finished runs into a file for each use case, to commit them."""
    from micromime.arms.records import pack as pack_records

    folders = [each for each in sorted(Path("metrics", profile, "runs").glob("*")) if each.is_dir()]
    if not folders:
        raise Mistake(f"metrics/{profile}/runs holds no records that are not packed; `make run` makes some.")
    for folder in folders:
        print(pack_records(folder))


@app.command()
def score(use_case: UseCase, arm: Annotated[str, typer.Argument(help="base or a round.")]) -> None:
    """Stage: how well the networks of an arm do on each sample of the scoring set."""
    from micromime.stages.score import score as stage

    stage(use_case, arm)


@app.command()
def resample(  # noqa: PLR0913 - one argument an option
    use_case: UseCase,
    round_: Annotated[str, typer.Argument(metavar="ROUND", help="A key of <use case>.rounds in the parameter file.")],
    from_run: Annotated[str, typer.Option(help="Id of an MLflow run (an arm) that logged a table of scores.")] = "",
    out: Annotated[Path | None, typer.Option(help="With --from-run: a folder that is not there yet.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="With --from-run: processes, one thread each.")] = 1,
    params: Params = places.PARAMS,
) -> None:
    """Stage: render what a round's sampler asks for; or by scores that were logged in MLflow instead of those here."""
    from micromime.scenario.parameters import read_tree
    from micromime.stages.resample import resample as stage
    from micromime.stages.resample import resample_logged

    if bool(from_run) != bool(out):
        raise Mistake("--from-run and --out belong together; give both, or neither.")
    if out is None:
        stage(use_case, round_, params)
        return
    resample_logged(read_tree(params), (use_case, round_), from_run, out, workers)
    print(f"{out} holds the new samples; {out / 'preview.png'} shows the first.")


_stage("judge", "every network on the test set, beside what anybody could apply.")
_stage("report", "one page of all that came out, and its pictures.")


@app.command()
def publish(use_case: Annotated[str, typer.Argument(help="Default: all use cases.")] = "") -> None:
    """Tell MLflow all that it does not know yet of trained arms and their verdicts; twice is as good as once."""
    from micromime.stages.publish import publish as tell

    tell(use_case)


@app.command()
def mlflow(
    use_case: Annotated[str, typer.Argument(help="Default: all use cases.")] = "",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of MLflow's page, where no server has the store.")
    ] = 5000,
    opening: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """Show arms side by side with their scores, in MLflow's page: the server's, or one that is started here."""
    from micromime.commands.mlflow import show

    show(use_case, port, opening)


@app.command()
def preview(
    folder: Path, out: Annotated[Path | None, typer.Option(help="Default: preview.png in the folder.")] = None
) -> None:
    """Write a contact sheet (PNG) of a rendered data set."""
    from micromime.datasets.render import write_preview
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

    from micromime.team.lineage import as_text
    from micromime.team.lineage import lineage as find_lineage

    found = find_lineage(what, rev)
    print(json.dumps(found, indent=1) if as_json else as_text(found))


@app.command()
def explain(
    what: Annotated[
        str, typer.Argument(help="Folder of an arm or a run in it, an MLflow run id; as a stage a use case.")
    ],
    out: Annotated[Path | None, typer.Option(help="The page, HTML; default: in .micromime/explanations/.")] = None,
    score: Annotated[str | None, typer.Option(help="Metric, such as boundary_f1; default: resample.score.")] = None,
) -> None:
    """Say why networks fail: which parameters the scores go with, the worst samples, what a sampler asked for."""
    from micromime.use_cases import use_cases

    if what in use_cases():
        from micromime.stages.explain import explain as stage

        stage(what)
        return
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
    from micromime.team.remote import Login, add_remote

    add_remote(url, name, endpoint, Login(user, keyfile, save_keys), check)
    print(f"The remote {name} is this project's storage now; commit .dvc/config, and push to it by `micromime push`.")


@remote.command("login")
def remote_login(user: User = "", keyfile: Keyfile = None, save_keys: SaveKeys = False) -> None:
    """Write down how you get into the project's storage: in .dvc/config.local, which is never in git."""
    from micromime.team.remote import Login, log_in

    log_in(Login(user, keyfile, save_keys))
    print("The project's storage lets you in.")


@app.command()
def push() -> None:
    """Push what dvc.lock names to the project's storage (dvc push); never hangs, and goes on where it stopped."""
    from micromime.team.remote import transfer

    transfer("push")


@app.command()
def pull() -> None:
    """Pull what dvc.lock names from the project's storage (dvc pull); never hangs, and goes on where it stopped."""
    from micromime.team.remote import transfer

    transfer("pull")


def command(function: Callable[..., object]) -> None:
    """Run a function on the words of the command line as `micromime` runs its own, then end the process.

    Plain parameters are arguments, those annotated with `typer.Option()` are options.
    """
    alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    alone.command()(function)
    main(alone)


def main(commands: typer.Typer = app) -> None:
    """Run the command; a mistake of the user, no room, or an extra not installed, is one sentence and exit code 2."""
    try:
        commands()
    except Mistake as mistake:
        _end(str(mistake))
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror}; make room there, or work in a folder that you may write.")
    except ModuleNotFoundError as error:
        from micromime.project.extras import what_to_install

        if not (said := what_to_install(error)):
            raise
        _end(said)


def _end(said: str) -> NoReturn:
    print(f"micromime: {said}", file=sys.stderr)
    raise SystemExit(2) from None
