"""An arm: what decides its networks and what does not, what it trains on, and that it is read back as planned."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micromime.arms import arm as arms
from micromime.arms.arm import Arm, planned_arm, said_of, trained
from micromime.datasets.rehearsal import Rehearsed, carry_on
from micromime.datasets.store import Dataset, write_arrays, write_description
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Sample
from micromime.scenario.streams import stream
from micromime.training.settings import TrainParameters

GRAINS = "grain_boundaries"
PHASE = {"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": 0.003, "batch_size": 4}
FOUND = [PHASE | {"peak_rate": "find"}]

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
    "phases": [PHASE],
}
"""Every setting but the number of runs, with another value than the workshop's."""


def planned(name="base", start=None):
    tree = read_tree(Path("params.yaml"))
    return planned_arm(tree, GRAINS, places.synthetic(GRAINS, name), places.models(GRAINS, name), start)


@pytest.fixture
def base(workshop):
    workshop.data("base")
    return planned()


def test_the_list_of_settings_is_whole():
    assert OTHER.keys() == TrainParameters.model_fields.keys() - {"runs"}


@pytest.mark.parametrize("key", OTHER)
def test_every_setting_but_the_number_of_runs_decides(workshop, base, key):
    workshop.write(**{key: OTHER[key]})
    assert planned().inputs(1) != base.inputs(1)


def test_names_places_comments_and_the_number_of_runs_decide_nothing(workshop, base):
    before = [base.inputs(run) for run in (1, 2)]
    defaults = {"target": "mask", "cl_dice_share": 0, "rehearsal_share": 0}
    workshop.write(profile="other", runs=7, **defaults)
    with Path("params.yaml").open("a") as file:
        file.write("  # a comment\n")
    place = shutil.copytree(base.data, "elsewhere/other")
    same = replace(planned(), name="random", use_case="chips", data=Path(place), beside=Path("nowhere"))
    assert same.settings.runs == 7
    assert [same.inputs(run) for run in (1, 2)] == before


def test_run_number_data_rates_and_the_learners_version_decide(workshop, base, monkeypatch):
    found = [base.inputs(1), base.inputs(2)]
    slow, fast = (replace(base, rates=rates) for rates in ((0.1, 0.2), (0.1, 0.3)))
    assert found[0] == slow.inputs(1) == fast.inputs(1)
    found += [slow.inputs(2), fast.inputs(2)]
    with monkeypatch.context() as patch:
        patch.setattr(arms, "LEARNER", arms.LEARNER + 1)
        found += [base.inputs(1), base.inputs(2)]
    workshop.data("base", seed=1)
    found += [base.inputs(1), base.inputs(2)]
    assert len(set(found)) == 8


def test_the_networks_that_it_goes_on_with_decide_run_by_run(workshop):
    parent = workshop.train("base")
    workshop.data("random")
    arm = planned("random", parent)
    before = [arm.inputs(run) for run in (1, 2)]
    assert not {*before} & {replace(arm, start=None).inputs(run) for run in (1, 2)}
    (parent / "run-002" / "run.json").write_text(json.dumps(trained(parent, 2) | {"inputs": "another network"}))
    assert [arm.inputs(run) == before[run - 1] for run in (1, 2)] == [True, False]


def test_an_arm_that_goes_on_has_its_own_phases_runs_and_rehearsal_and_all_else_as_before(workshop):
    parent = workshop.train("base")
    asked = {"runs": 2, "rehearsal_share": 0.5, "phases": [PHASE | {"epochs": 5}]}
    workshop.write(finetune=asked)
    settings, before = planned("random", parent).settings, Arm.read(parent).settings
    assert (settings.runs, settings.rehearsal_share, settings.epochs) == (2, 0.5, 5)
    assert settings.model_copy(update={key: getattr(before, key) for key in asked}) == before
    workshop.write(finetune=asked | {"runs": 4})
    with pytest.raises(Mistake, match=r"finetune\.runs is 4, but \S*base has 3 networks to go on with"):
        planned("random", parent)


def grey(folder, values, **description):
    """Write a data set whose every image is of one grey level, and its row says which."""
    samples = [Sample(np.full((4, 6), value, np.uint8), np.full((4, 6), True)) for value in values]
    write_arrays(folder / "shard-00000", samples, [{"id": f"{n:06d}", "grey": v} for n, v in enumerate(values)])
    write_description(folder, {"scenario": {}, "seed": values[0], **description})


def test_what_a_run_rehearses_is_drawn_from_all_data_before_anew_for_each_run(workshop):
    first, second, third = (places.synthetic(GRAINS, name) for name in ("base", "second", "third"))
    grey(first, range(10, 20))
    grey(second, range(20, 30), earlier=carry_on(first, second))
    grey(third, range(30, 40), earlier=carry_on(second, third))
    shutil.rmtree(first)
    shutil.rmtree(second)  # a round needs no other data than its own
    workshop.write(rehearsal_share=0.5)
    arm = planned("third")
    seen = [arm.dataset(run).samples["grey"].tolist() for run in (1, 2)]
    earlier = [Dataset(third / "earlier" / name) for name in ("base", "second")]
    by_hand = Rehearsed(Dataset(third), earlier, 0.5, stream(2, "rehearsal")).samples["grey"].tolist()
    assert seen[1] == by_hand != seen[0]
    workshop.write(rehearsal_share=0)
    assert planned("third").dataset(1).samples["grey"].tolist() == list(range(30, 40)) == seen[0][:10]


def test_an_arm_is_read_back_as_it_was_planned_and_says_what_it_was_made_from(workshop):
    workshop.write(phases=FOUND)
    folders = [workshop.train("base"), workshop.train("random", "base")]
    base = replace(planned(), rates=(0.125,))
    assert [base.settings_of(run).rates for run in (1, 2)] == [
        None,
        (0.125,),
    ]  # the first run finds them for the others
    for folder, arm in zip(folders, (replace(base, rates=(0.25,)), planned("random", folders[0])), strict=True):
        read, said = Arm.read(folder), said_of(folder)
        assert read == arm
        assert read.fingerprint == arm.fingerprint == said["fingerprint"]
        assert [trained(folder, run)["inputs"] for run in read.runs] == [arm.inputs(run) for run in read.runs]
        assert json.loads(json.dumps(arm.written("tiny"))) == said
        assert [(each["name"], each["path"]) for each in said["data"]] == [(arm.name, arm.data.as_posix())]
        described = {"scenario": {"rows": 72, "cols": 96}, "count": 10, "seed": 0, "parent": None}
        assert (said["params"]["data"], said["params"]["train"]["runs"]) == (described, arm.settings.runs)
        assert said["base"] == (Arm.read(folders[0]).fingerprint if arm.start else "") != said["fingerprint"]
    beside = replace(base, beside=folders[0]).written("tiny")
    assert (beside["base"], beside["beside"]) == (said["base"], folders[0].as_posix())


def test_no_arm_and_no_run_are_mistakes(workshop, tmp_path):
    with pytest.raises(Mistake, match=r"holds no arm\.json; name the folder of an arm"):
        Arm.read(tmp_path)
    with pytest.raises(Mistake, match=r"run-009/run\.json is not there; the runs of \S+/base are 1 to 3\.$"):
        trained(workshop.train(), 9)


DAMAGES = {
    "{": "",
    '"params"': '"prams"',
    '"threads": 1': '"threads": 0',
    '"data": [': '"data": [], "x": [',
    '"start"': '"begin"',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_arm_is_a_mistake(workshop, damage):
    file = workshop.train() / "arm.json"
    file.write_text(file.read_text().replace(damage, DAMAGES[damage]))
    with pytest.raises(Mistake, match=r"base/arm\.json is damaged, or of another version; train the arm anew\.$"):
        Arm.read(file.parent)
