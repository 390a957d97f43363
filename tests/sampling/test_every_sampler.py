"""What holds for every sampler, whichever files are in the folder, with instances of every use case."""

import copy
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from micromime.mistakes import Mistake
from micromime.sampling.sampler import Sampler
from micromime.sampling.samplers import read_sampler, samplers
from micromime.scenario.streams import LARGEST_SEED, stream
from micromime.use_cases import instance_kind

GRAINS = {
    "within": {
        "grain_boundaries": {"thickness_px": 1.5, "darkness": {"share": 0.3}},
        "gaussian_blur": {"kernel_px": 2},
    },
    "nuisance": ["white_noise.sd_grey", "grain_boundaries.thickness_px"],
}
CHIPS = {
    "within": {"crack": {"width_px": {"share": 0.3}, "segments": 3}},
    "nuisance": ["crack.depth", "illumination.gradient"],
}


def told(use_case):
    """What each sampler may be told; a new one says so here."""
    varied = {"keep_seed": False, "within": use_case["within"]}
    clustered = {**varied, "clusters": 3}
    return {
        "adversarial_draws": {**clustered, "rate": 2},
        "learning_progress": {**clustered, "tries": 1, "even_share": 0.2, "largest_share": 0.4, "stop_below": -0.1},
        "low_discrepancy": {},
        "random_draws": {},
        "stratified": {**clustered, "tries": 2, "by": ["style", use_case["nuisance"][0]]},
        "worst_fraction": {**varied, "fraction": 0.25},
        "worst_residual": {**varied, "fraction": 0.25, "nuisance": use_case["nuisance"], "stop_below": 0},
    }


class Case(NamedTuple):
    """A sampler and a use case: fixtures of its scenario and of what was scored."""

    sampler: Sampler
    scenario: str
    pool: str

    def __call__(self, request):
        return self.sampler, request.getfixturevalue(self.scenario), request.getfixturevalue(self.pool)


CASES = {
    f"{use_case}-{name}": Case(read_sampler({name: each}, "s"), *fixtures)
    for use_case, words, fixtures in (("grains", GRAINS, ("grains", "pool")), ("chips", CHIPS, ("chips", "chip_pool")))
    for name, each in told(words).items()
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
gains = some.lists(some.tuples(some.floats(0, 1), some.floats(0, 1)), min_size=1, max_size=12)
seeds = some.integers(0, LARGEST_SEED)


def test_every_file_of_samplers_has_settings_here():
    assert samplers() == sorted(told(GRAINS)) == sorted(told(CHIPS))


@every
def test_its_settings_fit_the_use_case(request, case):
    sampler, scenario, _ = case(request)
    sampler.check(scenario.kind, "s")


@every
@settings(max_examples=8)
@given(gains, some.booleans(), some.integers(0, 15), seeds)
def test_it_asks_for_as_many_as_told_each_valid_and_leaves_what_it_is_given(request, case, scores, first, count, seed):
    sampler, scenario, pool = case(request)
    now, before = zip(*scores, strict=True)
    scored = pool(now, None if first else before)
    kept = copy.deepcopy((scored.ids, scored.instances, scenario.styles, sampler))
    asked = sampler.propose(scenario, scored, count, stream(seed, "test"))
    assert (scored.ids, scored.instances, scenario.styles, sampler) == kept
    assert (tuple(scored.scores), first or tuple(scored.before)) == (now, first or before)
    assert len(asked) == count
    assert {each.parent for each in asked} <= {"", *scored.ids}
    for each in asked:
        assert scenario.kind.model_validate(each.instance.model_dump()) == each.instance
        assert (each.instance.rows, each.instance.cols) == (scenario.rows, scenario.cols)


@every
@pytest.mark.parametrize("scores", [[0.5], [0.5] * 8, np.linspace(1, 0, 8)], ids=["one", "alike", "falling"])
def test_the_seed_decides_and_no_two_instances_are_alike(request, case, scores):
    sampler, scenario, pool = case(request)
    first, again, other = (
        sampler.propose(scenario, pool(scores, scores), 12, stream(seed, "test")) for seed in (0, 0, 1)
    )
    assert first == again
    assert len({each.instance.seed for each in first + other}) == 24


@every
def test_it_takes_many_of_the_very_same_parameters(request, case):
    sampler, scenario, pool = case(request)
    scored = pool([0.5] * 6)
    alike = scored._replace(instances=[scored.instances[0]] * 6)
    assert len(sampler.propose(scenario, alike, 7, stream(0, "test"))) == 7


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"best": {}}, r"^x\.sampler: 'best' is not known; use one of: .*, random_draws, .*, worst_residual\.$"),
        ({1: {}}, r"^x\.sampler: '1' is not known"),
        (
            {"random_draws": {}, "worst_fraction": {}},
            r"^x\.sampler is \{.*\}; give one key, the name of a sampler: adversarial_",
        ),
        ({}, r"^x\.sampler is \{\}; give one key"),
        ("random_draws", r"^x\.sampler is 'random_draws'; give one key"),
        (None, r"^x\.sampler is None; give one key"),
        ({"random_draws": {"seed": 1}}, r"^x\.sampler\.random_draws\.seed is not a known key"),
        ({"random_draws": 5}, r"^x\.sampler\.random_draws: 5 is not allowed"),
        ({"worst_fraction": {}}, r"^x\.sampler\.worst_fraction\.keep_seed: is missing"),
    ],
    ids=str,
)
def test_wrong_samplers_say_what_is_wrong(written, said):
    with pytest.raises(Mistake, match=said):
        read_sampler(written, "x.sampler")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("stratified", {"by": ["style", "rust.spots"]}, r"^x\.by: 'rust\.spots' is not known; use one of: .*, style"),
        ("stratified", {"within": {"rust": {"spots": 1}}}, r"^x\.within\.rust is not a known key"),
        ("worst_residual", {"nuisance": ["white_noise"]}, r"^x\.nuisance: 'white_noise' is not known; use one of: "),
        ("worst_residual", {"within": {"grain_shades": {}}}, r"^x\.within\.grain_shades names nothing to vary"),
    ],
)
def test_what_does_not_fit_the_use_case_is_named(name, changed, said):
    written = told(GRAINS)[name] | changed
    with pytest.raises(Mistake, match=said):
        read_sampler({name: written}, "x").check(instance_kind("grain_boundaries"), "x")


def test_a_sampler_without_settings_may_be_left_empty():
    assert read_sampler({"random_draws": None}, "x") == read_sampler({"random_draws": {}}, "x")
