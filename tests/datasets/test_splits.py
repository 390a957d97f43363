import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from micromime.datasets.splits import farthest_specimens, nested_order, split, split_specimens
from micromime.scenario.streams import stream


@given(st.integers(2, 500), st.floats(0.01, 0.99), st.integers(0, 10**9))
def test_every_sample_is_in_one_part_and_neither_is_empty(count, share, seed):
    training, validation = split(count, share, stream(seed, "split"))
    assert sorted([*training, *validation]) == list(range(count))
    assert min(len(training), len(validation)) >= 1
    assert abs(len(validation) - count * share) <= 1


def test_the_papers_numbers():
    training, validation = split(4000, 0.2, stream(1, "split"))
    assert (len(training), len(validation)) == (3200, 800)


def test_another_run_splits_otherwise():
    one, two = (split(100, 0.2, stream(run, "split"))[1] for run in (1, 2))
    assert not np.array_equal(one, two)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=60), st.floats(0.05, 0.95), st.integers(0, 99))
def test_no_specimen_is_on_both_sides(specimens, share, seed):
    assume(len(set(specimens)) > 1)
    training, validation = split_specimens(specimens, share, np.random.default_rng(seed))
    assert sorted([*training, *validation]) == list(range(len(specimens)))
    assert {specimens[n] for n in training}.isdisjoint(specimens[n] for n in validation)
    assert len(training) > 0
    assert len(validation) > 0


def test_the_farthest_specimens_are_taken_whole():
    # On a line: specimens at 0, 1, 2, 10, two tiles each. The middle is 3.25: first 10, then 0, then 2 or 1.
    specimens = ["a", "a", "b", "b", "c", "c", "d", "d"]
    features = np.array([[0.0], [0], [1], [1], [2], [2], [10], [10]])
    assert farthest_specimens(features, specimens, 1) == ["d"]
    assert farthest_specimens(features, specimens, 3) == ["d", "a"]


def test_two_specimens_are_always_left_to_train_on():
    assert len(farthest_specimens(np.arange(5.0)[:, None], list("abcde"), 100)) == 3


@given(st.lists(st.sampled_from(["crack", "intact"]), min_size=2, max_size=50), st.integers(0, 99))
def test_subsets_are_nested_and_their_classes_as_even_as_can_be(labels, seed):
    order = nested_order(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    fewest = min(labels.count("crack"), labels.count("intact"))
    for count in range(2, 2 * fewest + 1):
        taken = [labels[n] for n in order[:count]]
        assert abs(taken.count("crack") - taken.count("intact")) <= 1


def test_another_seed_takes_other_tiles():
    labels = ["crack", "intact"] * 20
    first, second = (nested_order(labels, np.random.default_rng(seed))[:10].tolist() for seed in (0, 1))
    assert first != second
