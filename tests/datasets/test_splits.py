import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from micromime.datasets.splits import split
from micromime.streams import stream


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
