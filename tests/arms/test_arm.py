"""An arm: what decides its networks and what does not, and that it is read back as it was planned."""

import dataclasses
import json
from pathlib import Path

import pytest

from micromime.arms import arm as arms
from micromime.arms.arm import Arm, describe, described, planned_arm, trained
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.scenario.streams import stream
from micromime.training.settings import TrainParameters

OTHER = {
    "architecture": "unet_resnet50",
    "validation_share": 0.25,
    "precision": "bfloat16",
    "channels_last": True,
    "threads": 2,
    "finder_steps": 21,
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.75},
    "target": "centre_line",
    "cl_dice_share": 0.25,
    "rehearsal_share": 0.5,
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


def test_settings_left_out_are_those_that_change_nothing(workshop, base):
    before = base.fingerprint
    workshop.write(target="mask", cl_dice_share=0, rehearsal_share=0)
    assert planned().fingerprint == before


def noted(names):
    """Stand in for `code_of`: the code is another, and its names are noted."""

    def code_of(*given):
        names.extend(given)
        return ["other code"]

    return code_of


def test_the_code_that_trains_decides_and_that_of_its_architecture(base, monkeypatch):
    before, asked = base.fingerprint, []
    monkeypatch.setattr(arms, "code_of", noted(asked))
    assert base.fingerprint != before
    assert {"training/learner", "datasets/splits", "training/architectures/unet_efficientnet_lite0"} < set(asked)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({}, {"training/losses", "training/targets"}),
        ({"architecture": "efficientnet_lite0"}, set()),
        ({"rehearsal_share": 0.5}, {"training/losses", "training/targets", "datasets/rehearsal"}),
    ],
    ids=["masks", "classes", "rehearsal"],
)
def test_code_that_an_arm_does_not_use_decides_nothing(workshop, base, monkeypatch, changed, names):
    workshop.write(**changed)
    asked = []
    monkeypatch.setattr(arms, "code_of", noted(asked))
    assert planned(data=base.data).fingerprint
    assert set(asked) & {"training/losses", "training/targets", "datasets/rehearsal"} == names


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


CHAIN = ("base", "second", "third", "fourth")
"""Arms that go on one with another."""


def rehearsing(share):
    """What params.yaml says under finetune."""
    return {"runs": 2, "rehearsal_share": share, "phases": [OTHER["phases"][0]]}


@pytest.fixture
def chain(workshop):
    """What trains the arms of a chain, each round of which rehearses such a share, and returns the last one."""

    def made(share):
        workshop.write(finetune=rehearsing(share))
        for arm, start in zip(CHAIN, ("", *CHAIN), strict=False):
            workshop.train(arm, start)
        return Arm.read(Path("models/fourth"))

    return made


def test_the_data_sets_of_a_chain_come_in_the_order_they_were_trained_on(chain):
    last = chain(0.5)
    assert last.earlier == [Path("data/base"), Path("data/second"), Path("data/third")]
    assert [Arm.read(Path("models", name)).earlier for name in CHAIN[:2]] == [[], [Path("data/base")]]


def test_what_an_arm_rehearses_is_drawn_from_all_that_was_before(chain, monkeypatch):
    monkeypatch.setattr(arms, "Rehearsed", lambda *given: given)
    new, earlier, share, rng = chain(0.25).dataset(2)
    assert (new.folder, share) == (Path("data/fourth"), 0.25)
    assert [each.folder for each in earlier] == [Path("data", name) for name in CHAIN[:3]]
    assert rng.bit_generator.state == stream(2, "rehearsal").bit_generator.state


def test_an_arm_that_rehearses_nothing_has_its_own_data_set_alone(chain):
    own = chain(0.0).dataset(1)
    assert (type(own), own.folder) == (Dataset, Path("data/fourth"))


def test_how_much_is_rehearsed_decides(workshop, chain):
    fingerprints = {chain(0.5).fingerprint}
    for share in (0.5, 0.25, 0):
        workshop.write(finetune=rehearsing(share))
        fingerprints.add(planned("fourth", Path("models/third")).fingerprint)
    assert len(fingerprints) == 3


def test_data_sets_far_back_decide(workshop, chain):
    last = chain(0.5)
    before = last.fingerprint
    workshop.data("base", seed=1)
    assert last.fingerprint != before


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
