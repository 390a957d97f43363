"""Render a data set: instances drawn from a scenario, in shards."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field

from micromime.datasets.render import render_dataset
from micromime.engine import cores
from micromime.parameters import Section, one_of, read_tree, section, typed
from micromime.scenario import Scenario
from micromime.scenarios import instance_kind
from micromime.stages import command
from micromime.stages.work import sole_maker, work_folder
from micromime.streams import LARGEST_SEED


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
) -> None:
    """Render the data set that params.yaml describes under USE_CASE.render, or under USE_CASE.scoring."""
    one_of(which, PURPOSES, "--section")
    tree = read_tree(params)
    asked = typed(RenderParameters, section(tree, use_case, which), f"{use_case}.{which}")
    work = work_folder("render", section(tree, use_case, "scenario"), asked.model_dump(), which)
    with sole_maker(out):
        render(tree, use_case, asked, out, work, cores(), PURPOSES[which])


def render(  # noqa: PLR0913 - the command `micromime render` hands on all that a person can choose
    tree: dict[str, Any],
    use_case: str,
    asked: RenderParameters,
    out: Path,
    work: Path,
    workers: int,
    purpose: str = "instance",
) -> None:
    """Draw the instances of a scenario and render them to a folder; other purposes draw others, with the same seed."""
    kind = instance_kind(use_case)
    content = section(tree, use_case, "scenario")
    scenario = Scenario.read(kind, content, f"{use_case}.scenario")
    instances = [scenario.draw_one(asked.seed, index, purpose) for index in range(asked.count)]
    description = {"use_case": use_case, "scenario": content, **asked.model_dump(), "parent": None}
    render_dataset(instances, description, out, work, workers)


if __name__ == "__main__":
    command(main)
