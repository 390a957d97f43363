import math

import numpy as np
import pandas as pd
import pytest

from micromime.fitting.cracks.simulation import COURSE, FURTHER_COURSES
from micromime.fitting.cracks.statistics import (
    FITTED,
    MOVED,
    POOLED,
    STATISTICS,
    covariance,
    summary,
    vector,
    with_vector,
)

TABLE = pd.DataFrame(
    {
        "segments": [4, 9],
        "segment_px": [10.0, 40.0],
        "segment_spread": [0.2, 0.6],
        "bend_deg": [8.0, 32.0],
        "bend_spread": [0.4, float("nan")],
        "return_share": [0.25, 1.0],
        "direction_deg": [-10.0, 30.0],
        "width_px": [4.0, 9.0],
        "depth": [0.3, 0.3],
        "depth_spread": [0.1, 0.2],
        "depth_correlation_px": [20.0, 33.0],
        "depth_likeness": [0.5, 0.8],
        "taper_px": [float("nan"), float("nan")],
        "ends": [2, 1],
    }
)
for number, name in enumerate(FURTHER_COURSES):
    TABLE[name] = TABLE[COURSE[number % len(COURSE)]] * (1 + (name.startswith(("segments", "segment_px"))))


def test_centres_and_spreads_are_those_of_logarithms():
    said = summary(TABLE, True)
    assert said.centre["segments"] == pytest.approx(math.log(6))
    assert said.centre["segment_px"] == pytest.approx(math.log(20))
    assert said.centre["segment_px_at_0.5_px"] == pytest.approx(math.log(40))
    assert said.spread["segment_px"] == pytest.approx(math.log(4) / math.sqrt(2))
    assert (said.centre["direction_deg"], said.spread["direction_deg"]) == (10, pytest.approx(40 / math.sqrt(2)))


def test_pooled_values_are_means_in_which_segments_count():
    pooled = summary(TABLE, True).pooled
    assert pooled["segment_spread"] == pytest.approx((4 * 0.2 + 9 * 0.6) / 13)
    assert pooled["bend_spread"] == pytest.approx(0.4)
    assert pooled["taper_px"] == 0  # none was seen


def test_in_frames_segments_are_counted_by_the_ends_that_are_seen():
    said = summary(TABLE, False).centre
    assert said["segments"] == pytest.approx(math.log(13 / 1.5))
    assert said["segments_at_2_px"] == pytest.approx(math.log(26 / 1.5))
    endless = summary(TABLE.assign(ends=0), False).centre
    assert endless["segments"] == pytest.approx(math.log(13 / 0.25))


def test_what_no_crack_shows_has_a_value_nevertheless():
    straight = summary(TABLE.assign(bend_deg=float("nan"), return_share=float("nan")), True)
    assert (straight.centre["bend_deg"], straight.pooled["return_share"]) == (0, 0.5)
    assert np.isfinite(vector(straight, STATISTICS)).all()


def test_statistics_are_logarithms_and_log_odds():
    said = summary(TABLE, True)
    assert len(vector(said, STATISTICS)) == len(MOVED) + 1 + len(FURTHER_COURSES) == 30
    share = (4 * 0.25 + 9 * 1.0) / 13
    assert vector(said, ["width_px", "depth_spread", "return_share", "depth_likeness"]) == pytest.approx(
        [math.log(6), math.log((4 * 0.1 + 9 * 0.2) / 13), math.log(share / (1 - share)), math.atanh(9.2 / 13)]
    )


def test_a_vector_put_back_gives_what_it_was_made_of():
    said = summary(TABLE, True)
    other = with_vector(said, MOVED, vector(said, MOVED) + 0.1)
    assert vector(other, MOVED) == pytest.approx(vector(said, MOVED) + 0.1)
    assert other.centre["direction_deg"] == said.centre["direction_deg"]
    assert other.spread == said.spread
    assert set(other.centre) == set(said.centre)
    assert set(MOVED) | {"direction_deg"} == set(FITTED) | set(POOLED)


@pytest.mark.parametrize("whole", [True, False])
def test_the_covariance_is_that_of_resampled_cracks(whole):
    rng = np.random.default_rng(0)
    many = TABLE.iloc[rng.integers(2, size=300)].reset_index(drop=True)
    for key in (*COURSE, "width_px", "depth_spread", "taper_px", *FURTHER_COURSES):
        many[key] = TABLE.loc[0, key if key != "taper_px" else "width_px"] * np.exp(rng.normal(0, 0.4, len(many)))
    many["return_share"] = many["return_share"].clip(0, 1)
    many["depth"] = many["width_px"] / 100  # they go together
    resampled = [many.iloc[rng.integers(len(many), size=len(many))] for _ in range(400)]
    expected = np.cov(np.array([vector(summary(each, whole), STATISTICS) for each in resampled]).T)
    found = covariance(many, whole)
    assert np.diag(found) == pytest.approx(np.diag(expected), rel=0.25, abs=2e-6)
    width, depth = STATISTICS.index("width_px"), STATISTICS.index("depth")
    assert found[width, depth] == pytest.approx(0.95 * found[width, width], rel=0.01)
    assert np.linalg.eigvalsh(found).min() > 0


@pytest.mark.parametrize("cracks", [TABLE, TABLE.iloc[:1], TABLE.assign(ends=0)])
def test_however_few_cracks_there_are_their_covariance_can_be_inverted(cracks):
    for whole in (True, False):
        assert np.linalg.eigvalsh(covariance(cracks, whole)).min() > 0
