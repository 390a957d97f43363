import numpy as np
import pytest

from micromime.judging.baselines import (
    BASELINES,
    fitted_threshold,
    line_response,
    local_threshold,
    nothing_found,
    otsu,
)


@pytest.fixture
def shaded():
    """A dark vertical line, 3 px wide, where the illumination falls from 220 to 60 from left to right."""
    image = np.repeat(np.linspace(220, 60, 120)[None], 40, axis=0)
    image[:, 29:32] -= 50
    return image.astype(np.uint8)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(9, 13), (64, 40), (3, 120)])
def test_baselines_give_a_mask_of_the_images_shape_and_leave_the_image_alone(name, shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    mask = BASELINES[name](image)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("grey", [0, 77, 255])
def test_an_image_of_one_grey_has_no_boundary(name, grey):
    assert not BASELINES[name](np.full((60, 70), grey, dtype=np.uint8)).any()


def test_nothing_found_finds_nothing(shaded):
    assert not nothing_found(shaded).any()


def test_otsu_takes_the_darker_class():
    image = np.full((20, 30), 200, dtype=np.uint8)
    image[:, 10:12] = 40
    image[5] = 60
    assert np.array_equal(otsu(image), image < 100)


def test_only_the_local_threshold_tells_a_line_from_uneven_light(shaded):
    found = local_threshold(shaded)
    assert found[:, 29:32].all()
    assert not found[:, :27].any()
    assert not found[:, 34:100].any()
    assert otsu(shaded)[:, 60:].all()


def test_one_grey_level_is_too_little_for_the_local_threshold():
    faint = np.full((60, 90), 100, dtype=np.uint8)
    faint[:, 40:44] = 99
    assert not local_threshold(faint).any()


def test_the_local_threshold_passes_over_bright_lines():
    bright = np.full((60, 90), 100, dtype=np.uint8)
    bright[:, 40:43] = 200
    assert not local_threshold(bright)[:, 40:43].any()


def test_a_dark_line_along_the_rows_responds_and_one_across_does_not():
    even = np.full((64, 96), 200, np.uint8)
    along, across = even.copy(), even.copy()
    along[30:33] = 100
    across[:, 40:43] = 100
    assert line_response(even) == pytest.approx(0, abs=1e-9)
    assert line_response(along) > 0.2
    assert line_response(across) < 0.05


def test_the_threshold_lies_in_the_middle_of_the_gap_with_fewest_errors():
    # Sorted: 1 n, 2 n, 3 y, 5 n, 9 y, 10 y. Above 5: one error (3); above 2: one error (5). The wider gap is 5 to 9.
    assert fitted_threshold([1, 2, 3, 5, 9, 10], [False, False, True, False, True, True]) == 7


def test_a_threshold_needs_both_classes():
    with pytest.raises(ValueError, match="values of both"):
        fitted_threshold([1.0, 2.0], [True, True])
