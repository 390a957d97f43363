"""Render what a sampler proposes: a new data version of only new samples, from the scores of those before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from micromime.arms.rounds import ResampleParameters, RoundParameters
from micromime.datasets.render import render_dataset
from micromime.engines.local import cores
from micromime.pictures.micrographs import sha256
from micromime.project.work import sole_maker, work_folder
from micromime.sampling.sampler import Sampler
from micromime.sampling.samplers import read_sampler
from micromime.sampling.scores import read_scores
from micromime.scenario.parameters import read_tree, section, typed
from micromime.scenario.scenario import Instance, Scenario
from micromime.scenario.streams import stream
from micromime.stages import command
from micromime.use_cases import instance_kind


def main(
    use_case: str,
    round_: Annotated[str, Option("--round", help="A key of <use case>.rounds.")],
    scores: Annotated[Path, Option(help="The table of scores, made by the stage score.")],
    out: Annotated[Path, Option(help="Folder of the new data version.")],
    params: Annotated[Path, Option()] = Path("params.yaml"),
) -> None:
    """Render the new data version of one round."""
    with sole_maker(out):
        resample(read_tree(params), (use_case, round_), scores, out, cores())


def resample(tree: dict[str, Any], which: tuple[str, str], scores: Path, out: Path, workers: int) -> None:
    """Render to a folder what the sampler of a round (`which`: use case and round) proposes."""
    use_case, name = which
    kind, content = instance_kind(use_case), section(tree, use_case, "scenario")
    asked = typed(ResampleParameters, section(tree, use_case, "resample"), f"{use_case}.resample")
    chosen = typed(RoundParameters, section(tree, use_case, "rounds", name), f"{use_case}.rounds.{name}")
    sampler = checked_sampler(chosen.sampler, kind, f"{use_case}.rounds.{name}.sampler")
    scored, origin = read_scores(scores, use_case, asked.score)
    scenario = Scenario.read(kind, content, f"{use_case}.scenario")
    proposed = sampler.propose(scenario, scored, asked.count, stream(chosen.seed, "resample"))
    description = {
        "use_case": use_case,
        "scenario": content,
        "count": asked.count,
        "seed": chosen.seed,
        "sampler": chosen.sampler,
        "score": asked.score,
        **{key: origin[key] for key in ("parent", "scored", "arm", "runs")},
        "scores": sha256(scores),
    }
    work = work_folder("resample", description)
    parents = [each.parent for each in proposed]
    render_dataset([each.instance for each in proposed], description, out, work, workers, parents)


def checked_sampler(written: Mapping[str, Any], kind: type[Instance], where: str) -> Sampler:
    """Return the sampler of a round; Mistake where there is none of this name, or its settings do not fit."""
    sampler = read_sampler(written, where)
    sampler.check(kind, f"{where}.{next(iter(written))}")
    return sampler


if __name__ == "__main__":
    command(main)
