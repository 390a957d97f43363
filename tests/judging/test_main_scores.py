"""The numbers that DVC compares: few, and those of the verdict."""

import json

import pandas as pd
import pytest

from micromime.judging.main_scores import main_numbers, main_of, write_numbers
from micromime.judging.verdict import verdict

REAL = {"kind": "real", "name": "grain_boundaries", "reason": None}
PAIRS = [("random", "base"), ("adaptive", "base"), ("adaptive", "random")]


def count(numbers):
    return sum(count(each) if isinstance(each, dict) else 1 for each in numbers.values())


def said_of(arms, pairs=None, **more):
    """The verdict on two pictures; of each arm the mean IoU of both pictures, run by run."""
    rest = {"boundary_f1": 0.5, "matched_grains": 0.25}
    pictures = [{"picture": "a", "source": "steel"}, {"picture": "b", "source": "iron"}]
    scores = [
        {"arm": arm, "run": run, **picture, "mean_iou": score, **rest}
        for arm, runs in arms.items()
        for run, score in enumerate(runs, 1)
        for picture in pictures
    ]
    rules = [{"baseline": "local_threshold", **picture, "mean_iou": 0.4, **rest} for picture in pictures]
    return verdict(REAL, pd.DataFrame(scores), pd.DataFrame(rules), pairs=pairs) | {"main_comparison": []} | more


def test_the_numbers_of_three_arms_by_hand(tmp_path):
    said = said_of(
        {"base": [0.5, 0.6], "random": [0.6, 0.7], "adaptive": [0.7, 0.9]},
        PAIRS,
        main_comparison=["adaptive", "random"],
    )
    rest = {"boundary_f1": 0.5, "matched_grains": 0.25}
    # Differences of adaptive and random 0.1 and 0.2: t = 3 with 1 degree of freedom, p = 0.2048; random and base always
    # differ by 0.1, which is no test, and adaptive and base by 0.2 and 0.3: t = 5, p = 0.1257, doubled for two tests.
    expected = {
        "base": {"mean_iou": 0.55, **rest},
        "random": {"mean_iou": 0.65, **rest},
        "adaptive": {"mean_iou": 0.8, **rest},
        "baseline": {"mean_iou": 0.4},
        "difference": 0.15,
        "p_value": pytest.approx(0.2513, abs=1e-4),
    }
    assert main_numbers(said) == expected
    assert list(main_numbers(said)) == list(expected)
    write_numbers(tmp_path / "numbers.json", said)
    assert json.loads((tmp_path / "numbers.json").read_text()) == main_numbers(said)


def test_one_arm_has_no_difference():
    assert [*main_numbers(said_of({"base": [0.5, 0.6]}, []))] == ["base", "baseline"]


def test_where_there_is_no_test_there_is_no_p_value():
    arms = {"base": [0.5, 0.6], "adaptive": [0.6, 0.7]}
    numbers = main_numbers(said_of(arms, [("adaptive", "base")], main_comparison=["adaptive", "base"]))
    assert [*numbers] == ["base", "adaptive", "baseline", "difference"]
    assert numbers["difference"] == 0.1


def test_the_main_comparison_comes_first_however_many_rounds_there_are():
    arms = {"base": [0.5, 0.6]} | {f"{kind}_{n}": [0.6, 0.65] for n in range(9) for kind in ("random", "adaptive")}
    said = said_of(arms, [("adaptive_8", "random_8")], main_comparison=["adaptive_8", "random_8"])
    assert main_of(said).arms == ["base", "random_8", "adaptive_8"]
    assert count(main_numbers(said)) <= 12


def test_of_tiles_the_fewest_training_tiles_count(tile_verdict):
    said = tile_verdict(runs=3)
    # One, two and three tiles of ten wrong; of these models all runs differ by the same, so that there is no test.
    expected = {"synthetic": 0.4, "real": 0.3, "longer": 0.3, "mixed": 0.2, "baseline": 0.5}
    numbers = main_numbers(said)
    assert {name: each["error_rate"] for name, each in numbers.items() if name != "difference"} == expected
    assert numbers["difference"] == -0.1


@pytest.mark.parametrize("use_case", ["grain_boundaries", "chip_cracks"])
@pytest.mark.parametrize("profile", ["demo", "evidence"])
def test_the_numbers_in_git_are_at_most_twelve_and_those_of_the_verdict_beside_them(project, profile, use_case):
    file = project / "metrics" / profile / f"{use_case}.json"
    numbers = json.loads(file.read_text())
    assert numbers == main_numbers(json.loads((file.with_suffix("") / "verdict.json").read_text()))
    assert count(numbers) <= 12
