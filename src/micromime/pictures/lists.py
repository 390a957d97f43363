"""Lists of pictures that a person has written: tables in text, a picture a row.

What has one meaning only is taken as it is meant: any of three separators, UTF-16 as spreadsheets write it, capitals
and blanks in headings, either slash. Whatever else differs from what is asked for is told, never passed over.
"""

import codecs
import csv
import difflib
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from micromime.mistakes import Mistake

ALSO_SOURCE = "group"
"""What the column `source` may be called."""
SCALE = "um_per_px"
OPTIONAL = (SCALE, "page", "rows")
"""Columns that a list may lack."""

FILES = ("image", "mask", "tile", "source_image")
"""Columns that name files, relative to the folder of the list."""

SEPARATORS = (",", ";", "\t")
LONGEST_NAME = 100
EVERY_SOURCE = "ALL"

NEAR = {
    SCALE: (
        *("um per pixel", "um px", "px um", "px per um", "nm per px", "mm per px", "microns per pixel", "pixel size"),
        *(
            "micrometers per pixel",
            "mu per px",
            "pixel size um",
            "pixel width",
            "pixel spacing",
            "px size",
            "mpp",
            "scale",
            "scale um",
        ),
    ),
    "page": ("page no", "page number"),
    "rows": ("valid rows", "row range"),
}
"""What people write where a column that may be missing is meant."""

LIKENESS = 0.85
"""Of 1: how like one of these a heading must be to count as one (difflib's ratio)."""


class _Lines(NamedTuple):
    """A table as it is written."""

    separator: str
    heads: list[str]
    rows: list[tuple[int, list[str]]]
    """The number of each line that is not blank, and its cells."""


def stays_inside(name: str) -> bool:
    """Return whether a relative name, written on any system, can only mean a file inside its folder.

    Only the words count: links are followed, because DVC may link files to its cache.
    """
    path = PureWindowsPath(name)  # splits at both kinds of slashes
    return not path.anchor and path.parts != () and ".." not in path.parts


def table_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line of a table and its cells by column, without blanks about them.

    Cells that name files have the names as they stand on the disk. Raises Mistake where there is no such list, it is no
    table, lacks one of the columns, has one twice, or a heading that is nearly that of a column of `OPTIONAL`; and
    where a line has a cell under no heading, or names a file by other capitals than its own.
    """
    lines = _read(path, columns)
    heads = [_plain(head) for head in lines.heads]
    heads = _checked_heads(path, columns, heads, lines.heads)
    known = _Folder(path.parent)
    for number, row in lines.rows:
        _check_length(f"{path} line {number}", row, heads, lines.separator)
        cells = {head: cell for head, cell in zip(heads, row, strict=False) if head in (*columns, *OPTIONAL)}
        if lines.separator != ",":
            cells[SCALE] = _with_point(cells.get(SCALE, ""), lines.separator)
        for column in {*FILES} & {*cells}:
            cells[column] = known.named(cells[column], f"{path} line {number}: {column}")
        yield number, {column: cells.get(column, "") for column in (*columns, *OPTIONAL)}


def checked_cells(written: Mapping[str, str], place: str, needed: Sequence[str], files: Sequence[str]) -> None:
    """Raise Mistake unless the cells needed are filled and printable, and those that name files stay in the folder."""
    for column in needed:
        if not written[column]:
            raise Mistake(f"{place}: the cell {column} is empty; fill it in or remove the line.")
    for column, cell in written.items():
        if unseen := [letter for letter in cell if unicodedata.category(letter)[0] == "C" or letter in "\u2028\u2029"]:
            said = f"{column} {cell!r} holds {unseen[0]!r}, which cannot be printed"
            raise Mistake(f"{place}: {said}; take it out, or close a quotation mark before it.")
        name = PurePosixPath(cell).stem if column in FILES else cell
        if len(name) > LONGEST_NAME:
            said = f"{column} {name[:20]!r}... is {len(name)} characters long"
            raise Mistake(f"{place}: {said}; tables have room for {LONGEST_NAME}, so give it a shorter name.")
    for column in files:
        if written[column] and not stays_inside(written[column]):
            raise Mistake(f"{place}: {column} {written[column]!r} leaves the folder; name a file inside it.")


def check_sources(sources: Iterable[tuple[str, str]]) -> None:
    """Raise Mistake where two of the sources, each with its place, differ in no more than capitals, blanks or accents.

    One specimen under two names would be in the test set and in what is learnt from. Also where one is called `ALL`.
    """
    first: dict[str, tuple[str, str]] = {}
    for place, source in sources:
        if source == EVERY_SOURCE:
            raise Mistake(f"{place}: source {source!r} is what tables call all of them together; give it another name.")
        alike = re.sub(r"\s+", "", unicodedata.normalize("NFKC", source)).casefold()
        other_place, other = first.setdefault(alike, (place, source))
        if other != source:
            raise Mistake(f"{place}: source {source!r} is {other!r} in {other_place}; write both alike.")


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


def _read(path: Path, columns: Sequence[str]) -> _Lines:
    """Return a table; Mistake where there is no such file, or it is none."""
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
        if "\0" in text:
            raise csv.Error("it has characters of code 0")
        named = re.match(r"\"?sep=([^\r\n\"])\"?[,;\t]*(?:\r\n|\r|\n|$)", text, re.IGNORECASE)
        separator = named[1] if named else _separator(text, columns)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
        rows = [(table.line_num, [cell.strip() for cell in row]) for row in table]
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; a test set has one, with the columns {', '.join(columns)}.") from None
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError) and b"\0" not in content:  # else it is no text at all
            line = content.count(b"\n", 0, error.start) + 1
            said = f"{path} line {line} has a letter that is not in UTF-8"
            raise Mistake(f"{said}; save it as text in UTF-8, which spreadsheets call CSV UTF-8.") from None
        raise Mistake(f"{path} is not a table of comma-separated values in UTF-8 ({error}); save it as one.") from None
    (_, heads), *filled = [row for row in rows[bool(named) :] if any(row[1])] or [(1, list[str]())]
    return _Lines(separator, heads, filled)


def _separator(text: str, columns: Sequence[str]) -> str:
    """Return what the first line divides into most of the columns."""
    first, known = text.lstrip().splitlines()[:1], {*columns, *OPTIONAL, ALSO_SOURCE}

    def found(separator: str) -> int:
        return sum(_plain(head) in known for head in next(csv.reader(first, delimiter=separator), []))

    return max(SEPARATORS, key=found)


def _plain(head: str) -> str:
    """Return a heading as headings are compared: no capitals, underscores for blanks and hyphens, u for micro."""
    plain = unicodedata.normalize("NFKC", head).strip().casefold().replace("\N{GREEK SMALL LETTER MU}", "u")
    return re.sub(r"[\s_-]+", "_", plain)


def _checked_heads(path: Path, columns: Sequence[str], heads: Sequence[str], written: Sequence[str]) -> list[str]:
    """Return the headings with `source` for what it may be called, each of the columns there once."""
    if {"source", ALSO_SOURCE} <= {*heads} and "source" in columns:
        raise Mistake(f"{path} has the columns source and {ALSO_SOURCE}, which mean the same; remove one of them.")
    heads = ["source" if head == ALSO_SOURCE else head for head in heads]
    for column in (*columns, *OPTIONAL):
        if heads.count(column) > 1:
            raise Mistake(f"{path} has the column {column} twice; remove one of them, or call it otherwise.")
    if missing := [column for column in columns if column not in heads]:
        said = f"its first line must name {', '.join(columns)}, and it names {', '.join(written)[:200] or 'nothing'}"
        near = difflib.get_close_matches(missing[0], heads, 1, 0.7)
        hint = f" (is {written[heads.index(near[0])]} meant?)" if near else ""
        raise Mistake(f"{path} lacks the column {missing[0]}{hint}; {said}.")
    for column in OPTIONAL:
        near = [] if column in heads else [each for each in heads if _nearly(each, column)]
        if near:
            said = f"{path} has a column {written[heads.index(near[0])]!r}, which is not read: is {column} meant?"
            raise Mistake(f"{said} Write that, or call it something else.")
    return heads


def _nearly(head: str, column: str) -> bool:
    """Return whether a heading looks like another spelling of a column."""
    squeezed = re.sub(r"\W|_", "", head.replace("/", "per"))
    spellings = [re.sub(r"\W|_", "", each) for each in (column, *NEAR[column])]
    near = [each for each in spellings if squeezed[:1] == each[0]]  # x_um is another thing than px_um
    return bool(difflib.get_close_matches(squeezed, near, 1, LIKENESS))


def _check_length(place: str, row: Sequence[str], heads: Sequence[str], separator: str) -> None:
    """Raise Mistake where a filled cell has no heading but may have been pushed out from under one.

    Left of all headings there may be numbers of rows, as tables written by pandas have them.
    """
    for n, (cell, head) in enumerate(zip_longest(row, heads, fillvalue="")):
        if cell and not head and any(heads[:n]):
            shown = {"\t": "a tab"}.get(separator, repr(separator))
            said = f"the cell {cell!r} stands under no heading ({len(row)} cells, {len(heads)} headings)"
            raise Mistake(f"{place}: {said}; put a cell that holds {shown} in double quotation marks.")


def _with_point(cell: str, separator: str) -> str:
    """Return a number with its decimal comma as a point; 1,234 between tabs may be a thousand, and stays as it is."""
    thousands = separator == "\t" and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", cell)
    return cell if thousands or not re.fullmatch(r"\d*,\d+", cell) else cell.replace(",", ".")


class _Folder:
    """The files of a folder by the names that a list may give them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there = cache(_names)

    def named(self, cell: str, place: str) -> str:
        """Return the name of a file as it stands on the disk, with slashes; one that is not there as it is written.

        Names may differ in how accents are written (macOS divides them from their letters). Capitals may not, though
        some systems do not mind: the same list must mean the same everywhere.
        """
        if not stays_inside(cell):
            return cell
        found, name = PurePosixPath(), PureWindowsPath(cell).as_posix()
        for part in PurePosixPath(name).parts:
            others = self.there(self.folder / found)
            same = {part} & others or _alike(part, others)
            if not same:
                return name
            found /= min(same)
        there = found.as_posix()
        if _composed(there) != _composed(name):
            raise Mistake(f"{place} {name} is not there, but {there} is; write its name with the same capitals.")
        return there


def _names(folder: Path) -> set[str]:
    """Return what lies in a folder; nothing where that cannot be seen."""
    try:
        return {each.name for each in folder.iterdir()}
    except OSError:
        return set()


def _alike(name: str, others: set[str]) -> set[str]:
    """Return those that differ from a name in how accents are written, else those that differ in capitals too."""
    alike = {each for each in others if _composed(each).casefold() == _composed(name).casefold()}
    return {each for each in alike if _composed(each) == _composed(name)} or alike


def _composed(name: str) -> str:
    """Return a name with each accent in one character with its letter."""
    return unicodedata.normalize("NFC", name)
