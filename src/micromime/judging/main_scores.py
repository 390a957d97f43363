"""The few numbers of a verdict that a person compares first: what DVC calls its metrics."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from micromime.judging.verdict import Verdict

OF_MASKS = ("mean_iou", "boundary_f1", "matched_grains")
OF_CLASSES = ("error_rate",)
"""The main scores; the main comparison is in the first."""


class Main(NamedTuple):
    """What of a verdict comes first."""

    part: Verdict
    """The verdict that has these arms, baselines and tests: of tiles that on the fewest training tiles."""
    arms: Sequence[str]
    """Those of the main comparison, and the one that both go on from."""
    scores: Sequence[str]
    baseline: str
    """The one that arms are tested against."""
    test: Mapping[str, Any] | None
    """The paired test by run of the main comparison; None where there is but one arm."""


def main_of(said: Verdict) -> Main:
    """Return what comes first in a verdict, on masks or on tiles.

    On tiles that is mixed against real on the fewest training tiles, where synthetic data matters most. On masks it is
    the last round that goes by scores against its control.
    """
    if "subsets" in said:
        part = min(said["subsets"].values(), key=lambda each: each["tiles"])["test"]
        return Main(part, [*part["arms"]], OF_CLASSES, "line_filter", part["paired"].get("mixed_vs_real_error_rate"))
    first, pair = next(iter(said["arms"])), said["main_comparison"]
    test = said["paired"].get(f"{pair[0]}_vs_{pair[1]}_{OF_MASKS[0]}") if pair else None
    return Main(said, list(dict.fromkeys([first, *reversed(pair)])), OF_MASKS, "local_threshold", test)


def main_numbers(said: Verdict) -> dict[str, Any]:
    """Return at most 12 numbers: each arm's main scores, the baseline's first, and what the main comparison found.

    `difference` is that of the first score, mean over runs, `p_value` that of its paired test (Holm's where there are
    several); a number that there is none of is left out.
    """
    main = main_of(said)
    numbers: dict[str, Any] = {
        arm: {score: round(main.part["arms"][arm][score]["mean"], 6) for score in main.scores} for arm in main.arms
    }
    first = main.scores[0]
    numbers[main.baseline] = {first: round(main.part["baselines"][main.baseline][first], 6)}
    if main.test:
        numbers["difference"] = round(main.test["mean_difference"], 6)
        p_value = main.test.get("p_holm") or main.test["p_value"]
        numbers |= {} if p_value is None else {"p_value": float(f"{p_value:.4g}")}
    return numbers


def write_numbers(out: Path, said: Verdict) -> None:
    """Write them as JSON."""
    out.write_text(json.dumps(main_numbers(said), indent=1) + "\n")
