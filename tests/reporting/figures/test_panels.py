import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from micromime.reporting.figures.panels import Shown, agreement, captioned, fitted, grid, panel, reduced, write_panel


def shown(rows, cols, name="a"):
    image = np.random.default_rng(rows).integers(0, 200, (rows, cols), dtype=np.uint8)
    truth = np.zeros((rows, cols), dtype=bool)
    truth[rows // 2] = True
    return Shown(name, "steel", image, truth, np.roll(truth, 1, axis=0))


def corners(page, part):
    """Return where the part lies in the page, to the pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(page, part.shape)[:, :, 0]
    first = np.argwhere((windows[..., 0, 0, :] == part[0, 0]).all(axis=-1))
    return [tuple(at) for at in first if np.array_equal(windows[tuple(at)], part)]


def test_agreement_colours_found_wrong_and_missed():
    truth = np.array([[True, True, False], [False, False, False]])
    prediction = np.array([[True, False, True], [False, False, False]])
    black, vermilion, sky_blue, white = (34, 34, 34), (213, 94, 0), (86, 180, 233), (255, 255, 255)
    assert agreement(prediction, truth).tolist() == [[[*black], [*sky_blue], [*vermilion]], [[*white]] * 3]


def test_reduced_takes_the_mean_over_squares():
    grey = np.array([[0, 10, 100, 100, 8], [20, 30, 100, 100, 8], [6, 6, 2, 4, 200]], dtype=np.uint8)
    small = reduced(np.repeat(grey[..., None], 3, axis=2), largest_px=3)
    assert small[..., 0].tolist() == [[15, 100, 8], [6, 3, 200]]


@given(rows=st.integers(1, 90), cols=st.integers(1, 90), largest=st.integers(1, 90))
def test_reduced_keeps_proportions_and_one_colour(rows, cols, largest):
    small = reduced(np.full((rows, cols, 3), 77, dtype=np.uint8), largest)
    factor = -(-max(rows, cols) // largest)
    assert small.shape == (-(-rows // factor), -(-cols // factor), 3)
    assert (small == 77).all()


@pytest.mark.parametrize(
    ("rows", "cols", "shape"), [(400, 300, (200, 150)), (300, 512, (117, 200)), (20, 50, (80, 200))]
)
def test_fitted_keeps_proportions(rows, cols, shape):
    assert fitted(np.zeros((rows, cols, 3), dtype=np.uint8), 200).shape == (*shape, 3)


def test_fitted_takes_the_mean_over_areas_and_leaves_what_fits():
    grey = np.array([[0, 10, 100, 100], [20, 30, 100, 100]], dtype=np.uint8)
    colours = np.repeat(grey[..., None], 3, axis=2)
    assert fitted(colours, 2)[..., 0].tolist() == [[15, 100]]
    assert np.array_equal(fitted(colours, 4), colours)


def test_a_grid_has_lines_of_as_many_and_a_last_one_that_is_filled_as_far_as_there_are_some():
    pictures = [np.full((3, 4, 3), n, dtype=np.uint8) for n in range(5)]
    page = grid(pictures, 2, gap_px=1)
    assert page.shape == (11, 9, 3)
    assert [page[row, col, 0] for row in (0, 4, 8) for col in (0, 5)] == [0, 1, 2, 3, 4, 255]


def test_captions_stand_below_the_left_edge_of_their_part():
    parts = [np.zeros((10, 120, 3), dtype=np.uint8), np.zeros((6, 100, 3), dtype=np.uint8)]
    page = captioned(parts, ("(a) one", "(b) two"), 12)
    assert page.shape[1] == 2 * 120 + 56
    letters = np.flatnonzero((page[18:] < 128).any(axis=(0, 2)))
    second = letters[letters >= 120 + 56]
    assert letters[0] < 12
    assert second[0] < 120 + 56 + 12


def test_a_panel_holds_every_picture_undistorted_each_in_its_column():
    pictures = [shown(40, 70), shown(90, 30, "b"), shown(20, 20, "c")]
    page = panel(pictures, "Test set: real pictures")
    places = [corners(page, np.repeat(each.image[..., None], 3, axis=2)) for each in pictures]
    assert [len(found) for found in places] == [1, 1, 1]
    (row_a, col_a), (row_b, col_b), (row_c, col_c) = (found[0] for found in places)
    assert row_a == row_b < row_c
    assert col_a == col_c < col_b


def test_the_columns_of_a_panel_are_padded_to_one_width():
    page = panel([shown(40, 70), shown(30, 30, "b"), shown(20, 250, "c")], "Test set: real pictures")
    inked = [
        corners(page, agreement(each.truth, each.truth)[each.truth][None]) for each in (shown(40, 70), shown(20, 250))
    ]
    assert inked[0][0][1] == inked[1][0][1]


def test_a_panel_reduces_large_pictures_by_a_whole_factor():
    large = shown(310, 601)
    page = panel([large], "Test set: real pictures")
    assert len(corners(page, reduced(np.repeat(large.image[..., None], 3, axis=2), 300))) == 1
    assert page.shape[1] < 800


def test_the_headline_is_on_the_panel_and_is_broken_into_lines():
    pictures = [shown(40, 70)]
    real, surrogate = (panel(pictures, f"Test set: {kind}") for kind in ("real pictures", "surrogate"))
    assert real.shape == surrogate.shape
    assert (real != surrogate).any(axis=(1, 2)).nonzero()[0].max() < 60
    longer = panel(pictures, "Test set: surrogate, not real (" + "no real set was given, " * 9 + "as said)")
    assert longer.shape[1] == real.shape[1]
    assert longer.shape[0] > real.shape[0]


def test_a_written_panel_is_the_panel_and_the_same_bytes_each_time(tmp_path):
    pictures = [shown(40, 70), shown(30, 30)]
    for name in ("one.png", "two.png"):
        write_panel(tmp_path / name, pictures, "Test set: real pictures")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), panel(pictures, "Test set: real pictures"))


def test_a_panel_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        panel([], "Test set: real pictures")
