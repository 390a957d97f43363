import numpy as np
import pytest
from scipy.ndimage import label

from micromime.partial_models.surface.inclusions import LARGEST_RADIUS_PX, Inclusions, spots
from micromime.scenario.streams import stream

ONE = 10_000 / (108 * 128)
"""Density at which (60, 80) and the plane about it, 24 px wider all around, have one spot on average."""


def test_their_number_is_poissons():
    model = Inclusions(per_10000_px=4, radius_px=0.8, radius_spread=0)
    counts = np.array([label(spots(model, 100, 120, stream(seed, "x")), np.ones((3, 3)))[1] for seed in range(400)])
    # Seen 1 px further out on all sides: 102 x 122 px.
    assert counts.mean() == pytest.approx(4 * 1.0 * 1.22 * 1.02, rel=0.06)
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("radius_px", [2, 5, 8])
def test_a_spot_has_the_area_of_its_ellipse(middle, radius_px):
    taken = spots(Inclusions(per_10000_px=ONE, radius_px=radius_px, darkness=0.5), 60, 80, middle())
    # In the middle of all laws it takes 0.7 of the darkness, and is 1.3 times longer along the row than across.
    assert taken.max() == pytest.approx(0.35)
    assert taken.sum() / 0.35 == pytest.approx(np.pi * 1.3 * radius_px**2, rel=0.03)
    assert (taken[30] == taken.max()).sum() == pytest.approx(1.3 * (2 * radius_px - 1), abs=1)
    assert (taken[:, 40] == taken.max()).sum() == pytest.approx(2 * radius_px - 1, abs=1)


def test_radii_are_log_normal_and_end(middle):
    def radius(spread, normal):
        model = Inclusions(per_10000_px=ONE, radius_px=4, radius_spread=spread, darkness=1)
        return np.sqrt(spots(model, 60, 80, middle(normal)).sum() / 0.7 / 1.3 / np.pi)

    assert radius(0.5, 1.0) == pytest.approx(4 * np.exp(0.5), rel=0.03)
    assert radius(0.5, -1.0) == pytest.approx(4 * np.exp(-0.5), rel=0.03)
    assert radius(1.0, 9.0) == pytest.approx(LARGEST_RADIUS_PX, rel=0.03)


@pytest.mark.parametrize(("radius_px", "middle_keeps"), [(8, 0.25), (3, 1)])
def test_large_spots_are_hollow(middle, radius_px, middle_keeps):
    taken = spots(Inclusions(per_10000_px=ONE, radius_px=radius_px, darkness=1, hollow=0.75), 60, 80, middle())
    assert taken[30, 40] == pytest.approx(0.7 * middle_keeps)
    assert taken.max() == pytest.approx(0.7)


def test_the_frame_cannot_be_seen():
    model = Inclusions(per_10000_px=20, radius_px=4, radius_spread=0.5)
    mean = np.mean([spots(model, 50, 70, stream(seed, "x")) for seed in range(300)], axis=0)
    rim = np.concatenate([mean[0], mean[-1], mean[:, 0], mean[:, -1]])
    assert rim.mean() == pytest.approx(mean[12:-12, 12:-12].mean(), rel=0.1)
