"""Write the figures and numbers of README.md: what stands between its markers comes from metrics/ and from rendering.

python docs/write_readme.py            writes README.md and the pictures in docs/
python docs/write_readme.py --check    says whether README.md is up to date, and writes nothing
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.ablation.tables import summary_of_ablation
from experiments.planted_gap.tables import summary_of_gaps
from experiments.planted_gap.verdict import Statement
from micromime.datasets.preview import write_preview
from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.fitting.calibrate import calibrated
from micromime.fitting.cracks.statistics import crack_statistics
from micromime.fitting.exemplars import cut_dictionary
from micromime.pictures.surrogates.parts import write_parts
from micromime.pictures.tiles import read_tiles
from micromime.reporting.tables.summary import compared_table, summary_table
from micromime.reporting.tables.tiles import learning_table
from micromime.reporting.tables.verdict import headline
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.stages.measure import DICTIONARY, write_statistics
from micromime.stages.render import scenario_of
from micromime.use_cases import instance_kind

PROJECT = Path(__file__).parents[1]
README = PROJECT / "README.md"


def blocks() -> dict[str, str]:
    """Return the text of each marked block."""
    metrics = PROJECT / "metrics"
    cracks = json.loads((metrics / "evidence" / "chip_cracks.json").read_text())
    compared_arms = json.loads((metrics / "evidence" / "grain_boundaries.json").read_text())
    experiments = PROJECT / "experiments"
    planted = json.loads((experiments / "planted_gap" / "results.json").read_text())
    return {
        "cracks": f"**{headline(cracks['test_set'])}**\n\n{learning_table(cracks)}",
        "rounds": found_in_rounds(compared_arms),
        "ablation": summary_of_ablation(json.loads((experiments / "ablation" / "results.json").read_text())),
        "planted_gap": summary_of_gaps(planted["experiments"], [Statement(**each) for each in planted["statements"]]),
        "core_hours": core_hours(
            metrics / "evidence" / "runs" / "grain_boundaries.parquet",
            *(experiments / name / "records.parquet" for name in ("ablation", "planted_gap")),
        ),
        "benchmark": ".\n".join(map(speed, json.loads((metrics / "benchmarks.json").read_text()))),
        "transfer": moved(json.loads((metrics / "transfer.json").read_text())),
    }


def found_in_rounds(said: dict[str, Any]) -> str:
    """Return what the rounds have gained on the test set, beside their controls and what anybody could apply."""
    table = summary_table(said, ["base", "random_3", "adaptive_3"], ["otsu", "local_threshold"])
    pairs = [("adaptive", "random"), ("adaptive_2", "random_2"), ("adaptive_3", "random_3")]
    return f"**{headline(said['test_set'])}**\n\n{table}\n\n{compared_table(said, pairs)}"


def core_hours(*packed: Path) -> str:
    """Return how long the finished runs behind the evidence have trained, by their records; each was on one thread."""
    found = []
    for file in packed:
        told = [json.loads(said) for said in pd.read_parquet(file)["training"]]
        hours = sum(each.get("cpu_seconds", each.get("seconds")) for each in told) / 3600
        found.append(f"{hours:.1f} for {len(told)} runs")
    rounds, ablation, planted = found
    return f"{rounds} of rounds, {ablation} of the ablation, {planted} of the planted gap (without base networks)"


def speed(row: dict[str, Any]) -> str:
    """Return a row of the benchmark in words."""
    ratio = row["ratio"]
    return (
        f"{row['per_second']:.0f} samples a second on one core ({row['name']}), "
        f"{ratio['median']:.0f} times ({ratio['min']:.0f} to {ratio['max']:.0f}) as many as a {row['reference']}; "
        f"{row['peak_memory_mib']:.0f} MiB at most"
    )


def moved(result: dict[str, Any]) -> str:
    """Return what DVC takes to move tiles in shards, and how many times that it takes for PNG files, as a table."""
    ratios = {each["remote"]: each for each in result["ratios"]}
    verbs = {"push": "push", "clone_and_pull": "clone and pull"}
    head = ["storage", *(f"{shown}, s (as PNG files: times that)" for shown in verbs.values())]
    rows = [
        [each["remote"], *(f"{each['seconds'][verb]:.0f} ({ratios[each['remote']][verb]:.0f})" for verb in verbs)]
        for each in result["records"]
        if each["data"] == "shards"
    ]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---", "---:", "---:"], *rows]]
    size = {each["data"]: each["bytes"] / 1e6 for each in result["records"]}
    said = f"{result['tiles']:,} tiles of 128 px, {size['shards']:.0f} MB in shards ({size['PNG']:.0f} as PNG files)"
    return "\n".join([f"{said}; servers on the same machine:\n", *lines])


def filled(text: str) -> str:
    """Return the README with its marked blocks written anew."""
    for name, block in blocks().items():
        before, begin, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- end {name} -->")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text


def draw_tiles(file: Path) -> None:
    """Draw twelve tiles of the demo's scenario as if simulated parts had been measured: nothing in them is real."""
    tree = read_tree(PROJECT / "params.yaml")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(6, 256, 0, folder / "parts")
        tiles = read_tiles(folder / "parts", instance_kind("chip_cracks").classes)
        calibrated(cut_dictionary(tiles, 5000, stream(0, "readme")), 0).write(folder / "all" / DICTIONARY)
        found = crack_statistics([(each.image, each.mask) for each in tiles], whole=False, seed=0, simulated=150)
        write_statistics(folder / "all", found)
        content = scenario_of(tree, "chip_cracks", folder / "all")
        scenario = Scenario.read(instance_kind("chip_cracks"), content, "scenario")
        instances = [scenario.draw_one(0, index) for index in range(12)]
        render_dataset(instances, {}, folder / "set", folder / "work")
        write_preview(Dataset(folder / "set"), file)


def draw(file: Path) -> None:
    """Draw the first sample of each style of the demo's scenario, 160 px each, with its boundaries."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 160, "cols": 160}
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    with tempfile.TemporaryDirectory() as folder:
        drawn = (scenario.draw_one(0, index) for index in range(1000))
        first = {each.style: each for each in reversed(list(drawn))}
        render_dataset([first[style.name] for style in scenario.styles], {}, Path(folder, "set"), Path(folder, "work"))
        write_preview(Dataset(Path(folder, "set")), file)


def main() -> None:
    """Write, or check."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--check", action="store_true")
    text = README.read_text()
    if asked.parse_args().check:
        sys.exit(None if filled(text) == text else "README.md is not what metrics/ says; run `make readme`.")
    README.write_text(filled(text))
    draw(PROJECT / "docs" / "grain_boundaries.png")
    draw_tiles(PROJECT / "docs" / "chip_cracks.png")


if __name__ == "__main__":
    main()
