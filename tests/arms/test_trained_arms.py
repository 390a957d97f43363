"""What the reports tell of how arms were trained."""

import json

from micromime.arms.arm import run_folder
from micromime.arms.trained_arms import origin, phases, phases_of

FOUND = [
    {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": "find", "batch_size": 4},
    {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 2},
]


def test_rates_are_told_with_how_they_came_about(workshop):
    workshop.write(phases=FOUND)
    rows = phases_of(workshop.train())
    assert [(row["arm"], row["phase"], row["size_px"], row["epochs"]) for row in rows] == [
        ("base", 1, 32, 2),
        ("base", 2, 64, 1),
    ]
    assert [(row["peak_rate"], row["how"]) for row in rows] == [(0.25, "found"), (0.001, "given")]


def test_the_origin_names_profile_runs_data_and_machine(workshop):
    said = origin([workshop.train("base"), workshop.train("tuned", "base")])
    assert said["Profile"] == "tiny (`micromime profile tiny && make run`)"
    assert said["Network"] == "unet_efficientnet_lite0, float32, channels last: False"
    assert said["Runs"] == "base 3, tuned 2; run number = seed"
    assert [each.split()[0] for each in said["Data"].split(", ")] == ["base", "tuned"]
    assert (said["Trained on"], said["PyTorch"]) == ("cpu (none), threads of a run: 1", "none")


def test_the_origin_names_every_kind_of_machine(workshop):
    base = workshop.train("base")
    file = run_folder(base, 2) / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"processor": "other"}))
    assert origin([base])["Trained on"] == "cpu (none), threads of a run: 1; cpu (other), threads of a run: 1"


def test_every_arm_has_its_phases_one_after_the_other(workshop):
    arms = [workshop.train("base"), workshop.train("tuned", "base")]
    assert phases(arms)[["arm", "phase"]].to_numpy().tolist() == [["base", 1], ["base", 2], ["tuned", 1]]


def test_data_that_several_arms_share_is_named_once_and_by_its_path_if_asked(workshop):
    base = workshop.train("base")
    said = origin([base, base], "path")["Data"]
    assert said.split()[0] == "data/base"
    assert said.count("data/base") == 1
