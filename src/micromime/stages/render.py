"""Render data sets: instances drawn from the scenario of a use case, in shards."""

from pathlib import Path
from typing import Any

from micromime.arms.comparisons import MEASURED, pools
from micromime.datasets.render import RenderParameters, render_dataset
from micromime.engines.local import cores
from micromime.project import places
from micromime.project.work import sha256, sole_maker, work_folder
from micromime.scenario.parameters import filled_in, one_of, read_tree, section, typed
from micromime.scenario.scenario import Drawn, Scenario
from micromime.use_cases import instance_kind

PURPOSES = {"base": "instance", "scoring": "scoring", "pools": "instance"}
"""Data set -> name of the streams its instances are drawn from: no two sets share an instance."""


def render(use_case: str, name: str, params: Path = places.PARAMS) -> None:
    """Render `base` (what is trained on), `scoring` (what is scored), or `pools` (a set for each subset of tiles)."""
    one_of(name, PURPOSES, "data set")
    tree = read_tree(params)
    asked = RenderParameters.of(tree, use_case, "scoring" if name == "scoring" else "render")
    out = places.synthetic(use_case, "" if name == "pools" else name)
    with sole_maker(out):
        for folder, content in scenarios_of(tree, use_case, name).items():
            render_scenario(use_case, content, asked, folder, cores(), PURPOSES[name])


def render_own(
    use_case: str, asked: tuple[int, int], out: Path, workers: int, drawn_from: tuple[Path, Path | None]
) -> None:
    """Render a set of one's own: `asked` is count and seed, `drawn_from` the parameter file and measured exemplars."""
    params, exemplars = drawn_from
    count, seed = asked
    sized = typed(RenderParameters, {"count": count, "seed": seed}, "render")
    render_scenario(use_case, scenario_of(read_tree(params), use_case, exemplars), sized, out, workers)


def scenarios_of(tree: dict[str, Any], use_case: str, name: str) -> dict[Path, dict[str, Any]]:
    """Return the folder of each data set, and what its description says of its scenario."""
    if name != "pools":
        return {places.synthetic(use_case, name): scenario_of(tree, use_case, None)}
    found = {}
    for pool in pools(tree, use_case):
        said = scenario_of(tree, use_case, places.exemplars(use_case) / pool.subset)
        for content in (said["scenario"], said["made_from"]["scenario"]):
            content["exemplar_texture"] = {**content["exemplar_texture"], "way": pool.way}
        found[places.synthetic(use_case, pool.name)] = said
    return found


def scenario_of(tree: dict[str, Any], use_case: str, exemplars: Path | None) -> dict[str, Any]:
    """Return the scenario of a use case as dataset.json has it.

    What was measured on a subset of the real tiles, if anything, is filled in from its folder; `made_from` then has
    the scenario without it, and what it was measured on.
    """
    instance_kind(use_case)  # says so if there is none
    content = section(tree, use_case, "scenario")
    if exemplars is None:
        return {"scenario": content}
    found = read_tree(exemplars / MEASURED)
    filled = filled_in(content, found, f"{use_case}.scenario")
    made_from = {"scenario": dict(content), "measured": found.get("made_from")}
    return {"scenario": filled, "named_files": named_files(filled), "made_from": made_from}


def render_scenario(  # noqa: PLR0913 - what to draw from and how much of it, where, and by how many
    use_case: str, said: dict[str, Any], asked: RenderParameters, out: Path, workers: int, purpose: str = "instance"
) -> None:
    """Draw the instances of a scenario and render them to a folder; other purposes draw others, with the same seed."""
    kind = instance_kind(use_case)
    scenario = Scenario.read(kind, said["scenario"], f"{use_case}.scenario")
    instances = Drawn(scenario, asked.seed, purpose, range(asked.count))
    description = {"use_case": use_case, **said, "purpose": purpose, **asked.model_dump(), "parent": None}
    if kind.classes:
        description |= {"classes": kind.classes}
    work = work_folder("render", description, out.as_posix())
    render_dataset(instances, description, out, work, workers)


def named_files(content: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every file that a scenario's parameters name: they decide its pixels, too."""
    words = [word for part in content.values() if isinstance(part, dict) for word in part.values()]
    return {word: sha256(Path(word)) for word in words if isinstance(word, str) and Path(word).is_file()}
