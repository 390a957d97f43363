"""How many samples a second one core renders, against a plain reading of the paper in the same run.

    python benchmarks/render.py        writes metrics/benchmarks.json

The two take turns, so that a machine whose speed drifts changes both; the ratio is that of each turn.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from plain_grains import render_plain
from tqdm import tqdm

from micromime.parameters import read_tree
from micromime.partial_models.grain_structure import GrainStructure
from micromime.scenario import Instance, Scenario
from micromime.scenarios import instance_kind

PROJECT = Path(__file__).parents[1]
GRAINS, SIDE_PX = 150, 512
DIAMETER_PX = float(np.sqrt(SIDE_PX**2 / GRAINS * 4 / np.pi))


def instances(count: int) -> list[Instance]:
    """Return grain micrographs of 512 px with 150 grains: all else as params.yaml draws it."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": SIDE_PX, "cols": SIDE_PX}
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    structure = {"grain_structure": GrainStructure(diameter_px=DIAMETER_PX, relaxation_steps=3)}
    return [scenario.draw_one(0, index).model_copy(update=structure) for index in range(count)]


def render(instance: Instance) -> Any:
    """Render by the package."""
    return instance.render()


def seconds(work: Callable[[Instance], Any], chosen: list[Instance]) -> float:
    """Return the seconds a sample."""
    began = time.perf_counter()
    for instance in chosen:
        work(instance)
    return (time.perf_counter() - began) / len(chosen)


def measure(turns: int, ours: int, plain: int) -> dict[str, Any]:
    """Return the row of `turns` turns of `ours` samples of the package and `plain` of the reference."""
    chosen = instances(turns * ours)
    seconds(render, chosen[:3])  # compiles
    seconds(render, chosen[:ours])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rng = np.random.default_rng(0)
    fast, ratios = [], []
    for turn in tqdm(range(turns), desc="benchmark", unit=" turns"):
        part = chosen[turn * ours : (turn + 1) * ours]
        fast.append(seconds(render, part))
        ratios.append(seconds(lambda each: render_plain(each, rng), part[:plain]) / fast[-1])
    return {
        "name": f"grain_boundaries: image, mask and labels of {SIDE_PX} px, {GRAINS} grains, one core",
        "per_second": 1 / statistics.median(fast),
        "reference": "plain reading of the paper (benchmarks/plain_grains.py), same turns, same machine",
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        "peak_memory_mib": memory,
    }


def main() -> None:
    """Measure and write metrics/benchmarks.json."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--turns", type=int, default=9)
    asked.add_argument("--out", type=Path, default=PROJECT / "metrics" / "benchmarks.json")
    chosen = asked.parse_args()
    rows = [measure(chosen.turns, ours=25, plain=3)]
    chosen.out.write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(f"{row['name']}: {row['per_second']:.0f} a second, {row['ratio']['median']:.0f} times the reference")


if __name__ == "__main__":
    main()
