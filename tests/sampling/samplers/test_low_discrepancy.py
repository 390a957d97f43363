from collections import Counter

import numpy as np
import pytest
from scipy.stats.qmc import Sobol, discrepancy

from micromime.sampling.sampler import Scored
from micromime.sampling.samplers.low_discrepancy import LowDiscrepancy, spread
from micromime.scenario.distributions import Uniform
from micromime.scenario.scenario import Scenario, Style
from micromime.scenario.streams import stream

NONE = Scored([], [], np.empty(0))


def drawn(scenario, count, seed=0):
    return [each.instance for each in LowDiscrepancy().propose(scenario, NONE, count, stream(seed, "test"))]


def quantiles_of(scenario, instances):
    """Where the uniform parameters lie between their ends: a list for each."""
    laws = {f"{m}.{key}": law for m, each in scenario.styles[0].parameters.items() for key, law in each.items()}
    rows = [each.row() for each in instances]
    uniform = {name: law for name, law in laws.items() if isinstance(law, Uniform)}
    return {name: [(row[name] - law.low) / (law.high - law.low) for row in rows] for name, law in uniform.items()}


@pytest.mark.parametrize(("count", "bins"), [(16, 16), (20, 4), (1, 1), (48, 16)])
def test_every_parameter_has_as_many_in_each_of_its_bins(plain, count, bins):
    found = quantiles_of(plain, drawn(plain, count))
    assert len(found) == 12
    for name, each in found.items():
        filled = Counter(int(u * bins) for u in each)
        assert filled == dict.fromkeys(range(bins), count // bins), name


def test_it_is_spread_better_than_chance():
    points, chance = spread(100, 6, stream(0, "test")), stream(0, "test").random((100, 6))
    assert (points.shape, points.dtype) == ((100, 6), np.float64)
    assert points.min() >= 0
    assert points.max() < 1
    assert discrepancy(points) < discrepancy(chance) / 3


@pytest.mark.parametrize(("count", "dimensions"), [(0, 4), (5, 0), (0, 0)])
def test_nothing_to_spread_is_empty(count, dimensions):
    assert spread(count, dimensions, stream(0, "test")).shape == (count, dimensions)


def test_classes_alternate_and_each_fills_every_parameter(chips):
    found = drawn(chips, 32)
    assert [each.label for each in found] == ["intact", "crack"] * 16
    for label in ("intact", "crack"):
        for name, each in quantiles_of(chips, [one for one in found if one.label == label]).items():
            assert sorted(int(u * 16) for u in each) == [*range(16)], name


def test_styles_have_their_shares(plain):
    styles = tuple(Style(name, weight, plain.styles[0].parameters) for name, weight in (("rare", 1), ("common", 7)))
    mixed = Scenario(plain.kind, 72, 96, styles)
    assert Counter(each.style for each in drawn(mixed, 32)) == {"rare": 4, "common": 28}


def test_what_has_no_dimension_is_drawn_at_random(plain, monkeypatch):
    monkeypatch.setattr(Sobol, "MAXDIM", 1)
    first, *others = (len({int(u * 16) for u in each}) for each in quantiles_of(plain, drawn(plain, 16)).values())
    assert first == 16
    assert max(others) < 16
