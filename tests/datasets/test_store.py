import json

import numpy as np
import pytest

from micromime.datasets.store import Dataset, identity, write_description, write_shard
from micromime.mistakes import Mistake


@pytest.fixture
def folder(tmp_path, grains):
    instances = [grains.draw_one(0, index) for index in range(5)]
    samples = [each.render() for each in instances]
    write_shard(tmp_path / "shard-00000", 0, instances[:3], samples[:3])
    write_shard(tmp_path / "shard-00001", 3, instances[3:], samples[3:])
    write_description(tmp_path, {"use_case": "grain_boundaries", "seed": 0})
    return tmp_path


def test_numpy_alone_opens_it(folder):
    arrays = {name: np.load(folder / "shard-00001" / f"{name}.npy") for name in ("images", "masks", "labels")}
    assert {name: (each.shape, str(each.dtype)) for name, each in arrays.items()} == {
        "images": ((2, 72, 96), "uint8"),
        "masks": ((2, 72, 96), "bool"),
        "labels": ((2, 72, 96), "uint16"),
    }


def test_what_was_written_is_read(folder, grains):
    dataset = Dataset(folder)
    assert len(dataset.images) == len(dataset.masks) == len(dataset.labels) == len(dataset.samples) == 5
    for index in range(5):
        instance = grains.draw_one(0, index)
        sample = instance.render()
        assert np.array_equal(dataset.images[index], sample.image)
        assert np.array_equal(dataset.masks[index], sample.mask)
        assert np.array_equal(dataset.labels[index], sample.labels)
        row = dataset.samples.iloc[index]
        assert (row["id"], row["seed"], row["objects"]) == (f"{index:06d}", instance.seed, sample.labels.max())
        assert row["grain_shades.mean_grey"] == instance.grain_shades.mean_grey


def test_the_description_holds_the_hash_of_every_file(folder):
    described = json.loads((folder / "dataset.json").read_text())
    assert len(described["files"]) == 8
    write_shard_again = described["files"].copy()
    (folder / "shard-00000" / "masks.npy").write_bytes(b"x")
    write_description(folder, {})
    changed = json.loads((folder / "dataset.json").read_text())["files"]
    assert [name for name in changed if changed[name] != write_shard_again[name]] == ["shard-00000/masks.npy"]


@pytest.mark.parametrize("asked", ["4", "000004"])
def test_ids_may_leave_zeros_out(folder, asked):
    assert Dataset(folder).index(asked) == 4


def test_unknown_samples_and_folders_are_said(folder, tmp_path):
    with pytest.raises(Mistake, match="no sample '5'; its samples are 000000 to 000004"):
        Dataset(folder).index("5")
    with pytest.raises(IndexError):
        Dataset(folder).images[5]
    (folder / "dataset.json").write_text("{")
    with pytest.raises(Mistake, match=r"dataset\.json is damaged"):
        Dataset(folder)
    with pytest.raises(Mistake, match=r"holds no dataset\.json"):
        Dataset(tmp_path / "nowhere")


def test_samples_have_no_parents_unless_they_are_given(folder, grains):
    assert Dataset(folder).samples["parent"].tolist() == [""] * 5
    instances = [grains.draw_one(0, index) for index in range(3)]
    samples = [each.render() for each in instances]
    write_shard(folder / "shard-00002", 5, instances, samples, ["000041", "", "000007"])
    table = Dataset(folder).samples
    assert table["parent"].tolist() == [*[""] * 5, "000041", "", "000007"]
    assert table["seed"].tolist()[5:] == [each.seed for each in instances]


RENDERED = {"scenario": {"rows": 72, "styles": {"a": {}, "b": {}}}, "seed": 0, "count": 5, "versions": {"numpy": "2"}}


def identity_of(folder, **description):
    write_description(folder, description)
    return identity(folder)


def test_the_identity_of_a_rendered_set_is_what_it_is_drawn_from(folder):
    before = identity_of(folder, **RENDERED)
    (folder / "shard-00001" / "images.npy").write_bytes(b"of another kind of processor")
    assert identity_of(folder, **RENDERED | {"versions": {"numpy": "3"}, "scores": "0f"}) == before
    changes = [
        {"seed": 1},
        {"count": 6},
        {"scenario": {"rows": 96, "styles": {"a": {}, "b": {}}}},
        {"scenario": {"rows": 72, "styles": {"b": {}, "a": {}}}},
        {"parent": {"path": "base", "sha256": "0f"}},
    ]
    found = {before, *(identity_of(folder, **RENDERED | change) for change in changes)}
    assert len(found) == 1 + len(changes)
    assert all(len(each) == 64 and set(each) <= set("0123456789abcdef") for each in found)


def test_the_renderers_version_is_part_of_it(folder, monkeypatch):
    before = identity_of(folder, **RENDERED)
    monkeypatch.setattr("micromime.datasets.store.RENDERER", 10**6)
    assert identity(folder) != before


def test_the_identity_of_real_tiles_is_every_pixel_and_every_row(folder, grains):
    found = [identity_of(folder, classes=["intact", "crack"])]
    assert identity_of(folder, classes=["intact", "crack"], note="said otherwise") == found[0]
    found.append(identity_of(folder, classes=["crack", "intact"]))
    for name in ("images.npy", "masks.npy", "labels.npy"):
        (folder / "shard-00001" / name).write_bytes(b"x")
        found.append(identity_of(folder, classes=["intact", "crack"]))
    instances = [grains.draw_one(1, 0)]
    write_shard(folder / "shard-00002", 5, instances, [each.render() for each in instances])
    found.append(identity_of(folder, classes=["intact", "crack"]))
    assert len(set(found)) == 6
