"""Lists of pictures that a person has written: tables of comma-separated values, a picture a row."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath

from micromime.mistakes import Mistake

ALSO_SOURCE = "group"
"""What the column `source` may be called."""
SCALE = "um_per_px"
OPTIONAL = (SCALE, "page", "rows")
"""Columns that may be absent."""


def stays_inside(name: str) -> bool:
    """Return whether a relative name, written on any system, can only mean a file inside its folder.

    Only the words count: links are followed, because DVC may link files to its cache.
    """
    path = PureWindowsPath(name)  # splits at both kinds of slashes
    return not path.anchor and path.parts != () and ".." not in path.parts


def table_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line of a CSV file and its cells by column, without blanks about them.

    Raises Mistake where there is no such file, it is no table or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            table = csv.DictReader(opened)
            table.fieldnames = ["source" if name == ALSO_SOURCE else name for name in table.fieldnames or ()]
            if missing := [column for column in columns if column not in table.fieldnames]:
                raise Mistake(f"{path} lacks the column {missing[0]}; its first line must name {', '.join(columns)}.")
            for written in table:
                cells = {name: (cell or "").strip() for name, cell in written.items() if name}
                yield table.line_num, {column: cells.get(column, "") for column in (*columns, *OPTIONAL)}
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; a test set has one, with the columns {', '.join(columns)}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Mistake(f"{path} is not a table of comma-separated values in UTF-8 ({error}); save it as one.") from None


def checked_cells(written: Mapping[str, str], place: str, needed: Sequence[str], files: Sequence[str]) -> None:
    """Raise Mistake unless the cells needed are filled, and those that name files stay inside the folder."""
    for column in needed:
        if not written[column]:
            raise Mistake(f"{place}: the cell {column} is empty; fill it in or remove the line.")
    for column in files:
        if written[column] and not stays_inside(written[column]):
            raise Mistake(f"{place}: {column} {written[column]!r} leaves the folder; name a file inside it.")


def scale_in(cell: str, place: str) -> float | None:
    """Return the micrometres to a pixel that a cell says, None where it is empty; Mistake unless it is positive."""
    if not cell:
        return None
    try:
        um_per_px = float(cell)
    except ValueError:
        um_per_px = math.nan
    if not 0 < um_per_px < math.inf:
        raise Mistake(f"{place}: {SCALE} {cell!r} is no positive number; write one, as in 0.25, or leave it empty.")
    return um_per_px
