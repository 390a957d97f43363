"""Write the numbers and pictures of README.md and docs/: what stands between markers comes from metrics/ and rendering.

python -m docs.write_readme            fills the marked blocks of all pages, and draws the pictures in docs/
python -m docs.write_readme --check    says which pages are not up to date, and writes nothing
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from docs import speed, statistics
from docs.cycle import drawing
from experiments.ablation.tables import summary_of_ablation
from experiments.planted_gap.tables import summary_of_gaps
from experiments.planted_gap.verdict import Statement
from experiments.runs import COMMITTED, VERSIONS
from micromime.arms.comparisons import MEASURED
from micromime.datasets.render import render_dataset
from micromime.fitting.cracks.statistics import crack_statistics
from micromime.fitting.exemplars import calibrated, cut_dictionary
from micromime.judging.statistics import difference_interval
from micromime.pictures.surrogates.parts import write as write_parts
from micromime.pictures.tiles import read_tiles
from micromime.project.places import verdict
from micromime.reporting.tables.tiles import learning_table
from micromime.reporting.tables.verdict import places, scores_of, with_runs
from micromime.reporting.words import (
    SIGNIFICANT_P,
    headline,
    in_markdown,
    markdown,
    mean_cell,
    p_or_none,
    signed_interval,
    title,
)
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.stages.measure import DICTIONARY, write_statistics
from micromime.stages.render import render_own
from micromime.use_cases import instance_kind

LAWS_ARE = "# Laws of cracks, measured on simulated parts by `make readme`: pages of partial models draw from them.\n"
PROJECT = Path(__file__).parents[1]
SUMMED_UP = ("otsu", "local_threshold", "base", "random_3", "adaptive_3")
PAIRS = (("adaptive", "random"), ("adaptive_2", "random_2"), ("adaptive_3", "random_3"))
"""Baselines and arms that README names, and what it compares."""


def blocks() -> dict[str, str]:
    """Return the text of each marked block."""

    def told(file: str | Path) -> Any:
        return json.loads((PROJECT / file).read_text())

    cracks, rounds = (told(verdict("evidence", name)) for name in ("chip_cracks", "grain_boundaries"))
    planted = told("experiments/planted_gap/results.json")
    tested = {name: f"**{headline(said['test_set'])}**" for name, said in (("cracks", cracks), ("rounds", rounds))}
    return (
        statistics.blocks()
        | speed.blocks()
        | {
            "cracks": f"{tested['cracks']}\n\n{short_learning_table(cracks)}",
            "all_cracks": f"{tested['cracks']}\n\n{learning_table(cracks)}",
            "rounds": f"{tested['rounds']}\n\n{summary_table(rounds, own=False)}\n\n{last_compared(rounds)}",
            "all_rounds": f"{tested['rounds']}\n\n{summary_table(rounds)}\n\n{compared_table(rounds)}",
            "ablation": summary_of_ablation(told("experiments/ablation/results.json")),
            "planted_gap": summary_of_gaps(
                planted["experiments"], [Statement(**each) for each in planted["statements"]]
            ),
            "core_hours": core_hours(),
            "versions": made_by(),
        }
    )


def short_learning_table(said: dict[str, Any]) -> str:
    """Return the mean error of each model by number of real training tiles, and the p values of mixed."""
    names = {"synthetic": "synthetic", "real": "real", "mixed": "mixed", "longer": "control"}
    head = ["real tiles", *names.values(), "line filter", "p, mixed - real", "p, mixed - control"]
    rows, runs = [], set()
    for part in sorted(said["subsets"].values(), key=itemgetter("tiles")):
        arms, paired = part["test"]["arms"], part["test"]["paired"]
        scores = [arms[name]["error_rate"] for name in names] + [part["test"]["baselines"]["line_filter"]["error_rate"]]
        tests = [p_or_none(paired[f"mixed_vs_{other}_error_rate"]["p_value"]) for other in ("real", "longer")]
        rows.append([str(part["tiles"]), *(mean_cell(score, ".3f") for score in scores), *tests])
        runs |= {arms[name]["n_runs"] for name in names}
    numbers = " or ".join(map(str, sorted(runs)))
    tested = f"paired two-tailed t-tests by run, not corrected for their number, significant below {SIGNIFICANT_P}"
    return f"{markdown(head, rows)}\n\nMeans of {numbers} runs; {tested}."


def summary_table(said: dict[str, Any], own: bool = True) -> str:
    """Return mean IoU and boundary F1: a row a source, one for all and, if asked, each run at its own threshold."""
    said = in_markdown(said)
    arms = {name: part for name, part in said["at_operating_points"]["arms"].items() if name in SUMMED_UP}
    last = (f"{places(said)[-1][0]}, each run at its own threshold", {"baselines": {}, "arms": arms})
    shown = [*places(said), *([last] if own else [])]
    rows = [[place, *(_both(scores_of(part).get(name)) for name in SUMMED_UP)] for place, part in shown]
    return markdown(["mean IoU / boundary F1", *with_runs(said, SUMMED_UP)], rows)


def _both(scores: dict[str, Any] | None) -> str:
    if scores is None:
        return "none"
    return " / ".join(mean_cell(scores[metric], ".3f") for metric in ("mean_iou", "boundary_f1"))


def compared_table(said: dict[str, Any]) -> str:
    """Return what rounds gain on their controls: a column a pair, at 0.5 and at each run's own threshold."""
    rows, tests = [], []
    for where, part in ((" at 0.5", said), (" at its own threshold", said["at_operating_points"])):
        for metric in ("mean_iou", "boundary_f1", "pixel_error", "average_precision"):
            row = [part["paired"].get(f"{a}_vs_{b}_{metric}") for a, b in PAIRS]
            if all(row):
                name = title(metric) + ("" if metric == "average_precision" else where)
                rows.append([name, *map(_difference, row)])
                tests += row
    counts = " and ".join(dict.fromkeys(str(test["n_tests"]) for test in tests))
    numbers = " or ".join(dict.fromkeys(str(test["n_pairs"]) for test in tests))
    return (
        f"{markdown(['score', *(f'{a} - {b}' for a, b in PAIRS)], rows)}\n\n"
        f"Mean difference over runs [99 % interval, Student's t on the logit scale, n = {numbers} pairs of runs]; p of "
        f"paired two-tailed t-tests by run, corrected for {counts} tests (Holm), significant below {SIGNIFICANT_P}."
    )


def _difference(test: dict[str, Any]) -> str:
    """Return what a test has found: the difference, its interval within -1 to 1, and p."""
    interval = signed_interval(difference_interval(test))
    return f"{test['mean_difference']:+.3f} {interval}, p = {p_or_none(test['p_holm'])}"


def last_compared(said: dict[str, Any]) -> str:
    """Return in a sentence what the last round gains on its control, in the scores of the summary."""
    arm, control = PAIRS[-1]
    found = {metric: said["paired"][f"{arm}_vs_{control}_{metric}"] for metric in ("mean_iou", "boundary_f1")}
    told = [f"{title(metric)} {_difference(test)}" for metric, test in found.items()]
    return (
        f"{arm} - {control} over all: {'; '.join(told)} (99 % intervals, Student's t on the logit scale, n = "
        f"{found['mean_iou']['n_pairs']} pairs of runs; paired two-tailed t-tests by run, corrected after Holm)."
    )


def made_by() -> str:
    """Return which versions of results the committed records are of, and what that means where today's are others."""
    names = ("renderer", "learner", "asking", "measuring")
    pairs = [each for each in zip(names, COMMITTED, VERSIONS, strict=True) if each[1] != each[2]]
    then, now = (" and ".join(f"{name} {version[end]}" for name, *version in pairs) for end in (0, 1))
    if not pairs:
        return "Numbers of the profile evidence and of experiments are of today's versions of results."
    return (
        f"Numbers of the profile evidence and of experiments are of {then} (src/micromime/project/results.py). Today's "
        f"are {now}: their records are kept, but would not be used again."
    )


def core_hours() -> str:
    """Return how long the finished runs behind the evidence have trained, by their records; each was on one thread."""
    found, experiments = [], (f"experiments/{name}/records.parquet" for name in ("ablation", "planted_gap"))
    for file in ("metrics/evidence/runs/grain_boundaries.parquet", *experiments):
        told = pd.read_parquet(PROJECT / file)["training"].map(json.loads)
        hours = sum(each.get("cpu_seconds", each.get("seconds")) for each in told) / 3600
        found.append(f"{hours:.1f} for {len(told)} runs")
    rounds, ablation, planted = found
    return f"{rounds} of rounds, {ablation} of the ablation, {planted} of the planted gap (without base networks)"


def draw_tiles(folder: Path) -> Path:
    """Draw six tiles of the demo's scenario as if simulated parts had been measured: nothing in them is real."""
    write_parts(6, 256, 0, folder / "parts")
    tiles = read_tiles(folder / "parts", instance_kind("chip_cracks").classes)
    calibrated(cut_dictionary(tiles, 5000, stream(0, "readme")), 0).write(folder / "all" / DICTIONARY)
    found = crack_statistics([(each.image, each.mask) for each in tiles], whole=False, seed=0, simulated=150)
    write_statistics(folder / "all", found, "simulated parts")
    render_own("chip_cracks", (6, 0), folder / "tiles", 1, (PROJECT / "params.yaml", folder / "all"))
    return folder / "tiles" / "preview.png"


def write_laws(measured: Path) -> None:
    """Write the laws that were measured on simulated parts for the pages of partial models."""
    laws = {name: law for name, law in read_tree(measured).items() if not name.endswith("_empirical")}
    yaml, file = YAML(), PROJECT / "docs/surrogate_cracks.yaml"
    yaml.default_flow_style, yaml.width = None, 110
    with file.open("w") as out:
        out.write(LAWS_ARE)
        yaml.dump({name: law for name, law in laws.items() if name not in ("made_from", "dictionary")}, out)


def draw_grains(folder: Path) -> Path:
    """Draw the first sample of each style of the demo's scenario, 160 px each, with its boundaries."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 160, "cols": 160}
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    first = {each.style: each for each in (scenario.draw_one(0, index) for index in reversed(range(1000)))}
    render_dataset([first[style.name] for style in scenario.styles], {}, folder / "grains", folder / "work")
    return folder / "grains" / "preview.png"


def filled(text: str, texts: Mapping[str, str]) -> str:
    """Return a page with each block between `<!-- name -->` and `<!-- end name -->` filled; KeyError for others.

    Both stand on lines of their own, or both within a line: one that begins a line ends a paragraph.
    """
    marked = re.compile(r"<!-- (\w+) -->(\n?).*?\n?<!-- end \1 -->", re.DOTALL)
    return marked.sub(lambda b: f"<!-- {b[1]} -->{b[2]}{texts[b[1]]}{b[2]}<!-- end {b[1]} -->", text)


def outdated(pages: Iterable[Path], texts: Mapping[str, str]) -> dict[Path, str]:
    """Return the pages that are not what their numbers say, each with what it should be."""
    wanted = {page: filled(page.read_text(), texts) for page in pages}
    return {page: text for page, text in wanted.items() if text != page.read_text()}


def pages() -> list[Path]:
    """Return README.md and the pages of docs/."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def main() -> None:
    """Write, or check."""
    found = outdated(pages(), blocks())
    if "--check" in sys.argv:
        names = ", ".join(page.name for page in found)
        sys.exit(f"Not what their numbers say: {names}; run `make readme`." if found else None)
    for page, text in found.items():
        page.write_text(text)
    (PROJECT / "docs/cycle.svg").write_text(drawing())
    with tempfile.TemporaryDirectory() as name:
        for file, draw in {"grain_boundaries.png": draw_grains, "chip_cracks.png": draw_tiles}.items():
            shutil.copy(draw(Path(name)), PROJECT / "docs" / file)
        write_laws(Path(name) / "all" / MEASURED)


if __name__ == "__main__":
    main()
