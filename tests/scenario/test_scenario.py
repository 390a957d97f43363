import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import LARGEST_SEED, stream
from micromime.use_cases import instance_kind, use_cases

GRAINS = instance_kind("grain_boundaries")


@pytest.fixture(scope="module")
def paper(project):
    """The scenario of params.yaml without its styles: as in the paper."""
    content = read_tree(project / "params.yaml")["grain_boundaries"]["scenario"]
    return Scenario.read(GRAINS, content | {"rows": 72, "cols": 96, "styles": {}}, "scenario")


def test_every_file_of_scenarios_is_a_use_case():
    assert "grain_boundaries" in use_cases()
    assert all(instance_kind(name).partial_models() for name in use_cases())


def test_an_instance_does_not_depend_on_those_before_it(grains):
    in_order = [grains.draw_one(0, index) for index in range(5)]
    assert [grains.draw_one(0, index) for index in (4, 2, 0, 1, 3)] == [in_order[n] for n in (4, 2, 0, 1, 3)]
    assert len({each.seed for each in in_order}) == 5
    assert grains.draw(stream(0, "instance", 3)) == in_order[3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 0}, r"s\.rows is 0; give the image's side as a whole number of pixels"),
        ({"cols": True}, r"s\.cols is True"),
        ({"rows": None}, r"s\.rows is None"),
        ({"rust": {}}, r"s\.rust is not a known key; the keys here are: rows, cols, grain_structure"),
        ({"white_noise": 5}, r"s\.white_noise is 5; give its parameters as keys"),
        ({"white_noise": {"sd_grey": {"uniform": [0, 61]}}}, r"s\.white_noise\.sd_grey: 61"),
        ({"grain_structure": {}}, r"s\.grain_structure\.diameter_px is missing"),
    ],
    ids=str,
)
def test_wrong_scenarios_say_what_is_wrong(change, said):
    content = {
        "rows": 64,
        "cols": 64,
        "grain_structure": {"diameter_px": 30},
        "grain_boundaries": {"thickness_px": 3, "darkness": 0.5},
        "grain_shades": {"mean_grey": 150, "contrast_grey": 20},
    }
    Scenario.read(GRAINS, content, "s")
    with pytest.raises(Mistake, match=said):
        Scenario.read(GRAINS, content | change, "s")


def test_partial_models_left_out_are_off():
    content = {"rows": 48, "cols": 40, "grain_structure": {"diameter_px": 20}}
    content |= {
        "grain_boundaries": {"thickness_px": 1, "darkness": 0},
        "grain_shades": {"mean_grey": 99, "contrast_grey": 0},
    }
    image = Scenario.read(GRAINS, content, "s").draw_one(0, 0).render().image
    assert np.array_equal(image, np.full((48, 40), 99))


def test_each_partial_model_of_an_instance_has_a_stream_of_its_own(grains):
    instance = grains.draw_one(0, 0)
    numbers = [instance.stream(name).random() for name in instance.partial_models()]
    assert len(set(numbers)) == len(numbers)
    assert numbers[0] == instance.stream(next(iter(instance.partial_models()))).random()


THICKNESS = {"grain_boundaries": {"thickness_px": 1.5}}


def changed(one, other):
    """The columns in which two instances differ."""
    return {key for key, value in one.row().items() if other.row()[key] != value}


def test_a_variation_with_the_same_seed_changes_nothing_but_what_is_asked(paper):
    stored = paper.draw_one(0, 0)
    varied = stored.varied(THICKNESS, True, stream(0, "test"))
    assert changed(stored, varied) == {"grain_boundaries.thickness_px"}
    assert abs(varied.grain_boundaries.thickness_px - stored.grain_boundaries.thickness_px) <= 1.5
    before, after = stored.render(), varied.render()
    assert np.array_equal(before.labels, after.labels)
    thicker = varied.grain_boundaries.thickness_px > stored.grain_boundaries.thickness_px
    assert (after.mask.sum() > before.mask.sum()) == thicker
    assert not np.array_equal(before.mask, after.mask)


def test_a_variation_with_a_new_seed_has_other_grains_too(grains):
    stored = grains.draw_one(0, 0)
    varied = stored.varied(THICKNESS, False, stream(0, "test"))
    assert changed(stored, varied) == {"seed", "grain_boundaries.thickness_px"}
    assert varied.grain_boundaries == stored.varied(THICKNESS, True, stream(0, "test")).grain_boundaries
    assert not np.array_equal(stored.render().labels, varied.render().labels)


def test_one_variation_after_another_differs(grains):
    stored, rng = grains.draw_one(0, 0), stream(0, "test")
    within = THICKNESS | {"grain_shades": {"mean_grey": 30}}
    many = [stored.varied(within, False, rng) for _ in range(20)]
    for key in ("seed", "grain_boundaries.thickness_px", "grain_shades.mean_grey"):
        assert len({each.row()[key] for each in many}) == 20
    assert all(
        changed(stored, each) <= {"seed", "grain_boundaries.thickness_px", "grain_shades.mean_grey"} for each in many
    )


@given(st.integers(0, LARGEST_SEED), st.booleans())
def test_the_row_of_a_variation_rebuilds_it(grains, seed, keep_seed):
    varied = grains.draw_one(0, 0).varied(THICKNESS, keep_seed, stream(seed, "test"))
    assert GRAINS.from_row(pd.DataFrame([{"parent": "000000", **varied.row()}]).iloc[0]) == varied
    assert GRAINS.model_validate_json(varied.model_dump_json()) == varied


def test_data_sets_of_different_purposes_have_nothing_in_common(grains):
    purposes = [{}, {"purpose": "scoring"}, {"purpose": "check"}]
    drawn = [grains.draw_one(0, index, **each) for each in purposes for index in range(20)]
    assert len({each.seed for each in drawn}) == 60
    assert len({each.grain_structure.diameter_px for each in drawn}) == 60
    assert grains.draw_one(0, 3, "scoring") == drawn[23]
    assert grains.draw_one(0, 3, "instance") == drawn[3]
