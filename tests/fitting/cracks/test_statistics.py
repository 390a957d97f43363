import math

import numpy as np
import pandas as pd
import pytest

from micromime.engines.local import Progress, mapping
from micromime.fitting.cracks import simulation
from micromime.fitting.cracks import statistics as module
from micromime.fitting.cracks.simulation import COURSE, FURTHER_COURSES, Scene, drawn, measured_table, picture, simulate
from micromime.fitting.cracks.statistics import (
    FITTED,
    MOVED,
    POOLED,
    STATISTICS,
    covariance,
    crack_statistics,
    summary,
    vector,
    with_vector,
)
from micromime.mistakes import Mistake
from micromime.partial_models.cracks.crack import Crack
from micromime.scenario.parameters import distributions
from micromime.scenario.partial_model import check_distributions

TRUTH = {
    "segments": {"negative_binomial": {"mean": 19, "size": 8, "low": 3, "high": 60}},
    "segment_px": {"lognormal": {"median": 13, "sigma": 0.25, "low": 5, "high": 40}},
    "segment_spread": 0.5,
    "bend_deg": {"lognormal": {"median": 19, "sigma": 0.2, "low": 8, "high": 50}},
    "bend_spread": 0.5,
    "return_share": 0.7,
    "direction_deg": {"normal": {"mean": 5, "sd": 15, "low": -60, "high": 60}},
    "width_px": {"lognormal": {"median": 6, "sigma": 0.2, "low": 3, "high": 14}},
    "depth": {"normal": {"mean": 0.45, "sd": 0.08, "low": 0.2, "high": 0.8}},
    "depth_spread": 0.2,
    "depth_correlation_px": 30.0,
    "taper_px": 40.0,
}
SHORT = TRUTH | {"segments": {"negative_binomial": {"mean": 7, "size": 8, "low": 4, "high": 12}}}
"""Cracks that are quickly measured."""
LIKE = pd.DataFrame(
    {"drawn_px": [10, 9, 11], "width_px": 6, "grey": [180, 190, 170], "noise": [0.05, 0.04, 0.06], "noise_px": 1.5}
)
FEW = 3
"""Simulated cracks of a round, where nothing has to be found exactly."""


def real(count, *sizes, seed=1, truth=TRUTH):
    return [picture(each) for each in drawn(truth, Scene(LIKE, sizes), count, (seed, 0))]


@pytest.fixture(autouse=True)
def one_round(request, monkeypatch):
    if "slow" not in request.keywords:
        monkeypatch.setattr(module, "GAINS", (1.0,))
        monkeypatch.setattr(module, "PLAIN", 1)


@pytest.fixture
def two_rounds(monkeypatch):
    """One in which each parameter is moved by itself, one in which all are moved together."""
    monkeypatch.setattr(module, "GAINS", (1.0, 1.0))
    monkeypatch.setattr(module, "SENSED", (1,))


def check(found):
    assert list(found.parameters) == list(Crack.model_fields)
    check_distributions(Crack, distributions(found.parameters, "crack"), "crack")


@pytest.mark.usefixtures("two_rounds")
@pytest.mark.parametrize("whole", [True, False])
def test_every_parameter_is_one_that_can_be_drawn(whole):
    sizes = [] if whole else [(128, 128), (96, 160)]
    found = crack_statistics(real(8, *sizes, truth=SHORT), whole, 3, FEW)
    check(found)
    assert found.cracks.columns.tolist() == found.simulated.columns.tolist()
    assert isinstance(found.parameters["segments"], dict if whole else int)
    assert {"segment_px", "width_px"} <= set(found.fits["parameter"])


def mean(law):
    return np.mean([law.at((k + 0.5) / 500) for k in range(500)])


@pytest.mark.parametrize("sizes", [[], [(128, 128), (96, 160)]])
def test_simulated_cracks_are_the_same_whichever_processes_measure_them(monkeypatch, sizes):
    asked = SHORT, Scene(LIKE, sizes), 7, (5, 0)
    plain = measured_table([picture(each) for each in drawn(*asked)])
    monkeypatch.setattr(simulation, "TOGETHER", 2)
    with mapping(2, Progress("measure", "subsets", 1, int)) as mapped:
        pd.testing.assert_frame_equal(simulate(*asked, mapped), plain, check_exact=True)
    pd.testing.assert_frame_equal(simulate(*asked), plain, check_exact=True)


def test_what_measuring_does_to_a_crack_is_corrected(monkeypatch):
    """Here measuring takes cracks to be half as wide again, and half as deep: simulated ones too, which tells of it."""

    def spoilt(image, mask):
        return [each._replace(width_px=1.5 * each.width_px, depth=0.6 * each.depth) for each in measure(image, mask)]

    seen, measure = real(40), simulation.measure_cracks
    monkeypatch.setattr(simulation, "measure_cracks", spoilt)
    monkeypatch.setattr(module, "GAINS", (1.0, 1.0))
    monkeypatch.setattr(module, "PLAIN", 2)
    found = crack_statistics(seen, True, 3, 24)
    assert found.cracks["width_px"].mean() == pytest.approx(9, rel=0.1)
    laws, truth = distributions(found.parameters, "crack"), distributions(TRUTH, "crack")
    for key in ("width_px", "depth"):
        assert mean(laws[key]) == pytest.approx(mean(truth[key]), rel=0.1)
    assert mean(laws["direction_deg"]) == pytest.approx(5, abs=4)


def test_one_crack_gives_one_value_for_each_parameter():
    found = crack_statistics(real(1), True, 3, FEW)
    check(found)
    assert not [key for key, written in found.parameters.items() if isinstance(written, dict)]
    assert found.fits.empty


def test_masks_in_pieces_work():
    broken = [(image, mask.copy()) for image, mask in real(4, truth=SHORT)]
    for _, mask in broken:
        mask[:, ::25] = mask[:, 1::25] = False
    found = crack_statistics(broken, True, 3, FEW)
    check(found)
    assert found.cracks["picture"].nunique() == 4


def test_frames_that_no_crack_ends_in_say_the_most_segments():
    image, mask = real(1, truth=TRUTH | {"direction_deg": 0, "bend_deg": 4, "segments": 30})[0]
    col = int(np.median(np.argwhere(mask)[:, 1]))
    cut = np.s_[:, col - 40 : col + 40]
    found = crack_statistics([(image[cut], mask[cut])], False, 3, FEW)
    assert found.cracks["ends"].sum() == 0
    assert 1 <= found.parameters["segments"] <= 400


def test_directions_near_upright_are_not_averaged_to_lying():
    steep = TRUTH | {"direction_deg": {"normal": {"mean": 90, "sd": 8, "low": 60, "high": 120}}, "return_share": 0.9}
    found = crack_statistics(real(12, truth=steep), True, 3, FEW)
    (law,) = found.parameters["direction_deg"].values()
    assert abs(law["mean"]) == pytest.approx(90, abs=15)


def test_the_same_seed_gives_the_same_and_another_another():
    seen = real(2, truth=SHORT)
    one, same, other = (crack_statistics(seen, True, seed, FEW) for seed in (3, 3, 4))
    assert one.parameters == same.parameters
    pd.testing.assert_frame_equal(one.simulated, same.simulated)
    assert one.parameters != other.parameters


def test_no_cracks_are_a_mistake():
    empty = (np.full((60, 90), 120, dtype=np.uint8), np.zeros((60, 90), dtype=bool))
    with pytest.raises(Mistake, match="No crack of 20 px or more is marked in these pictures; give some"):
        crack_statistics([empty], True, 3, FEW)


def test_simulated_cracks_are_framed_whole_or_as_large_as_told():
    assert (simulate(TRUTH, Scene(LIKE, []), 8, (5, 0))["ends"] == 2).all()
    assert {image.shape for image, _ in real(4, (64, 100), (70, 50))} == {(64, 100), (70, 50)}
    assert measured_table(real(8, (128, 128)))["ends"].mean() < 1.5


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
    resampled = [many.iloc[rng.integers(len(many), size=len(many))] for _ in range(120)]
    expected = np.cov(np.array([vector(summary(each, whole), STATISTICS) for each in resampled]).T)
    found = covariance(many, whole)
    assert np.diag(found) == pytest.approx(np.diag(expected), rel=0.4, abs=2e-6)
    width, depth = STATISTICS.index("width_px"), STATISTICS.index("depth")
    assert found[width, depth] == pytest.approx(0.95 * found[width, width], rel=0.01)
    assert np.linalg.eigvalsh(found).min() > 0


@pytest.mark.parametrize("cracks", [TABLE, TABLE.iloc[:1], TABLE.assign(ends=0)])
def test_however_few_cracks_there_are_their_covariance_can_be_inverted(cracks):
    for whole in (True, False):
        assert np.linalg.eigvalsh(covariance(cracks, whole)).min() > 0


@pytest.mark.slow
def test_known_parameters_are_found_again():
    found = crack_statistics(real(6000), True, 3, 400).parameters
    laws, truth = distributions(found, "crack"), distributions(TRUTH, "crack")

    wrong = {key: mean(laws[key]) / mean(truth[key]) - 1 for key in TRUTH if key != "direction_deg"}
    within = dict.fromkeys(wrong, 0.05) | {"segments": 0.1}
    assert {key: error for key, error in wrong.items() if abs(error) > within[key]} == {}
    directions = [laws["direction_deg"].at((k + 0.5) / 500) for k in range(500)]
    assert np.mean(directions) == pytest.approx(5, abs=2)
    assert np.std(directions) == pytest.approx(15, rel=0.15)
