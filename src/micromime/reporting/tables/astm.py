"""ASTM numbers picture by picture: the truth's, and by how much that of the grains that were found differs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from micromime.judging.grain_size import CONFIDENCE, E112_SLOPE
from micromime.reporting.words import markdown

AGREED = 0.5
"""Half a class: what two laboratories may differ by on one specimen."""


def astm_table(rows: Sequence[Mapping[str, Any]], truths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of `astm_by_picture` beside `true_size` of each picture, and what is to be known of it."""
    yield (
        f"ASTM number of the grains found - of the true ones, picture by picture: means over runs of the difference "
        f"and of the ends of its {100 * CONFIDENCE:.0f} % interval (E112's over test lines, for a ratio by the delta "
        f"method: how much the two disagree from line to line; the scale cancels out). Bold: both ends within {AGREED},"
        " and every run has an interval (there is none where the test lines miss what was found). One class is a "
        f"factor of {10 ** (-1 / E112_SLOPE):.2f} in the mean linear intercept. Truth: its ASTM number G, or where the "
        f"picture has no scale its mean linear intercept, with the {100 * CONFIDENCE:.0f} % interval over n test lines."
    )
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    by_picture = {(row["picture"], row["arm"]): row for row in rows}
    pictures = dict.fromkeys((row["source"], row["picture"]) for row in rows)
    cells = [
        [f"{picture} ({source})", _truth(truths[picture]), *(_cell(by_picture[picture, arm]) for arm in arms)]
        for source, picture in pictures
    ]
    yield markdown(["picture (source)", "truth", *arms], cells)


def _truth(size: Mapping[str, Any]) -> str:
    astm, intercept = size["astm"], size["intercept"]
    if intercept is None:
        return "none"
    lines = intercept["n_lines"]
    if astm is None:
        return f"{intercept['intercept_px']:.1f} px {_ends(intercept['lo_px'], intercept['hi_px'], '.1f')}, n = {lines}"
    return f"G {astm['number']:.2f} {_ends(astm['lo'], astm['hi'], '.2f')}, n = {lines}"


def _ends(lo: float | None, hi: float | None, form: str) -> str:
    low, high = ("none" if end is None else f"{end:{form}}" for end in (lo, hi))
    return f"[{low}, {high}]"


def _cell(row: Mapping[str, Any]) -> str:
    """Return the difference, with its interval where all runs that count have one: of others it would be no mean."""
    if row["difference"] is None:
        return "none"
    known, intervals, runs = (row[key] for key in ("n_known", "n_intervals", "n_runs"))
    few = [f"{known} of {runs} runs"] if known < runs else []
    if intervals < known:
        return f"{row['difference']:+.2f} ({', '.join([*few, f'interval: {intervals} of {runs}'])})"
    text = f"{row['difference']:+.2f} [{row['lo']:+.2f}, {row['hi']:+.2f}]"
    if few:
        return f"{text} ({few[0]})"
    return f"**{text}**" if row["lo"] >= -AGREED and row["hi"] <= AGREED else text
