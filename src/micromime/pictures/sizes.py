"""How large a picture may be that networks see whole: on every machine the same, so that a test set is good on all."""

import math
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from micromime.mistakes import Mistake
from micromime.pictures.files import DAMAGED, Rows, header_px
from micromime.pictures.lists import table_lines
from micromime.pictures.micrographs import COLUMNS, LIST_NAME, page_in, rows_in

LARGEST_WHOLE_PX = 12 * 2**20
"""A U-Net of EfficientNet-Lite0 takes 5 GiB for so many (`BYTES_PER_PX`); cameras' 4000 x 3000 px are fewer."""


def largest(files: Mapping[str, Path]) -> tuple[str, int]:
    """Return the name of the largest picture among files, and its pixels, by headers alone; 0 where there is none.

    Of pictures that a list among the files names, the pages and rows count that it says.
    """
    parts, sizes = _parts(files[LIST_NAME]) if LIST_NAME in files else {}, {}
    for name, file in files.items():
        with suppress(*DAMAGED):  # others, such as the list
            sizes[name] = max(header_px(file, *part) for part in parts.get(name, [(0, None)]))
    return max(sizes.items(), key=lambda each: each[1], default=("", 0))


def _parts(path: Path) -> dict[str, list[tuple[int, Rows | None]]]:
    """Return which pages and rows are read of each image and mask that a list names, which may have been moved."""
    parts = defaultdict[str, list[tuple[int, Rows | None]]](list)
    with suppress(Mistake):  # said where the pictures are read
        for line, cells in table_lines(path, COLUMNS):
            for column in ("image", "mask"):
                place = f"{path} line {line}"
                parts[cells[column]].append((page_in(cells["page"], place), rows_in(cells["rows"], place)))
    return dict(parts)


def check_seen_whole(files: Mapping[str, Path]) -> None:
    """Raise Mistake where a picture among files is too large for networks to see it whole."""
    check_px(*largest(files), "cut it and its mask into smaller ones, of the same source")


def check_px(picture: str, px: int, instead: str) -> None:
    """Raise Mistake where a picture of so many pixels is too large; `instead` says what to do."""
    if px > LARGEST_WHOLE_PX:
        most = LARGEST_WHOLE_PX // 2**20
        raise Mistake(
            f"{picture} has {millions(px)}, and networks see pictures whole, up to {most} million; {instead}."
        )


def millions(px: int) -> str:
    """Return a number of pixels in words, rounded up, so that one that is too large also looks so."""
    return f"{math.ceil(px / 2**20 * 10) / 10:.1f} million (2^20) pixels"
