"""New samples, and in their wake some of those seen before, each with its own picture, row and class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.store import Dataset, write_arrays, write_description
from micromime.scenario.scenario import Sample

CLASSES = ["intact", "crack"]


def made(folder, values, **columns):
    """A data set whose every image is of one grey level, its row with the same, in shards of three."""
    for first in range(0, len(values), 3):
        part = values[first : first + 3]
        samples = [Sample(np.full((4, 6), value, np.uint8), np.full((4, 6), value % 2 == 1)) for value in part]
        rows = [{"id": f"{first + n:06d}", "grey": g, "label": CLASSES[g % 2], **columns} for n, g in enumerate(part)]
        write_arrays(folder / f"shard-{first:05d}", samples, rows)
    write_description(folder, {"classes": CLASSES, "seed": values[0]})
    return Dataset(folder)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A new data set of six images, and two earlier ones of four and five."""
    greys = {"new": range(200, 206), "first": range(10, 14), "second": range(20, 25)}
    return {name: made(tmp_path_factory.mktemp(name), list(values)) for name, values in greys.items()}


def rehearsed(sets, share, seed=0):
    return Rehearsed(sets["new"], [sets["first"], sets["second"]], share, np.random.default_rng(seed))


def greys(dataset):
    return dataset.samples["grey"].tolist()


EARLIER = [*range(10, 14), *range(20, 25)]


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.25, 2), (0.4, 4), (0.5, 6), (0.6, 9), (0.9, 9)])
def test_earlier_samples_make_up_their_share_of_all_or_are_all_there_are(sets, share, count):
    found = greys(rehearsed(sets, share))
    assert found[:6] == [200, 201, 202, 203, 204, 205]
    assert len(found) == 6 + count
    assert set(found[6:]) <= set(EARLIER)


@given(share=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_each_is_taken_at_most_once_and_they_keep_their_order(sets, share, seed):
    found = greys(rehearsed(sets, share, seed))[6:]
    assert found == sorted(set(found), key=EARLIER.index)
    assert len(found) == min(round(6 * share / (1 - share)), 9)


def test_all_of_the_data_sets_before_may_be_chosen_from(sets):
    found = [greys(rehearsed(sets, 0.25, seed))[6:] for seed in range(30)]
    assert {grey for each in found for grey in each} == set(EARLIER)


def test_the_same_generator_chooses_the_same_and_another_others(sets):
    one, again, other = (greys(rehearsed(sets, 0.4, seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_images_masks_rows_and_classes_belong_together(sets):
    found = rehearsed(sets, 0.5)
    assert len(found.images) == len(found.masks) == len(found.samples) == 12
    for n, grey in enumerate(greys(found)):
        assert (found.images[n].shape, found.images[n].dtype, found.masks[n].dtype) == ((4, 6), np.uint8, np.bool_)
        assert (found.images[n] == grey).all()
        assert (found.masks[n] == (grey % 2 == 1)).all()
    assert found.class_numbers.tolist() == [grey % 2 for grey in greys(found)]
    assert found.samples.index.tolist() == list(range(12))


def test_it_is_described_as_the_new_data_set(sets):
    assert rehearsed(sets, 0.5).description == sets["new"].description


def test_where_nothing_was_before_there_is_nothing_to_rehearse(sets):
    assert greys(Rehearsed(sets["new"], [], 0.5, np.random.default_rng(0))) == [200, 201, 202, 203, 204, 205]


def test_a_column_that_only_some_data_sets_have_is_empty_elsewhere(tmp_path):
    new, old = made(tmp_path / "new", [2, 3], style="twinned"), made(tmp_path / "old", [4, 5])
    samples = Rehearsed(new, [old], 0.5, np.random.default_rng(0)).samples
    assert samples["style"].fillna("none").tolist() == ["twinned", "twinned", "none", "none"]
    assert samples["grey"].tolist() == [2, 3, 4, 5]
