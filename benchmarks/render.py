"""How many samples a second one core renders, against a plain reading of the paper in the same run.

    python benchmarks/render.py        writes metrics/benchmarks.json

The two take turns, so that a machine whose speed drifts changes both; the ratio is that of each turn. Every row is
measured in a process of its own, with one thread; its memory is what that process had taken at most when the package
had rendered and nothing else had.
"""

import json
import statistics
import tempfile
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from timeit import timeit
from typing import Any, NamedTuple

import numpy as np
import plain_criminisi
import plain_grains
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter
from skimage import data
from threadpoolctl import threadpool_limits
from tqdm import tqdm
from workloads import in_new_process, peak_memory_mib

from micromime.fitting.exemplars import calibrated, cut_dictionary
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.pictures.tiles import Tile
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Instance, Scenario
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind

PROJECT = Path(__file__).parents[1]
GRAINS, SIDE_PX = 150, 512
SCENARIOS = {
    "paper": ("the paper's scenario", ""),
    "demo": ("all styles", ", which draws no more than the paper has"),
}
"""Whose scenario, by profile, and what is to be said of the reference beside it."""
DIAMETER_PX = float(np.sqrt(SIDE_PX**2 / GRAINS * 4 / np.pi))

TILE_PX, PATCHES = 128, 12_000
CRACK = {
    "segments": {"integers": [5, 40]},
    "segment_px": {"lognormal": {"median": 13, "sigma": 0.2, "low": 6, "high": 26}},
    "segment_spread": 0.5,
    "bend_deg": {"lognormal": {"median": 19, "sigma": 0.3, "low": 5, "high": 45}},
    "bend_spread": 0.5,
    "return_share": 0.7,
    "direction_deg": {"normal": {"mean": 0, "sd": 15, "low": -90, "high": 90}},
    "width_px": {"lognormal": {"median": 5, "sigma": 0.3, "low": 2, "high": 12}},
    "depth": {"normal": {"mean": 0.4, "sd": 0.1, "low": 0.1, "high": 0.8}},
    "depth_spread": 0.2,
    "depth_correlation_px": 13,
    "taper_px": 30,
}
"""Cracks as they may be on such a surface; where there are real ones, the stage measure finds all this out."""


class Contest(NamedTuple):
    """Two ways to the same samples."""

    name: str
    reference: str
    draw: Callable[[int], Instance]
    """Number of a sample -> instance."""
    render: Callable[[list[Any]], Any]
    """All of a turn, by the package."""
    render_plain: Callable[[Any, np.random.Generator], Any]
    ours: int
    """Samples a turn of the package."""
    plain: int
    """Samples a turn of the reference, the first of those."""


def scenario_of(profile: str) -> dict[str, Any]:
    """Return the scenario of grains that a profile makes of params.yaml."""
    from micromime.commands.profile import overlaid  # not above: what it imports would count as the renderer's memory

    text = overlaid((PROJECT / "params.yaml").read_text(), (PROJECT / "profiles" / f"{profile}.yaml").read_text())
    scenario: dict[str, Any] = YAML(typ="safe", pure=True).load(text)["grain_boundaries"]["scenario"]
    return scenario | {"rows": SIDE_PX, "cols": SIDE_PX}


def grain_boundaries(profile: str, content: dict[str, Any]) -> Contest:
    """Return grain micrographs of 512 px with 150 grains: all else as the scenario of a profile draws it.

    Where it is not the paper's, the reference draws less.
    """
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    drawn_as, beside = SCENARIOS[profile]
    size = {"diameter_px": DIAMETER_PX, "relaxation_steps": 3}

    def draw(number: int) -> Instance:
        drawn = scenario.draw_one(0, number)
        return drawn.model_copy(update={"grain_structure": drawn.grain_structure.model_copy(update=size)})

    return Contest(
        name=f"grain_boundaries, {drawn_as}: image, mask and labels of {SIDE_PX} px, {GRAINS} grains, one core",
        reference=f"plain reading of the paper (benchmarks/plain_grains.py){beside}, same turns, same machine",
        draw=draw,
        render=lambda chosen: deque((each.render() for each in chosen), maxlen=0),  # keeps none
        render_plain=plain_grains.render_plain,
        ours=25,
        plain=3,
    )


def chip_cracks(dictionary: Path) -> Contest:
    """Return tiles of 128 px, every second one with a crack: light as params.yaml draws it."""
    content = read_tree(PROJECT / "params.yaml")["chip_cracks"]["scenario"] | {"rows": TILE_PX, "cols": TILE_PX}
    content |= {"exemplar_texture": {"dictionary": str(dictionary)}, "crack": CRACK}
    kind = instance_kind("chip_cracks")
    scenario = Scenario.read(kind, content, "scenario")
    return Contest(
        name=f"chip_cracks: image and mask of {TILE_PX} px, half with a crack, from {PATCHES} patches, one core",
        reference="plain Criminisi filling (benchmarks/plain_criminisi.py), same dictionary, turns and machine",
        draw=lambda number: scenario.draw_one(0, number),
        render=kind.render_all,
        render_plain=plain_criminisi.render_plain,
        ours=100,
        plain=2,
    )


def write_dictionary(file: Path) -> None:
    """Write a dictionary of exemplars that look like a moulded surface, calibrated as the stage measure does it."""
    calibrated(dictionary_of(PATCHES), seed=0).write(file)
    assert len(Dictionary.read(file).patches) == PATCHES


def dictionary_of(patches: int) -> Dictionary:
    """Return so many patches of what looks like a moulded surface: scikit-image's gravel and grass, smoothed."""
    tiles = []
    for name, photograph in (("gravel", data.gravel()), ("grass", data.grass())):
        smooth = gaussian_filter(photograph.astype(float), (1.5, 2.5))
        rough = smooth - gaussian_filter(smooth, 24)
        image = np.clip(np.rint(175 + 14 * rough / rough.std()), 0, 255).astype(np.uint8)
        for row, col in np.ndindex(*(np.array(image.shape) // TILE_PX)):
            cut = image[row * TILE_PX :, col * TILE_PX :][:TILE_PX, :TILE_PX]
            corner = {"row": row * TILE_PX, "col": col * TILE_PX}
            intact = np.zeros(cut.shape, dtype=np.bool_)
            tiles.append(Tile(f"{name} {row} {col}", "intact", name, name, **corner, image=cut, mask=intact))
    return cut_dictionary(tiles, patches, stream(0, "dictionary"))


def measure(turns: int, contest_of: Callable[..., Contest], *given: Any) -> dict[str, Any]:
    """Return the row of a contest, which is made here of what is given."""
    contest, rng = contest_of(*given), np.random.default_rng(0)
    chosen = [contest.draw(number) for number in range(turns * contest.ours)]

    def by_plain(part: list[Instance]) -> None:
        for each in part:
            contest.render_plain(each, rng)

    with threadpool_limits(1):
        contest.render(chosen[: contest.ours])  # compiles
        contest.render(chosen[: contest.ours])
        memory = peak_memory_mib()
        by_plain(chosen[:1])
        fast, ratios = [], []
        for turn in tqdm(range(turns), desc=contest.name.partition(":")[0], unit=" turns"):
            part = chosen[turn * contest.ours :][: contest.ours]
            fast.append(timeit(partial(contest.render, part), number=1) / contest.ours)
            ratios.append(timeit(partial(by_plain, part[: contest.plain]), number=1) / contest.plain / fast[-1])
    return {
        "name": contest.name,
        "per_second": 1 / statistics.median(fast),
        "reference": contest.reference,
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        "peak_memory_mib": memory,
    }


def main(turns: int = 9) -> None:
    """Measure and write metrics/benchmarks.json."""
    with tempfile.TemporaryDirectory() as folder:
        dictionary = Path(folder, "dictionary.npz")
        in_new_process(write_dictionary, dictionary)
        contests = [(grain_boundaries, profile, scenario_of(profile)) for profile in SCENARIOS]
        rows = [in_new_process(measure, turns, *each) for each in (*contests, (chip_cracks, dictionary))]
    (PROJECT / "metrics" / "benchmarks.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(f"{row['name']}: {row['per_second']:.0f} a second, {row['ratio']['median']:.0f} times the reference")


if __name__ == "__main__":
    from micromime.cli import command  # not above: it would count as the renderer's memory

    command(main)
