"""By how much the ASTM number of the grains that were found differs from the truth's, picture by picture."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from micromime.evaluation.cells import markdown
from micromime.evaluation.grain_size import E112_SLOPE
from micromime.evaluation.grain_sizes import CONFIDENCE

AGREED = 0.5
"""Half a class: what two laboratories may differ by on one specimen."""


def astm_by_picture(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each picture and arm the mean over runs of G(found) - G(true) and of its 95 % interval's ends.

    `answers` has a row for every arm, run and picture: picture, source, arm, run, astm_lo and astm_hi (NaN where
    nothing was crossed; see `grain_sizes.astm_difference_of`). Numbers are None where no run has any.
    """
    rows = answers.astype({"astm_lo": float, "astm_hi": float})
    rows = rows.assign(difference=(rows["astm_lo"] + rows["astm_hi"]) / 2)
    means = rows.groupby(["source", "picture", "arm"], sort=False)[["difference", "astm_lo", "astm_hi"]].mean()
    found = means.reset_index().rename(columns={"astm_lo": "lo", "astm_hi": "hi"}).to_dict("records")
    return [{str(key): None if value != value else value for key, value in row.items()} for row in found]


def astm_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table of `astm_by_picture`, and what is to be known of it."""
    yield (
        f"ASTM number of the grains found - of the true ones, picture by picture: mean over runs, with the "
        f"{100 * CONFIDENCE:.0f} % interval of E112 over test lines (how much the two disagree from line to line; the "
        f"scale cancels out). Bold: within {AGREED} for certain. One class is a factor of "
        f"{10 ** (-1 / E112_SLOPE):.2f} in the mean linear intercept."
    )
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    by_picture = {(row["picture"], row["arm"]): row for row in rows}
    pictures = dict.fromkeys((row["source"], row["picture"]) for row in rows)
    cells = [
        [f"{picture} ({source})", *(_cell(by_picture[picture, arm]) for arm in arms)] for source, picture in pictures
    ]
    yield markdown(["picture (source)", *arms], cells)


def _cell(row: dict[str, Any]) -> str:
    if row["difference"] is None:
        return "none"
    text = f"{row['difference']:+.2f} [{row['lo']:+.2f}, {row['hi']:+.2f}]"
    return f"**{text}**" if row["lo"] >= -AGREED and row["hi"] <= AGREED else text
