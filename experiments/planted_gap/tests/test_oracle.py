import numpy as np

from experiments.planted_gap.oracle import Oracle
from micromime.sampling.sampler import Scored
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind

GRAINS = instance_kind("grain_boundaries")
NONE = Scored([], [], np.empty(0))
CONTENT = {
    "grain_structure": {"diameter_px": {"uniform": [20, 40]}},
    "grain_boundaries": {"thickness_px": 3, "darkness": 0.5},
    "grain_shades": {"mean_grey": {"uniform": [60, 90]}, "contrast_grey": 20},
}


def test_its_instances_are_draws_of_the_given_scenario(plain):
    asked = Oracle(scenario=CONTENT).propose(plain, NONE, 9, stream(0, "test"))
    given, rng = Scenario.read(GRAINS, {"rows": 72, "cols": 96, **CONTENT}, "s"), stream(0, "test")
    assert [each.instance for each in asked] == [given.draw(rng) for _ in range(9)]
    assert all(60 <= each.instance.grain_shades.mean_grey <= 90 for each in asked)
    assert {each.parent for each in asked} == {""}


def test_a_size_of_its_own_is_kept(plain):
    (asked,) = Oracle(scenario={"rows": 40, **CONTENT}).propose(plain, NONE, 1, stream(0, "test"))
    assert (asked.instance.rows, asked.instance.cols) == (40, 96)


def test_styles_are_read_too(plain):
    styles = {"dark": {"weight": 1, "grain_shades": {"mean_grey": 20}}, "bright": {"weight": 1}}
    sampler = Oracle(scenario={**CONTENT, "styles": styles})
    sampler.check(GRAINS, "s")
    found = {each.instance.style for each in sampler.propose(plain, NONE, 20, stream(0, "test"))}
    assert found == {"dark", "bright"}
