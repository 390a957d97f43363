"""What the reports tell of how arms were trained."""

import json

from micromime.arms.arm import run_folder
from micromime.reporting.trained_arms import origin, phases

FOUND = [
    {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": "find", "batch_size": 4},
    {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 2},
]


def test_phases_are_told_arm_by_arm_with_how_their_rates_came_about(workshop):
    workshop.write(phases=FOUND)
    table = phases([workshop.train("base"), workshop.train("tuned", "base")])
    told = table[["arm", "phase", "size_px", "epochs", "peak_rate", "how"]].to_numpy().tolist()
    assert told[:2] == [["base", 1, 32, 2, 0.25, "found"], ["base", 2, 64, 1, 0.001, "given"]]
    assert [row[:2] for row in told[2:]] == [["tuned", 1]]


def test_the_origin_names_profile_runs_data_and_every_kind_of_machine(workshop):
    base, tuned = workshop.train("base"), workshop.train("tuned", "base")
    said = origin([base, tuned])
    assert said["Profile"] == "tiny (`micromime profile tiny && make run`)"
    assert said["Network"] == "unet_efficientnet_lite0, float32, channels last: False"
    assert said["Runs"] == "base 3, tuned 2; run number = seed"
    assert [each.split()[0] for each in said["Data"].split(", ")] == ["base", "tuned"]
    assert (said["Trained on"], said["PyTorch"]) == ("cpu (none), threads of a run: 1", "none")
    file = run_folder(base, 2) / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"processor": "other"}))
    said = origin([base, base], "path")
    assert said["Trained on"] == "cpu (none), threads of a run: 1; cpu (other), threads of a run: 1"
    assert said["Data"].split()[0] == "data/synthetic/grain_boundaries/base"
    assert said["Data"].count("/base ") == 1  # that several arms share
