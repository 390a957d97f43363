import numpy as np
import pytest

from micromime.reporting.figures import panels as figures
from micromime.reporting.figures.figure_3 import CAPTIONS, PATCHES, SEEDS, TILES, Parts, figure_3


def noise(count, side, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8))


@pytest.fixture(scope="module")
def parts():
    return Parts(
        noise(7, 128, 1), noise(12, 17, 2), noise(10, 32, 3), noise(2, 128, 4), noise(3, 128, 5), noise(3, 128, 6)
    )


@pytest.fixture(scope="module")
def page(parts):
    return figure_3(parts, "real")


def corner(page, picture, times):
    """Return (row, col) of a picture in the page, each of its pixels shown as a square of so many."""
    grey = np.repeat(np.repeat(picture, times, axis=0), times, axis=1)
    rows, cols = grey.shape
    first = np.argwhere((page[: -rows + 1, : -cols + 1] == grey[0, 0]).all(axis=-1))
    (found,) = [(int(r), int(c)) for r, c in first if np.array_equal(page[r : r + rows, c : c + cols, 0], grey)]
    return found


def test_every_part_stands_in_its_place_with_whole_pixels(page, parts):
    places = [corner(page, part[0], times) for part, times in zip(parts, (1, 3, 2, 1, 1, 1), strict=True)]
    rows, columns = zip(*places, strict=True)
    assert rows[0] == rows[1] < rows[2] == rows[3] < rows[4] == rows[5]
    assert columns[0] == columns[2] == columns[4] < columns[1] == columns[3] == columns[5]


def test_a_crack_alone_stands_where_its_tile_does_in_the_part_beside(page, parts):
    steps = [
        np.subtract(corner(page, f, 1), corner(page, a, 1)) for a, f in zip(parts.alone, parts.finished, strict=True)
    ]
    assert all(np.array_equal(step, steps[0]) for step in steps)
    assert steps[0][0] == 0


def test_a_line_of_tiles_has_five(page, parts):
    (first, fifth, sixth) = (corner(page, parts.cracks[n], 1) for n in (0, 4, 5))
    assert first[0] == fifth[0] < sixth[0]
    assert first[1] == sixth[1] < fifth[1]


def test_no_more_are_shown_than_there_is_room_for(parts):
    full = Parts(*(list(part) * 30 for part in parts))
    counts = (TILES, PATCHES, SEEDS, TILES, TILES, TILES)
    cut = Parts(*(part[:count] for part, count in zip(full, counts, strict=True)))
    assert np.array_equal(figure_3(full, "real"), figure_3(cut, "real"))


def test_the_captions_say_surrogate_not_real_of_what_is_and_are_else_the_papers(monkeypatch, parts):
    said = []
    paragraph = figures.paragraph
    monkeypatch.setattr(figures, "paragraph", lambda text, *rest: said.append(text) or paragraph(text, *rest))
    for kind in ("real", "surrogate"):
        figure_3(parts, kind)
    assert tuple(said[:6]) == CAPTIONS
    assert [text[:3] for text in said[6:]] == [text[:3] for text in CAPTIONS]
    assert ["surrogate, not real" in text for text in said[6:]] == [True] * 3 + [False] * 3
    assert not any("real cracks" in text for text in said[6:])


def test_parts_without_pictures_are_refused(parts):
    with pytest.raises(ValueError, match="at least one picture of each part"):
        figure_3(parts._replace(seeds=[]), "real")
