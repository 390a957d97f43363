"""New samples, and in their wake some of those seen before, each with its own picture, row and class."""

from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.datasets.rehearsal import Rehearsed, carry_on, earlier_names
from micromime.datasets.render import render_dataset
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


def test_a_round_carries_on_what_its_ancestors_were_trained_on(tmp_path):
    names = ("base", "second", "third", "fourth")
    for n, name in enumerate(names):
        made(tmp_path / name, [10 * n + m for m in range(4)])
        if n:
            carried = carry_on(tmp_path / names[n - 1], tmp_path / name)
            write_description(tmp_path / name, {"classes": CLASSES, "earlier": carried})
    last = tmp_path / "fourth"
    assert earlier_names(last) == ["base", "second", "third"]
    assert sorted(each.name for each in (last / "earlier").iterdir()) == ["base", "second", "third"]
    for name in names[:3]:
        assert not (last / "earlier" / name / "earlier").exists()
        for file in ("images.npy", "samples.parquet"):
            here = last / "earlier" / name / "shard-00000" / file
            assert here.samefile(tmp_path / name / "shard-00000" / file)
    greys_before = [greys(Dataset(last / "earlier" / name)) for name in earlier_names(last)]
    assert greys_before == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
    assert greys(Dataset(last)) == [30, 31, 32, 33]


def test_rendering_that_was_killed_carries_on_all_the_same(tmp_path, grains, monkeypatch):
    instances = [grains.draw_one(0, n) for n in range(2)]
    render_dataset(instances, {"scenario": {}, "parent": None}, tmp_path / "base", tmp_path / "work")

    def rendered(out, parent):
        said = {"scenario": {}, "parent": {"path": str(tmp_path / parent)}}
        render_dataset(instances, said, tmp_path / out, tmp_path / "work")
        return {str(f.relative_to(tmp_path / out)): f.read_bytes() for f in (tmp_path / out).rglob("*") if f.is_file()}

    rendered("a", "base")
    whole = rendered("whole", "a")
    stops = {"rehearsal.linked": [None] * 3 + [KeyboardInterrupt], "render.write_preview": KeyboardInterrupt}
    for name, stop in stops.items():  # in the middle of it, and after it
        with monkeypatch.context() as patch:
            patch.setattr(f"micromime.datasets.{name}", Mock(side_effect=stop))
            with pytest.raises(KeyboardInterrupt):
                rendered("b", "a")
        assert not (tmp_path / "b").exists()
    assert rendered("b", "a") == whole
