import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.surface.scratches import Scratches, scratches
from micromime.scenario.streams import stream


def density_of_one(length_px=120.0):
    """Density at which (60, 80), and what lies within the longest half of a scratch around, have one on average."""
    return 100_000 / ((60 + length_px * np.e) * (80 + length_px * np.e))


def lone(middle, direction_deg=0.0, **values):
    """One scratch about row 30, column 40, of the median length and width and of depth 10 but for `values`."""
    density = density_of_one(values["length_px"])
    model = Scratches(per_100000_px=density, direction_deg=direction_deg, direction_spread_deg=0, **values)
    return scratches(model, 60, 80, middle(0, 0, 0, 10 / model.depth_grey))


def profile(away, place, width_px, length_px):
    """By definition: a Gaussian across, up to three sigma, which fades out towards both ends."""
    sigma, half = width_px / 2, length_px / 2
    there = (np.abs(away) < 3 * sigma) & (np.abs(place) < half)
    return np.where(there, 10 * np.exp(-(away**2) / (2 * sigma**2)) * (1 - (place / half) ** 2), 0)


def test_a_scratch_along_a_row(middle):
    added = lone(middle, width_px=2, length_px=40)
    # sigma is 1 px, half of the length 20 px; it fades as 1 - (place / 20)^2.
    assert added[30, [20, 30, 40, 50, 60]].tolist() == pytest.approx([0, 7.5, 10, 7.5, 0])
    assert added[27:34, 40].tolist() == pytest.approx([0, 1.35335, 6.06531, 10, 6.06531, 1.35335, 0], rel=1e-5)
    assert not added[[27, 33]].any()


@given(st.floats(0, 180), st.floats(0.5, 6), st.floats(8, 300))
def test_a_scratch_in_any_direction(middle, direction_deg, width_px, length_px):
    rows, cols = np.mgrid[:60, :80]
    angle = np.deg2rad(direction_deg)
    place = (rows - 30) * np.sin(angle) + (cols - 40) * np.cos(angle)
    away = (cols - 40) * np.sin(angle) - (rows - 30) * np.cos(angle)
    # One pixel more or less at 3 sigma, where 0.1 is left, is rounding.
    added = lone(middle, direction_deg, width_px=width_px, length_px=length_px)
    assert np.allclose(added, profile(away, place, width_px, length_px), atol=0.12)
    assert np.isclose(added, profile(away, place, width_px, length_px), atol=1e-4).mean() > 0.98


def test_lengths_and_widths_are_log_normal(middle):
    model = Scratches(per_100000_px=density_of_one(20), direction_spread_deg=0, length_px=20, width_px=2, depth_grey=10)
    added = scratches(model, 60, 80, middle(1.0))
    # One sigma above all medians: half of the length is 10 e^0.5 = 16.49, sigma across e^0.3 = 1.35.
    assert np.flatnonzero(added[30]).tolist() == [*range(24, 57)]
    assert added[31, 40] == pytest.approx(10 * np.exp(-1 / (2 * np.exp(0.6))))


def test_scratches_that_cross_add_up():
    model = Scratches(per_100000_px=100, length_px=1000, direction_spread_deg=90, depth_grey=20)
    added = scratches(model, 200, 300, stream(1, "x"))
    assert np.abs(added).max() > 2 * np.abs(added[added != 0]).mean()
    assert added.min() < 0 < added.max()


def test_the_spread_is_that_of_the_direction():
    def unlike(spread):
        model = Scratches(per_100000_px=60, direction_spread_deg=spread, width_px=4, length_px=200)
        changes = [np.gradient(scratches(model, 200, 260, stream(seed, "x"))) for seed in range(12)]
        down, across = ((np.array(each) ** 2).mean() for each in zip(*changes, strict=True))
        return across / down

    assert unlike(0) < 0.01
    # The mean of sin^2 over that of cos^2, for normal angles of sd s: (1 - e^(-2 s^2)) / (1 + e^(-2 s^2)).
    assert unlike(20) == pytest.approx(np.tanh(np.deg2rad(20) ** 2), rel=0.3)
    assert unlike(90) > 0.6


def test_their_number_grows_with_the_picture_and_the_depth_is_an_sd():
    model = Scratches(per_100000_px=20, direction_spread_deg=0, length_px=30, width_px=2, depth_grey=10)
    energy = [
        np.mean([(scratches(model, *size, stream(n, "x")) ** 2).sum() for n in range(150)])
        for size in ((150, 200), (300, 200))
    ]
    assert energy[1] / energy[0] == pytest.approx(2, rel=0.2)
    # One has depth^2 x sigma sqrt(pi) E[sigma factor] x 16 / 15 half E[half factor].
    whole = 20 * 0.6 * 100 * np.sqrt(np.pi) * np.exp(0.045) * 16 / 15 * 15 * np.exp(0.125)
    assert energy[1] == pytest.approx(whole, rel=0.15)


def test_scratches_are_as_frequent_at_the_frame_as_in_the_middle():
    model = Scratches(per_100000_px=20, direction_spread_deg=90, length_px=100, width_px=2, depth_grey=10)
    energy = np.mean([scratches(model, 200, 200, stream(n, "x")) ** 2 for n in range(600)], axis=0)
    inner = energy[60:-60, 60:-60].mean()
    frame = [energy[:20].mean(), energy[-20:].mean(), energy[:, :20].mean(), energy[:, -20:].mean()]
    assert frame == pytest.approx([inner] * 4, rel=0.2)
