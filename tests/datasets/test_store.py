import dataclasses
import json

import numpy as np
import pytest

from micromime.datasets import store
from micromime.datasets.store import Dataset, identity, write_description, write_shard
from micromime.mistakes import Mistake
from micromime.stages.tile import write_tiles


@pytest.fixture(scope="module")
def drawn(grains):
    """Five instances and their samples."""
    instances = [grains.draw_one(0, index) for index in range(5)]
    return instances, [each.render() for each in instances]


@pytest.fixture
def folder(tmp_path, drawn):
    instances, samples = drawn
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


def test_what_was_written_is_read(folder, drawn):
    dataset = Dataset(folder)
    assert len(dataset.images) == len(dataset.masks) == len(dataset.labels) == len(dataset.samples) == 5
    for index, (instance, sample) in enumerate(zip(*drawn, strict=True)):
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


@pytest.mark.parametrize("parents", [["000001"], ["000001"] * 3])
def test_a_shard_with_too_few_or_too_many_parents_is_not_written(tmp_path, grains, parents):
    instances = [grains.draw_one(0, index) for index in range(2)]
    with pytest.raises(ValueError, match=r"zip\(\)"):
        write_shard(tmp_path / "shard-00000", 0, instances, [each.render() for each in instances], parents)
    assert not (tmp_path / "shard-00000").exists()


RENDERED = {
    "use_case": "grain_boundaries",
    "scenario": {"rows": 72, "styles": {"plain": {"weight": 0.5}, "twinned": {"weight": 0.5}}},
    "count": 5,
    "seed": 0,
    "purpose": "instance",
    "parent": None,
}
ROUND = RENDERED | {
    "sampler": {"worst_fraction": {"fraction": 0.1}},
    "parent": {"path": "data/base", "sha256": "a" * 64},
    "fingerprint": "f1",
}
MEASURED = {"made_from": {"scenario": {"rows": {"measured": "rows"}}, "measured": {"tiles": "a", "FITTING": 1}}}


def identified(folder, **description):
    write_description(folder, description)
    return identity(folder)


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        (RENDERED, {"use_case": "chip_cracks"}),
        (RENDERED, {"scenario": RENDERED["scenario"] | {"rows": 73}}),
        (RENDERED, {"scenario": {"rows": 72, "styles": dict(reversed(RENDERED["scenario"]["styles"].items()))}}),
        (RENDERED, {"count": 6}),
        (RENDERED, {"seed": 1}),
        (RENDERED, {"purpose": "scoring"}),
        (RENDERED, {"named_files": {"dictionary.npz": "b" * 64}}),
        (RENDERED, MEASURED),
        (ROUND, {"sampler": {"worst_fraction": {"fraction": 0.2}}}),
        (ROUND, {"parent": ROUND["parent"] | {"sha256": "b" * 64}}),
        (ROUND, {"fingerprint": "f2"}),
        (RENDERED | MEASURED, {"made_from": MEASURED["made_from"] | {"measured": {"tiles": "b"}}}),
        (RENDERED | MEASURED, {"made_from": MEASURED["made_from"] | {"scenario": {"rows": 72}}}),
    ],
    ids=str,
)
def test_what_a_rendered_set_is_drawn_from_is_its_identity(folder, before, changed):
    assert identified(folder, **before) != identified(folder, **before | changed)


def test_another_renderer_makes_another_set(folder, monkeypatch):
    before = identified(folder, **RENDERED)
    monkeypatch.setattr(store, "RENDERER", store.RENDERER + 1)
    assert identity(folder) != before
    assert len(before) == 64
    assert set(before) <= set("0123456789abcdef")


@pytest.mark.parametrize("version", ["ASKING", "MEASURING", "PROPOSING"])
def test_what_networks_answered_and_samplers_asked_for_by_another_version_is_another_round(
    folder, monkeypatch, version
):
    before = identified(folder, **ROUND), identified(folder, **RENDERED)
    monkeypatch.setattr(store, version, 2)
    assert identified(folder, **ROUND) != before[0]
    assert identified(folder, **RENDERED) == before[1]


def test_bytes_versions_scores_and_measured_values_are_not_the_identity_of_a_rendered_set(folder):
    before = identified(folder, **ROUND), identified(folder, **RENDERED | MEASURED)
    (folder / "shard-00001" / "images.npy").write_bytes(b"a pixel that another processor has rounded up")
    reordered = dict(reversed(ROUND.items()))
    assert identified(folder, **reordered, versions={"numpy": "3"}, scores="c" * 64) == before[0]
    values = {"scenario": RENDERED["scenario"] | {"rows": 71.9}, "named_files": {"dictionary.npz": "c" * 64}}
    assert identified(folder, **RENDERED | MEASURED | values) == before[1]


def test_of_tiles_every_pixel_and_every_row_is_the_identity(tmp_path, gravel_tiles):
    tiles, found = gravel_tiles(4), []

    def written(tiles, **said):
        write_tiles(tiles, tmp_path / str(len(found)), {"classes": ["intact", "crack"], **said})
        found.append(identity(tmp_path / str(len(found))))

    written(tiles)
    written(tiles, kind="real", part="all")  # which decide nothing
    for change in ({"label": "crack"}, {"specimen": "other"}, {"image": tiles[2].image + np.uint8(1)}):
        written([dataclasses.replace(tiles[0], **change), *tiles[1:]])
    written([dataclasses.replace(tiles[0], mask=~tiles[0].mask), *tiles[1:]])
    written(tiles[::-1])
    written(tiles, classes=["crack", "intact"])
    assert found[0] == found[1]
    assert len(set(found[1:])) == len(found) - 1
