"""Figures: every picture stands in its place, undistorted, and captions say what is not real."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.reporting import figures
from micromime.reporting.figures import (
    COLUMN_PX,
    FIGURE_3,
    LAYOUT,
    MOST_WRONG,
    Parts,
    Shown,
    WrongTile,
    agreement,
    captioned,
    contact_sheet,
    figure_3,
    figure_4,
    fitted,
    grid,
    panel,
    reduced,
    wrong_tiles,
)


def noise(rows, cols, seed):
    return np.random.default_rng(seed).integers(0, 256, (rows, cols), dtype=np.uint8)


def shown(rows, cols, name="a"):
    """Noise; truth in the upper third, prediction in the left half."""
    truth, prediction = np.zeros((2, rows, cols), dtype=bool)
    truth[: rows // 3] = True
    prediction[:, : cols // 2] = True
    return Shown(name, "steel", noise(rows, cols, rows + cols), truth, prediction)


def in_greys(image, times=1):
    return np.repeat(np.kron(image, np.ones((times, times), np.uint8))[..., None], 3, axis=2)


def corner(page, part):
    """Return (row, col) of the one place where a part lies in the page, to the pixel."""
    rows, cols, _ = part.shape
    high, wide = len(page) - rows + 1, page.shape[1] - cols + 1
    alike = [page[:high, col : col + wide, 0] == part[0, col, 0] for col in range(min(4, cols))]
    first = np.argwhere(np.logical_and.reduce(alike))
    (found,) = [(int(r), int(c)) for r, c in first if np.array_equal(page[r : r + rows, c : c + cols], part)]
    return found


@pytest.fixture
def words(monkeypatch):
    """All words that are written on a picture, in order."""
    said, line = [], figures.text_line
    monkeypatch.setattr(figures, "text_line", lambda parts, size: said.extend(t for _, t in parts) or line(parts, size))
    monkeypatch.setattr(figures, "paragraph", lambda text, size, _: figures.text_line([("black", text)], size))
    return said


def test_agreement_colours_found_wrong_and_missed():
    truth = np.array([[True, True, False], [False, False, False]])
    prediction = np.array([[True, False, True], [False, False, False]])
    black, vermilion, sky_blue, white = (34, 34, 34), (213, 94, 0), (86, 180, 233), (255, 255, 255)
    assert agreement(prediction, truth).tolist() == [[[*black], [*sky_blue], [*vermilion]], [[*white]] * 3]


def test_scaling_takes_the_mean_over_areas():
    grey = np.array([[0, 10, 100, 100, 8], [20, 30, 100, 100, 8], [6, 6, 2, 4, 200]], dtype=np.uint8)
    assert reduced(in_greys(grey), 3)[..., 0].tolist() == [[15, 100, 8], [6, 3, 200]]
    colours = in_greys(grey[:2, :4])
    assert fitted(colours, 2)[..., 0].tolist() == [[15, 100]]
    assert np.array_equal(fitted(colours, 4), colours)


@given(rows=st.integers(1, 90), cols=st.integers(1, 90), side=st.integers(1, 90))
def test_scaling_keeps_proportions_and_one_colour(rows, cols, side):
    even = np.full((rows, cols, 3), 77, dtype=np.uint8)
    factor = -(-max(rows, cols) // side)
    small, scaled = reduced(even, side), fitted(even, side)
    assert small.shape == (-(-rows // factor), -(-cols // factor), 3)
    assert scaled.shape == (*(max(round(each * side / max(rows, cols)), 1) for each in (rows, cols)), 3)
    assert (small == 77).all()
    assert (scaled == 77).all()


def test_a_grid_has_lines_of_as_many_and_a_last_one_that_is_filled_as_far_as_there_are_some():
    page = grid([np.full((3, 4, 3), n, dtype=np.uint8) for n in range(5)], 2, gap_px=1)
    assert page.shape == (11, 9, 3)
    assert [page[row, col, 0] for row in (0, 4, 8) for col in (0, 5)] == [0, 1, 2, 3, 4, 255]


def test_captions_stand_below_the_left_edge_of_their_part():
    page = captioned([np.zeros((10, 120, 3), np.uint8), np.zeros((6, 100, 3), np.uint8)], ("(a) one", "(b) two"), 12)
    assert page.shape[1] == 2 * 120 + 56
    letters = np.flatnonzero((page[18:] < 128).any(axis=(0, 2)))
    assert letters[0] < 12
    assert letters[letters >= 120 + 56][0] < 120 + 56 + 12


def test_a_panel_holds_every_picture_undistorted_each_in_its_column():
    pictures = [shown(40, 70), shown(90, 30, "b"), shown(20, 250, "c")]
    page = panel(pictures, "Test set: real pictures")
    (row_a, col_a), (row_b, col_b), (row_c, col_c) = (corner(page, in_greys(each.image)) for each in pictures)
    assert row_a == row_b < row_c
    assert col_a == col_c < col_b
    truths = [corner(page, agreement(each.truth, each.truth)) for each in pictures]
    assert truths[0][1] == truths[2][1]  # columns are padded to one width


def test_a_panel_reduces_large_pictures_by_a_whole_factor():
    large = shown(310, 601)
    page = panel([large], "Test set: real pictures")
    assert corner(page, reduced(in_greys(large.image), 300))
    assert page.shape[1] < 800


def test_the_headline_is_on_the_panel_and_is_broken_into_lines():
    real, surrogate = (panel([shown(40, 70)], f"Test set: {kind}") for kind in ("real pictures", "surrogate"))
    assert real.shape == surrogate.shape
    assert (real != surrogate).any(axis=(1, 2)).nonzero()[0].max() < 60
    longer = panel([shown(40, 70)], "Test set: surrogate, not real (" + "no real set was given, " * 9 + "as said)")
    assert longer.shape[1] == real.shape[1]
    assert longer.shape[0] > real.shape[0]


@pytest.fixture(scope="module")
def examples():
    synthetic = [shown(200, 120), shown(100, 200)]
    return synthetic, [shown(60, 200), shown(200, 150), shown(90, 200)]


def stacked(page, each):
    """Return (row, col) of image, truth and prediction; the masks are looked for below the image only."""
    rows, cols = each.image.shape
    top, left = corner(page, in_greys(each.image))
    below = page[top + rows :, left : left + cols]
    masks = [agreement(mask, each.truth) for mask in (each.truth, each.prediction)]
    places = [next(r for r in range(len(below)) if np.array_equal(below[r : r + rows], mask)) for mask in masks]
    return [(top, left), *((top + rows + row, left) for row in places)]


def test_every_picture_of_figure_4_stands_in_its_part_and_column(examples):
    page = figure_4(*examples, "real")
    places = [stacked(page, each) for group in examples for each in group]
    (rows,) = {tuple(row for row, _ in place) for place in places}  # (a) beside (b), (c) beside (d), (e) beside (f)
    assert list(rows) == sorted(rows)
    steps = np.diff([place[0][1] for place in places])
    assert steps[0] == steps[2] == steps[3] == COLUMN_PX + 2 + 8
    assert steps[1] > 2 * steps[0]  # the synthetic part keeps its third column, empty


def test_figure_4_has_as_many_columns_for_both_kinds_and_five_at_most(examples):
    synthetic, real = examples
    whole = figure_4(synthetic, real, "real")
    assert figure_4(synthetic[:1], real, "real").shape == whole.shape
    assert figure_4(synthetic, real[:2], "real").shape[1] < whole.shape[1]
    assert np.array_equal(figure_4(synthetic, real * 3, "real"), figure_4(synthetic, (real * 3)[:5], "real"))


@pytest.fixture(scope="module")
def parts():
    kinds = ((7, 128), (12, 17), (10, 32), (2, 128), (3, 128), (3, 128))
    return Parts(*([noise(side, side, 100 * n + k) for k in range(count)] for n, (count, side) in enumerate(kinds)))


def test_every_part_of_figure_3_stands_in_its_place_with_whole_pixels(parts):
    page = figure_3(parts, "real")
    scaled = [[in_greys(each, times) for each in part] for part, times in zip(parts, (1, 3, 2, 1, 1, 1), strict=True)]
    rows, columns = zip(*(corner(page, part[0]) for part in scaled), strict=True)
    assert rows[0] == rows[1] < rows[2] == rows[3] < rows[4] == rows[5]
    assert columns[0] == columns[2] == columns[4] < columns[1] == columns[3] == columns[5]
    # A crack alone stands where its tile does in the part beside; a line of tiles has five.
    steps = {tuple(np.subtract(corner(page, f), corner(page, a))) for a, f in zip(*scaled[4:], strict=True)}
    assert [row for row, _ in steps] == [0]
    first, fifth, sixth = (corner(page, scaled[0][n]) for n in (0, 4, 5))
    assert first[0] == fifth[0] < sixth[0]
    assert first[1] == sixth[1] < fifth[1]


def test_figure_3_shows_no_more_than_there_is_room_for(parts):
    full = Parts(*(list(part) * 30 for part in parts))
    cut = Parts(*(part[:count] for part, (_, _, count) in zip(full, LAYOUT, strict=True)))
    assert np.array_equal(figure_3(full, "real"), figure_3(cut, "real"))


def test_captions_say_surrogate_not_real_of_what_is_and_are_else_the_papers(words, parts, examples):
    for kind in ("real", "surrogate"):
        figure_3(parts, kind)
    assert tuple(words[:6]) == FIGURE_3
    assert ["surrogate, not real" in text for text in words[6:]] == [True] * 3 + [False] * 3
    assert not any("real cracks" in text for text in words[6:])
    words.clear()
    for kind in ("real", "surrogate"):
        figure_4(*examples, kind)
    said = [text for text in words if text.startswith("(")]
    assert [text[:3] for text in said] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"] * 2
    assert ["surrogate, not real" in text for text in said[6:]] == [False, True] * 3
    assert not any("real images" in text or "True" in text for text in said[6:])


def test_figures_of_nothing_are_refused(parts, examples):
    for draw, given_ in ((panel, ([],)), (figure_4, ([], examples[1])), (figure_4, (examples[0], []))):
        with pytest.raises(ValueError, match="at least one"):
            draw(*given_, "real")
    with pytest.raises(ValueError, match="at least one picture of each part"):
        figure_3(parts._replace(seeds=[]), "real")


def even(grey):
    return np.full((128, 128), grey, dtype=np.uint8)


def wrong(*probabilities):
    return [WrongTile(even(int(100 * p)), "intact" if p > 0.5 else "crack", p) for p in probabilities]


def test_a_contact_sheet_has_real_tiles_on_the_left_and_synthetic_ones_on_the_right(words):
    sheet = contact_sheet([even(10)] * 24, [even(20)] * 24, "real")
    middle = sheet.shape[1] // 2
    assert (sheet[:, :middle] == 10).all(axis=2).sum() == (sheet[:, middle:] == 20).all(axis=2).sum() == 24 * 128**2
    assert np.array_equal(contact_sheet([even(10)] * 30, [even(20)] * 25, "real"), sheet)
    contact_sheet([even(10)], [even(20)], "surrogate")
    assert words == ["real", "synthetic"] * 2 + ["surrogate, not real", "synthetic"]


def test_the_surest_mistakes_come_first_with_class_and_probability(words):
    page = wrong_tiles({"real model": [], "mixed model": wrong(0.3, 0.99, 0.45)}, "Test set: x")
    tiles_of = words.index("intact")
    assert words[tiles_of : tiles_of + 6] == ["intact", "P = 0.99", "crack", "P = 0.30", "crack", "P = 0.45"]
    assert words.count("none") == 1  # of the model without mistakes
    assert {"real model", "mixed model", "Test set: x"} <= set(words)
    assert 0 <= (page == 30).all(axis=2).sum() - 128**2 < 20  # the edges of letters have every grey


def test_of_too_many_only_the_surest_are_shown_and_that_is_said(words):
    wrong_tiles({"real model": wrong(*np.linspace(0.01, 0.49, MOST_WRONG + 2))}, "Test set")
    assert words.count("crack") == MOST_WRONG
    assert "P = 0.49" not in words
    assert f"real model (those it is surest of: {MOST_WRONG} of {MOST_WRONG + 2})" in words
