"""The numbers of docs/speed.md, from what the commands of benchmarks/ have written; `make readme` writes them there."""

import json
import re
from pathlib import Path
from typing import Any

from micromime.reporting.words import markdown

METRICS = Path(__file__).parents[1] / "metrics"


def blocks() -> dict[str, str]:
    """Return the text of each marked block."""
    rendered = told("benchmarks")
    return {
        "benchmark": "\n".join(f"- {speed(row)}." for row in rendered),
        "speed": speed_in_short(rendered),
        "transfer": moved(told("transfer")),
        "builds": compared(told("builds")),
        "quality": as_good(told("quality")),
        "growth": grown(told("growth")),
        "peers": beside_peers(told("peers")),
    }


def told(name: str) -> Any:
    """Return what a command has measured."""
    return json.loads((METRICS / f"{name}.json").read_text())


def speed(row: dict[str, Any]) -> str:
    """Return a row of the benchmark in words."""
    ratio = row["ratio"]
    return (
        f"{row['per_second']:.0f} samples a second on one core ({row['name']}), "
        f"{ratio['median']:.0f} times ({ratio['min']:.0f} to {ratio['max']:.0f}) as many as a {row['reference']}; "
        f"{row['peak_memory_mib']:.0f} MiB at most"
    )


def speed_in_short(rows: list[dict[str, Any]]) -> str:
    """Return how many samples of each use case are rendered in a second; of several rows the first."""
    first = {re.match(r"\w*", row["name"])[0]: row for row in reversed(rows)}
    grains, cracks = (round(first[name]["per_second"]) for name in ("grain_boundaries", "chip_cracks"))
    return f"{grains} micrographs of 512 px with 150 grains, or {cracks} tiles of 128 px, a second"


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
    size = {each["data"]: each["bytes"] / 1e6 for each in result["records"]}
    said = f"{result['tiles']:,} tiles of 128 px, {size['shards']:.0f} MB in shards ({size['PNG']:.0f} as PNG files)"
    return "\n".join([f"{said}; servers on the same machine:\n", markdown(head, rows)])


def compared(found: dict[str, Any]) -> str:
    """Return how many times as fast this build is as the earlier one, a row a workload; those not measured say so."""
    head = ["what", "earlier", "now", "times as fast", "share of the time", "peak memory, MiB"]
    rows = [[row["what"], *_compared(row)] for row in found["rows"].values()]
    measured = [row for row in found["rows"].values() if "ratio" in row]
    commits = {row["commits"]["now"] for row in measured}
    turns = {len(row["ratio"]["turns"]) for row in measured}
    return (
        f"{markdown(head, rows)}\n\nEarlier: build {found['against']}; now: {' and '.join(sorted(commits))}. Median "
        f"(least to largest) over so many turns of both: {', '.join(map(str, sorted(turns)))}."
    )


def _compared(row: dict[str, Any]) -> list[str]:
    if "ratio" not in row:
        return ["not measured", *[""] * 4]
    builds, ratio = (row["earlier"], row["now"]), row["ratio"]["median"]
    speeds = [each["per_second"]["median"] for each in builds]
    is_command = "peak_memory_mib" not in row["now"]
    both = [f"{shown(1 / each)} s" if is_command else f"{shown(each)}/s" for each in speeds]
    memory = "" if is_command else " -> ".join(f"{each['peak_memory_mib']:.0f}" for each in builds)
    return [*both, times(row), f"{1 / ratio:.2f}", memory]


def times(row: dict[str, Any]) -> str:
    """Return the ratio of speeds over turns."""
    middle, least, largest = (shown(row["ratio"][name]) for name in ("median", "min", "max"))
    return f"{middle} ({least} to {largest})"


def shown(number: float) -> str:
    """Return a number in three digits, or whole."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def as_good(found: dict[str, Any]) -> str:
    """Return whether networks of this build are as good as those of the earlier one, a row a score."""
    head = ["task", "pictures", "score", "earlier", "now", "gain [95 % interval]", "not worse by 0.01"]
    rows = []
    for row in found["rows"]:
        low, high = (f"{row['interval'][end]:+.3f}" for end in ("lo", "hi"))
        scores = [f"{row[build]:.3f}" for build in ("earlier", "now")]
        shown = [row["use_case"], row["pictures"], row["metric"], *scores]
        rows.append([*shown, f"{row['gain']:+.3f} [{low}, {high}]", "yes" if row["not_worse"] else "not shown"])
    return markdown(head, rows) + f"\n\nn = {found['rows'][0]['interval']['n']} pairs of runs, Student's t."


def grown(curves: dict[str, Any]) -> str:
    """Return a row a curve: seconds and memory from its first point to its last, and the exponent of each."""
    head = ["what", "of what", "seconds", "exponent", "n log n", "said", "peak memory, MiB"]
    return markdown(head, [_grown(name, curve) for name, curve in curves.items()])


def _grown(name: str, curve: dict[str, Any]) -> list[str]:
    first, last = curve["points"][0], curve["points"][-1]
    memory = f"{first['peak_memory_mib']:.0f} to {last['peak_memory_mib']:.0f}"
    exponent = f"{curve['exponent']:.2f}"
    if curve["standard_error"] is not None:
        exponent += f" ± {curve['standard_error']:.2f} (at its end {curve['at_its_end']:.2f})"
    verdict = "worse than n log n" if curve["worse"] else "no worse than n log n"
    if name == "workers":
        verdict = f"{first['seconds'] / last['seconds']:.2f} times as fast"
    return [
        curve["what"],
        f"{curve['unit']}: {first['n']:,} to {last['n']:,}",
        f"{shown(first['seconds'])} to {shown(last['seconds'])}",
        exponent,
        "" if name == "workers" else f"{curve['compared_with']:.2f}",
        verdict,
        f"{memory}, {'flat' if curve['memory_is_flat'] else format(curve['memory_exponent'], '.2f')}",
    ]


def beside_peers(found: list[dict[str, Any]]) -> str:
    """Return a row a peer: its speed and ours in the same turns, or why there is none."""
    rows = []
    for row in found:
        if "not_measured" in row:
            rows.append([row["name"], row["what"], "not measured", "", ""])
            continue
        peer, ours = (shown(row[name]["per_second"]["median"]) for name in ("peer", "ours"))
        rows.append([row["name"], row["what"], peer, ours, times(row)])
    return markdown(["peer", "what a second", "peer", "ours", "times as fast"], rows)
