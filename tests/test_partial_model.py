import pytest
from pydantic import Field, ValidationError

from micromime.distributions import distribution
from micromime.mistakes import Mistake
from micromime.partial_model import PartialModel, check_distributions, draw


class Rust(PartialModel):
    spots: int = Field(ge=0, le=9, description="Number of spots.")
    depth_px: float = Field(1.0, gt=0, le=5, description="Depth, px.")


def laws(**written):
    return {key: distribution(each) for key, each in written.items()}


def test_draw_fills_defaults_and_follows_the_seed():
    given = laws(spots={"integers": [0, 9]})
    drawn = [draw(Rust, given, "rust", seed) for seed in range(40)]
    assert {each.depth_px for each in drawn} == {1.0}
    assert {each.spots for each in drawn} == set(range(10))
    assert drawn[0] == draw(Rust, given, "rust", 0)


def test_one_more_parameter_changes_no_other():
    spots = {"integers": [0, 9]}
    alone = [draw(Rust, laws(spots=spots), "rust", seed).spots for seed in range(9)]
    both = [draw(Rust, laws(depth_px={"uniform": [1, 2]}, spots=spots), "rust", seed).spots for seed in range(9)]
    assert alone == both


def test_values_are_fixed():
    with pytest.raises(ValidationError):
        Rust(spots=1).spots = 2


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"depth_px": 1}, r"x\.rust\.spots is missing: Number of spots"),
        ({"spots": 1, "spot": 2}, r"x\.rust\.spot is not a known key; the keys here are: spots, depth_px"),
        ({"spots": {"integers": [0, 10]}}, r"x\.rust\.spots: 10 is not allowed; .*9 \(Number of spots\)"),
        ({"spots": {"uniform": [0.5, 3]}}, r"x\.rust\.spots: 0\.5 is not allowed; .*integer"),
        ({"spots": 1, "depth_px": {"choice": [1, 2, 7]}}, r"x\.rust\.depth_px: 7 is not allowed"),
        ({"spots": "many"}, r"x\.rust\.spots: 'many' is not allowed"),
    ],
    ids=str,
)
def test_what_a_distribution_could_give_is_checked_beforehand(written, said):
    with pytest.raises(Mistake, match=said):
        check_distributions(Rust, laws(**written), "x.rust")
