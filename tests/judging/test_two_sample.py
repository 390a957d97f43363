import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from micromime.judging.two_sample import features, two_sample


def noise(count: int, seed: int, blur: float = 0.0) -> np.ndarray:
    grey = np.random.default_rng(seed).standard_normal((count, 40, 48))
    grey = gaussian_filter(grey, (0, blur, blur)) if blur else grey
    return np.clip(128 + 20 * grey / grey.std(), 0, 255).astype(np.uint8)


def test_pictures_of_one_kind_are_not_told_apart():
    found = two_sample((noise(60, 0), noise(60, 1)), (noise(100, 2), noise(100, 3)))
    assert 0.35 < found["accuracy"] < 0.65
    assert found["lo"] < found["accuracy"] < found["hi"]
    assert (found["n_real"], found["n_synthetic"]) == (100, 100)


def test_smoothed_pictures_are_told_from_sharp_ones():
    found = two_sample((noise(30, 0), noise(30, 1, 1.0)), (noise(20, 2), noise(30, 3, 1.0)))
    assert found["accuracy"] == 1
    assert (found["real_taken_for_synthetic"], found["synthetic_taken_for_real"]) == (0, 0)


def test_a_larger_class_does_not_make_a_guess_look_good():
    # Nine synthetic pictures to one real: always saying "synthetic" would be right nine times of ten.
    found = two_sample((noise(30, 0), noise(270, 1)), (noise(30, 2), noise(270, 3)))
    assert found["accuracy"] < 0.65


def test_brightness_is_no_feature():
    grey = noise(5, 0)
    assert np.allclose(features(grey // 2 + 20), features(grey // 2 + 60))


def test_features_know_rows_from_columns():
    striped = np.zeros((1, 32, 48), np.uint8)
    striped[:, ::2] = 100
    turned = np.ascontiguousarray(striped.transpose(0, 2, 1))
    assert not np.allclose(features(striped), features(turned))
    assert np.isfinite(features(np.zeros((1, 32, 48), np.uint8))).all()


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="needs real and synthetic pictures"):
        two_sample((noise(3, 0)[:0], noise(3, 1)), (noise(3, 2), noise(3, 3)))
