"""Render a data set: instances drawn from a scenario, in shards."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field

from micromime.arms.pools import measured, pools
from micromime.datasets.render import render_dataset
from micromime.engines.local import cores
from micromime.pictures.micrographs import sha256
from micromime.project.work import sole_maker, work_folder
from micromime.scenario.parameters import Section, filled_in, one_of, read_tree, section, typed
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import LARGEST_SEED
from micromime.stages import command
from micromime.use_cases import instance_kind


class RenderParameters(Section):
    """How many images a data set has, and from which seed."""

    count: int = Field(ge=1, le=10_000_000, description="Images in the data set.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the data set.")


PURPOSES = {"render": "instance", "scoring": "scoring"}
"""Section of params.yaml -> name of the streams its instances are drawn from: no two sets share an instance."""


def main(
    use_case: str,
    out: Annotated[Path, typer.Option()],
    which: Annotated[
        str, typer.Option("--section", help="render: what is trained on; scoring: what is scored.")
    ] = "render",
    params: Annotated[Path, typer.Option()] = Path("params.yaml"),
    exemplars: Annotated[
        Path | None,
        typer.Option(help="What was measured, a folder for each subset: there is then a set for each pool."),
    ] = None,
) -> None:
    """Render the data set that params.yaml describes under USE_CASE.render, or under USE_CASE.scoring."""
    one_of(which, PURPOSES, "--section")
    tree = read_tree(params)
    asked = typed(RenderParameters, section(tree, use_case, which), f"{use_case}.{which}")
    with sole_maker(out):
        for folder, content in scenarios_of(tree, use_case, out, exemplars).items():
            work = work_folder("render", content, asked.model_dump(), which)
            render(use_case, content, asked, folder, work, cores(), PURPOSES[which])


def scenarios_of(tree: dict[str, Any], use_case: str, out: Path, exemplars: Path | None) -> dict[Path, dict[str, Any]]:
    """Return each data set's folder and its scenario, in which what was measured is filled in."""
    if exemplars is None:
        return {out: scenario_of(tree, use_case, None)}
    found = {}
    for pool in pools(tree, use_case):
        content = scenario_of(tree, use_case, exemplars / pool.subset)
        found[out / pool.name] = content | {"exemplar_texture": {**content["exemplar_texture"], "way": pool.way}}
    return found


def scenario_of(tree: dict[str, Any], use_case: str, exemplars: Path | None) -> dict[str, Any]:
    """Return the scenario of a use case; what was measured, if anything, is filled in from the folder of a subset."""
    instance_kind(use_case)  # says so if there is none
    content = section(tree, use_case, "scenario")
    return content if exemplars is None else filled_in(content, measured(exemplars), f"{use_case}.scenario")


def render(  # noqa: PLR0913 - the command `micromime render` hands on all that a person can choose
    use_case: str,
    content: dict[str, Any],
    asked: RenderParameters,
    out: Path,
    work: Path,
    workers: int,
    purpose: str = "instance",
) -> None:
    """Draw the instances of a scenario and render them to a folder; other purposes draw others, with the same seed."""
    kind = instance_kind(use_case)
    scenario = Scenario.read(kind, content, f"{use_case}.scenario")
    instances = [scenario.draw_one(asked.seed, index, purpose) for index in range(asked.count)]
    description = {"use_case": use_case, "scenario": content, **asked.model_dump(), "parent": None}
    if kind.classes:
        description |= {"classes": kind.classes, "named_files": named_files(content)}
    render_dataset(instances, description, out, work, workers)


def named_files(content: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every file that a scenario's parameters name: they decide its pixels, too."""
    words = [word for part in content.values() if isinstance(part, dict) for word in part.values()]
    return {word: sha256(Path(word)) for word in words if isinstance(word, str) and Path(word).is_file()}


if __name__ == "__main__":
    command(main)
