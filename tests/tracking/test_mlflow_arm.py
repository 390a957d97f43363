"""What is said of a run, before any store hears of it."""

import pytest

from micromime.project.versions import DataVersion, Revision
from micromime.tracking.mlflow_arm import RunDescription, flat


def test_settings_are_flattened_to_their_leaves():
    tree = {"train": {"phases": [{"epochs": 3}, {"epochs": 1}], "sizes": (128, 256)}, "seed": 0, "none": None}
    assert flat(tree) == {
        "train.phases.0.epochs": 3,
        "train.phases.1.epochs": 1,
        "train.sizes.0": 128,
        "train.sizes.1": 256,
        "seed": 0,
        "none": None,
    }


def test_what_is_empty_does_not_vanish():
    assert flat({"augmentation": {}, "phases": []}) == {"augmentation": {}, "phases": []}
    assert flat({}) == {}


@pytest.mark.parametrize(
    ("kind", "tags"),
    [
        ("", {}),
        ("real", {"micromime.test_set": "real", "micromime.test_set_reason": ""}),
        ("surrogate", {"micromime.test_set": "surrogate, not real", "micromime.test_set_reason": ""}),
    ],
)
def test_tags_name_the_test_set_once_there_is_one(kind, tags):
    data = (DataVersion("train", "data/grains", "f.dir"),)
    described = RunDescription("grains", "synthetic", "tiny", "f1", {}, data, Revision("", dirty=False), test_set=kind)
    assert {key: value for key, value in described.tags().items() if "test_set" in key} == tags
    assert described.tags()["micromime.data.train"] == "f.dir"
