"""Render what a sampler proposes: a new data version of only new samples, from the scores of those before."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from micromime.arms.rounds import ResampleParameters, RoundParameters, rounds_of
from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.engines.local import cores
from micromime.project import places
from micromime.project.work import sha256, sole_maker, work_folder
from micromime.sampling.samplers import checked_sampler
from micromime.sampling.scores import read_scores
from micromime.scenario.parameters import one_of, read_tree
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.tracking.logged import fetch_logged
from micromime.use_cases import instance_kind, use_cases


def resample(use_case: str, name: str, params: Path = places.PARAMS) -> None:
    """Render the new data version of one round."""
    tree, out = read_tree(params), places.synthetic(use_case, name)
    parent = RoundParameters.of(tree, use_case, "rounds", name).parent
    with sole_maker(out):
        render_round(tree, (use_case, name), places.scores(use_case, parent), out, cores())


def resample_logged(tree: dict[str, Any], which: tuple[str, str], run_id: str, out: Path, workers: int) -> None:
    """Render a round (`which`: use case and round) from the scores that an arm's run has logged: the same bytes."""
    use_case, name = which
    one_of(use_case, use_cases(), "use case")
    one_of(name, rounds := rounds_of(tree, use_case), f"{use_case}.rounds")
    with sole_maker(out), TemporaryDirectory() as folder:
        table = fetch_logged(run_id, f"{rounds[name].parent}.parquet", Path(folder))
        render_round(tree, which, table, out, workers)


def render_round(tree: dict[str, Any], which: tuple[str, str], scores: Path, out: Path, workers: int) -> None:
    """Ask the sampler of a round (`which`: use case and round) for instances, and render them to a folder.

    They are of the scenario that the scored samples were drawn from.
    """
    use_case, name = which
    kind = instance_kind(use_case)
    asked = ResampleParameters.of(tree, use_case, "resample")
    chosen = RoundParameters.of(tree, use_case, "rounds", name)
    sampler = checked_sampler(chosen.sampler, kind, f"{use_case}.rounds.{name}.sampler")
    scored, origin = read_scores(scores, use_case, asked.score)
    content = Dataset(Path(origin["scored"]["path"])).description["scenario"]
    scenario = Scenario.read(kind, content, f"{use_case}.scenario")
    proposed = sampler.propose(scenario, scored, asked.count, stream(chosen.seed, "resample"))
    description = {
        "use_case": use_case,
        "scenario": content,
        "count": asked.count,
        "seed": chosen.seed,
        "sampler": chosen.sampler,
        "score": asked.score,
        **{key: origin[key] for key in ("parent", "scored", "arm", "fingerprint", "runs")},
        "scores": sha256(scores),
    }
    work = work_folder("resample", description)
    parents = [each.parent for each in proposed]
    render_dataset([each.instance for each in proposed], description, out, work, workers, parents)
