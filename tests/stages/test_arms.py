"""An arm: what decides its networks and what does not, and that it is read back as it was planned."""

import dataclasses
import json
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.parameters import read_tree
from micromime.stages import arms
from micromime.stages.arms import Arm, describe, described, planned_arm, trained
from micromime.training.phases import TrainParameters

OTHER = {
    "architecture": "unet_resnet50",
    "validation_share": 0.25,
    "precision": "bfloat16",
    "channels_last": True,
    "threads": 2,
    "finder_steps": 21,
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.75},
    "phases": [{"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": 0.003, "batch_size": 4}],
}
"""Every setting but the number of runs, with another value than the workshop's."""


def planned(name="base", start=None, data=None):
    tree = read_tree(Path("params.yaml"))
    return planned_arm(tree, "grain_boundaries", data or Path("data", name), Path("models", name), start)


def plain(told):
    """As JSON has it: lists for tuples."""
    return json.loads(json.dumps(dataclasses.asdict(told)))


@pytest.fixture
def base(workshop):
    workshop.data("base")
    return planned()


def test_the_list_of_settings_is_whole():
    assert OTHER.keys() == TrainParameters.model_fields.keys() - {"runs"}


@pytest.mark.parametrize("key", OTHER)
def test_every_setting_but_the_number_of_runs_decides(workshop, base, key):
    workshop.write(**{key: OTHER[key]})
    assert planned().fingerprint != base.fingerprint


def test_the_data_decide_by_their_content_not_by_their_place(workshop, base):
    before = base.fingerprint
    assert planned(data=workshop.data("copy")).fingerprint == before
    workshop.data("base", seed=1)
    assert base.fingerprint != before


def test_names_and_the_number_of_runs_decide_nothing(workshop, base):
    workshop.write(profile="other", runs=7)
    same = dataclasses.replace(planned(data=base.data), name="random", use_case="chips")
    assert same.settings.runs == 7
    assert [same.inputs(run) for run in (1, 2)] == [base.inputs(run) for run in (1, 2)]


def test_the_code_that_trains_decides_and_that_of_its_architecture(base, monkeypatch):
    asked = []

    def code_of(*names):
        asked.extend(names)
        return ["other code"]

    before = base.fingerprint
    monkeypatch.setattr(arms, "code_of", code_of)
    assert base.fingerprint != before
    assert {"training/learner", "datasets/splits", "training/architectures/unet_efficientnet_lite0"} < set(asked)


def test_runs_differ_and_rates_that_were_found_decide_all_but_the_first(base):
    slow, fast = (dataclasses.replace(base, rates=rates) for rates in ((0.1, 0.2), (0.1, 0.3)))
    assert len({each.inputs(run) for each in (base, slow, fast) for run in (2, 3)}) == 6
    assert base.inputs(1) == slow.inputs(1) == fast.inputs(1)


def test_the_first_run_finds_the_rates_and_the_others_are_given_them(workshop, base):
    workshop.write(phases=[OTHER["phases"][0] | {"peak_rate": "find"}])
    arm = dataclasses.replace(planned(), rates=(0.125,))
    assert [arm.settings_of(run).rates for run in (1, 2)] == [None, (0.125,)]
    assert base.settings_of(2) == base.settings


def test_the_networks_that_it_goes_on_with_decide_run_by_run(workshop):
    parent = workshop.train("base")
    workshop.data("random")
    arm, alone = planned("random", parent), planned("random")
    assert dataclasses.replace(arm, settings=alone.settings).fingerprint != alone.fingerprint
    before = [arm.inputs(run) for run in (1, 2)]
    said = trained(parent, 2) | {"inputs": "another network"}
    (parent / "run-002" / "run.json").write_text(json.dumps(said))
    assert arm.inputs(1) == before[0]
    assert arm.inputs(2) != before[1]


def test_an_arm_that_goes_on_has_its_own_phases_and_runs_and_all_else_as_before(workshop):
    parent = workshop.train("base")
    phases = [{"size_px": 96, "trainable": "head", "epochs": 5, "peak_rate": 0.25, "batch_size": 2}]
    workshop.write(finetune={"runs": 3, "phases": phases})
    settings, before = planned("random", parent).settings, Arm.read(parent).settings
    assert settings.model_dump(exclude_unset=True)["phases"] == tuple(phases)
    assert settings.model_copy(update={"phases": before.phases}) == before


def test_more_runs_than_there_are_networks_to_go_on_with_are_a_mistake(workshop):
    parent = workshop.train("base")
    workshop.write(finetune={"runs": 4, "phases": OTHER["phases"]})
    said = r"^grain_boundaries\.finetune\.runs is 4, but models/base has 3 networks to go on with; lower it, or raise"
    with pytest.raises(Mistake, match=said):
        planned("random", parent)


@pytest.mark.parametrize("start", ["", "base"])
def test_an_arm_is_read_back_as_it_was_planned(workshop, start):
    workshop.write(phases=[OTHER["phases"][0] | {"peak_rate": "find"}])
    parent = workshop.train("base")
    out = workshop.train("random", start) if start else parent
    arm = dataclasses.replace(planned(out.name, parent if start else None), rates=None if start else (0.25,))
    read = Arm.read(out)
    assert read == arm
    assert read.fingerprint == arm.fingerprint == json.loads((out / "arm.json").read_text())["fingerprint"]
    assert [trained(out, run)["inputs"] for run in read.runs] == [arm.inputs(run) for run in read.runs]
    assert plain(described(out)) == plain(describe(arm, "tiny"))


def test_what_mlflow_is_told_says_where_the_data_come_from(workshop):
    workshop.train("base")
    workshop.data("random")
    told = describe(planned("random", Path("models/base")), "tiny")
    assert told.params["data"] == {
        "scenario": {"rows": 72, "cols": 96},
        "count": 10,
        "seed": 0,
        "parent": None,
        "sampler": None,
    }
    assert told.base == workshop.begun[0].fingerprint != told.fingerprint
    assert [(each.name, each.path) for each in told.data] == [("random", "data/random")]


def test_no_arm_is_a_mistake(tmp_path):
    with pytest.raises(Mistake, match=r"holds no arm\.json; train an arm to it first"):
        Arm.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ('"params"', '"prams"'),
        ('"threads": 1', '"threads": 0'),
        ('"base"', "7"),
        ('"data": [', '"data": 7, "x": ['),
        ('"data": [', '"data": [], "x": ['),
        ('"runs"', '"rnus"'),
        ('"start": null,', ""),
    ],
)
def test_a_damaged_arm_is_a_mistake(workshop, old, new):
    file = workshop.train() / "arm.json"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(
        Mistake, match=r"^models/base/arm\.json is damaged, or of another version; train the arm anew\.$"
    ):
        Arm.read(file.parent)
