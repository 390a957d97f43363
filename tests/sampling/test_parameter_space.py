import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from micromime.sampling.parameter_space import Axis, clusters, columns, coordinates, numeric_parameters, parameter_space
from micromime.scenario.distributions import Choice
from micromime.scenario.scenario import Scenario, Style
from micromime.scenario.streams import LARGEST_SEED, stream
from micromime.use_cases import instance_kind

GREY, CONTRAST = "grain_shades.mean_grey", "grain_shades.contrast_grey"


def shaded(plain, **values):
    """Copies of one instance, with these values of the shades' parameters one after another."""
    stored = plain.draw_one(0, 0)
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    changed = [stored.grain_shades.model_copy(update=row) for row in rows]
    return [stored.model_copy(update={"grain_shades": each, "seed": n}) for n, each in enumerate(changed)]


def styled(instances, styles):
    return [each.model_copy(update={"style": style}) for each, style in zip(instances, styles, strict=True)]


def test_numbers_are_standardised_and_constants_left_out(plain):
    instances = shaded(plain, mean_grey=[100.0, 110.0, 120.0, 130.0])
    space = parameter_space(instances)
    assert [axis.column for axis in space] == [GREY]
    points = coordinates(space, instances)
    assert (points.shape, points.dtype) == ((4, 1), np.float64)
    assert points[:, 0] == pytest.approx(np.array([-3, -1, 1, 3]) / np.sqrt(5))


def test_what_is_new_is_placed_among_those_that_were_scored(plain):
    space = parameter_space(shaded(plain, mean_grey=[100.0, 120.0], contrast_grey=[10.0, 10.0]))
    new = shaded(plain, mean_grey=[110.0, 140.0], contrast_grey=[5.0, 99.0])
    assert coordinates(space, new).tolist() == [[0], [3]]


def test_a_logarithm_is_taken_where_it_is_less_skewed(plain):
    instances = shaded(plain, contrast_grey=[1.0, 3.0, 9.0, 27.0])
    space = parameter_space(instances)
    assert space[0].floor == 1
    assert coordinates(space, instances)[:, 0] == pytest.approx(np.array([-3, -1, 1, 3]) / np.sqrt(5))
    below = coordinates(space, shaded(plain, contrast_grey=[0.0, 0.5, 1.0]))[:, 0]
    assert below.tolist() == [below[2]] * 3


@pytest.mark.parametrize("values", [[0.0, 3.0, 9.0, 27.0], [10.0, 20.0, 30.0, 40.0]], ids=["zero", "even"])
def test_no_logarithm_of_zero_or_of_what_is_even(plain, values):
    assert parameter_space(shaded(plain, contrast_grey=values))[0].floor is None


def test_a_style_is_as_far_off_as_it_is_rare(plain):
    instances = styled(shaded(plain, mean_grey=[100.0] * 10), ["a"] * 8 + ["b", "c"])
    space = parameter_space(instances)
    assert [(axis.column, axis.word) for axis in space] == [("style", "a"), ("style", "b"), ("style", "c")]
    points = coordinates(space, instances)
    assert points[0] == pytest.approx([0.5, -1 / 3, -1 / 3])
    assert points[8] == pytest.approx([-2, 3, -1 / 3])
    assert coordinates(space, styled(instances[:1], ["unheard of"]))[0] == pytest.approx([-2, -1 / 3, -1 / 3])


def test_classes_and_words_are_axes_too(chips):
    drawn = [chips.draw_one(0, n) for n in range(6)]
    assert {("label", "crack"), ("label", "intact")} <= {axis[0::4] for axis in parameter_space(drawn)}
    ways = [
        each.exemplar_texture.model_copy(update={"way": way})
        for each, way in zip(drawn, ["cut", "filled"], strict=False)
    ]
    mixed = [each.model_copy(update={"exemplar_texture": way}) for each, way in zip(drawn, ways, strict=False)]
    axes = parameter_space(mixed, by=["exemplar_texture.way"])
    assert axes == tuple(Axis("exemplar_texture.way", 0.5, 0.5, word=word) for word in ("cut", "filled"))


def test_only_what_it_goes_by_is_looked_at(plain):
    drawn = [plain.draw_one(0, n) for n in range(9)]
    assert [axis.column for axis in parameter_space(drawn, by=[CONTRAST, "style", GREY])] == [CONTRAST, GREY]


def test_every_column_is_known():
    grains, chips = (instance_kind(name) for name in ("grain_boundaries", "chip_cracks"))
    assert {"style", GREY, "gaussian_blur.kernel_px"} <= {*columns(grains)}
    assert {"seed", "rows", "label"}.isdisjoint(columns(grains))
    assert {"style", "label", "exemplar_texture.way", "crack.depth"} <= {*columns(chips)}
    assert {*columns(chips)} - {*numeric_parameters(chips)} == {
        *("style", "label", "exemplar_texture.way", "exemplar_texture.dictionary")
    }


def test_clusters_are_the_groups_there_are_and_others_join_the_nearest(plain):
    found = clusters(shaded(plain, mean_grey=[50.0, 200.0, 51.0, 120.0, 201.0, 119.0]), 3, stream(0, "test"))
    assert sorted(each.tolist() for each in found.members) == [[0, 2], [1, 4], [3, 5]]
    number = {min(each): n for n, each in enumerate(found.members)}
    new = shaded(plain, mean_grey=[0.0, 84.0, 90.0, 255.0])
    assert found.assigned(new).tolist() == [number[0], number[0], number[3], number[1]]


@settings(max_examples=10)
@given(some.integers(1, 25), some.integers(1, 12), some.integers(0, LARGEST_SEED), some.booleans())
def test_every_instance_is_in_one_cluster_the_nearest(plain, count, most, seed, twice):
    instances = [plain.draw_one(seed, n % 7 if twice else n) for n in range(count)]
    found = clusters(instances, most, stream(seed, "test"))
    assert 1 <= len(found.members) <= most
    assert sorted(np.concatenate(found.members).tolist()) == [*range(count)]
    assert all(len(each) for each in found.members)
    assert len(found.members) == min(most, len({each.seed for each in instances}))
    nearest = found.assigned(instances)
    assert all((nearest[each] == n).all() for n, each in enumerate(found.members))


@given(some.lists(some.sampled_from([0.0, 1e-12, 1e-7, 1.0, 1.0 + 1e-12, 120.0]), min_size=1, max_size=9))
def test_what_is_almost_the_same_gives_fewer_clusters_and_no_warning(plain, values):
    instances = shaded(plain, contrast_grey=values)
    found = clusters(instances, 5, stream(0, "test"))
    assert np.isfinite(found.centres).all()
    assert sum(len(each) for each in found.members) == len(values)
    assert len(found.assigned(instances)) == len(values)


def test_the_same_seed_gives_the_same_clusters(plain, monkeypatch):
    monkeypatch.setattr("micromime.sampling.parameter_space.MOST_LINKED", 20)
    instances = [plain.draw_one(0, n) for n in range(60)]
    first, again = (clusters(instances, 6, stream(0, "test")) for _ in range(2))
    assert [each.tolist() for each in first.members] == [each.tolist() for each in again.members]
    assert np.array_equal(first.centres, again.centres)
    assert len(first.members) == 6


def mode_found(labels, rare):
    """The largest share of one cluster and the mode that both have in common, of all that either has."""
    return max((rare & (labels == n)).sum() / (rare | (labels == n)).sum() for n in set(labels.tolist()))


def with_a_mode(plain):
    """2 % of the images have boundaries without any darkness, and differ in nothing else."""
    dark = Choice(values=(0.0, 0.6, 0.7, 0.8, 0.9), weights=(2, 25, 25, 25, 23))
    laws = {
        **plain.styles[0].parameters,
        "grain_boundaries": {**plain.styles[0].parameters["grain_boundaries"], "darkness": dark},
    }
    return Scenario(plain.kind, 72, 96, (Style("", 1, laws),))


def test_a_rare_mode_gets_a_cluster_of_its_own(plain):
    ours, random = [], []
    for seed in range(3):
        drawn = [with_a_mode(plain).draw_one(seed, n) for n in range(200)]
        rare = np.array([each.grain_boundaries.darkness == 0 for each in drawn])
        found = clusters(drawn, 8, stream(seed, "test"))
        ours.append(mode_found(found.assigned(drawn), rare))
        with threadpool_limits(1):
            started = KMeans(8, n_init=10, random_state=seed).fit(coordinates(found.axes, drawn))
        random.append(mode_found(started.labels_, rare))
    assert ours == [1, 1, 1]
    assert min(random) < 0.1


def test_a_rare_style_gets_one_though_it_differs_in_nothing_else(plain):
    styles = tuple(Style(name, weight, plain.styles[0].parameters) for name, weight in (("rare", 1), ("common", 99)))
    drawn = [Scenario(plain.kind, 72, 96, styles).draw_one(3, n) for n in range(200)]
    rare = [n for n, each in enumerate(drawn) if each.style == "rare"]
    assert rare in [each.tolist() for each in clusters(drawn, 8, stream(0, "test")).members]
