import numpy as np
import pandas as pd
import pytest

from micromime.reporting.failures import SCORE, goodness, in_common, parameters, percentile, score_title, worst


@pytest.fixture
def scoring():
    """Twenty samples: the thinner the lines the lower the score; darkness says nothing; two columns say nothing new."""
    thickness = np.arange(20) / 4
    return pd.DataFrame(
        {
            "id": [f"{n:06d}" for n in range(20)],
            "seed": range(20),
            "lines.darkness": np.tile([0.2, 0.8, 0.8, 0.2], 5),
            "lines.thickness_px": thickness,
            "lines.points": 3,
            "lines.form": ["bent", "straight"] * 10,
            SCORE: 0.5 + thickness / 20,
            "score.mean_iou.run-001": 0.5,
        }
    )


def test_parameters_are_the_numbers_that_differ(scoring):
    assert parameters(scoring) == ["lines.darkness", "lines.thickness_px"]


@pytest.mark.parametrize(("count", "lowest"), [(20, [0, 1]), (11, [0, 1]), (10, [0]), (1, [0])])
def test_the_worst_are_a_tenth_rounded_up(scoring, count, lowest):
    assert np.flatnonzero(worst(scoring.head(count))).tolist() == lowest


def test_the_worst_are_found_by_score_wherever_they_stand(scoring):
    assert np.flatnonzero(worst(scoring[::-1])).tolist() == [18, 19]
    assert np.flatnonzero(worst(scoring.assign(**{SCORE: 0.5}))).tolist() == [0, 1]


def test_of_an_error_the_good_have_most_of_the_rest():
    values = pd.Series([0.0, 0.25, 1.0])
    assert goodness(values, "pixel_error").tolist() == [1.0, 0.75, 0.0]
    assert goodness(values, "boundary_f1").tolist() == values.tolist()
    assert [score_title(each) for each in ("pixel_error", "boundary_f1")] == ["pixel accuracy", "boundary F1"]


def test_a_percentile_counts_equal_values_half(scoring):
    assert percentile(scoring, "lines.thickness_px", 0.0) == 2.5
    assert percentile(scoring, "lines.thickness_px", 4.75) == 97.5
    assert percentile(scoring, "lines.darkness", 0.2) == 25
    assert percentile(scoring, "lines.darkness", 0.5) == 50


@pytest.mark.parametrize("name", ["lines.points", "lines.form", "lines.unknown"])
def test_there_is_no_percentile_where_it_says_nothing(scoring, name):
    assert percentile(scoring, name, 3) is None


def test_what_the_worst_have_in_common_comes_first(scoring):
    table = in_common(scoring).set_index("parameter")
    assert list(table.index) == ["lines.thickness_px", "lines.darkness"]
    assert table.loc["lines.thickness_px"].to_dict() == {
        "rank_correlation": pytest.approx(1),
        "median": 2.375,
        "worst_median": 0.125,
        "worst_percentile": pytest.approx((2.5 + 7.5) / 2),
    }
    assert table.loc["lines.darkness", "worst_percentile"] == pytest.approx(50)
    assert table.loc["lines.darkness", "rank_correlation"] == pytest.approx(0, abs=1e-9)


def test_samples_that_are_all_alike_have_nothing_to_tell(scoring):
    assert in_common(scoring.head(1)).empty
    assert in_common(scoring.assign(**{SCORE: 0.5}))["rank_correlation"].isna().all()
