from collections import Counter

import numpy as np
import pytest

from micromime.sampling.sampler import Scored
from micromime.sampling.samplers.stratified import Stratified
from micromime.scenario.scenario import Scenario, Style
from micromime.scenario.streams import stream


@pytest.fixture(scope="module")
def mixed(plain):
    """A scenario with a rare style that differs from the other in nothing else."""
    styles = tuple(Style(name, weight, plain.styles[0].parameters) for name, weight in (("rare", 3), ("common", 97)))
    return Scenario(plain.kind, 72, 96, styles)


def asked(scenario, scores, count=80, **told):
    instances = [scenario.draw_one(2, n, "scoring") for n in range(len(scores))]
    scored = Scored([f"{n:06d}" for n in range(len(scores))], instances, np.array(scores, dtype=np.float64))
    sampler = Stratified(keep_seed=False, within={"grain_shades": {"mean_grey": 1}}, **told)
    return sampler.propose(scenario, scored, count, stream(0, "test"))


@pytest.mark.parametrize("clusters", [2, 8])
def test_a_rare_style_gets_as_much_as_any_other_cluster(mixed, clusters):
    found = Counter(each.instance.style for each in asked(mixed, [0.5] * 100, clusters=clusters))
    assert found == {"rare": 80 // clusters, "common": 80 - 80 // clusters}


def test_fresh_draws_of_a_rare_style_have_its_whole_spread(mixed):
    found = [each for each in asked(mixed, [0.5] * 100, 20, clusters=2, tries=50) if each.instance.style == "rare"]
    assert len(found) == 10
    assert {each.parent for each in found} == {""}
    assert len({each.instance.white_noise.sd_grey for each in found}) == 10


def test_it_pays_no_heed_to_the_scores(mixed):
    assert asked(mixed, np.linspace(0, 1, 40), clusters=4) == asked(mixed, np.linspace(1, 0, 40), clusters=4)


def test_clusters_may_go_by_some_parameters_alone(plain):
    greys = [
        each.instance.grain_shades.mean_grey
        for each in asked(plain, [0.5] * 60, clusters=2, by=["grain_shades.mean_grey"])
    ]
    assert sum(grey < 160 for grey in greys) == pytest.approx(40, abs=5)  # of 110 to 210
