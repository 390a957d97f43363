"""What MLflow is told of all that has come out: means of runs, statistics of arms, the median run's network."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from stores import arm_json, run_json, stored
from workshop import SETTINGS

from micromime.mistakes import Mistake
from micromime.reporting.judged import Part
from micromime.sampling.scores import write_scores
from micromime.stages.publish import means_of, publish, statistics_of
from micromime.tracking.store import store_client

ROWS = [
    ("base", 1, 0.2, 0.4),
    ("base", 2, 0.7, 0.9),
    ("base", 3, 0.5, 0.7),
    ("tuned", 1, 0.6, 0.6),
    ("tuned", 2, 0.9, 0.9),
]
"""Arm, run, and mean IoU on two pictures: base's median run is 3, tuned's 1."""

REST = ("boundary_f1", "average_precision", "cl_dice", "betti_error", "matched_grains")
"""Metrics of which every picture has 0.5."""

VERDICT = {
    "test_set": {"kind": "surrogate", "reason": "nothing is given", "name": "grains", "n": 2},
    "arms": {
        name: {"n_runs": runs, "mean_iou": {"mean": mean}} for name, runs, mean in (("base", 3, 0.5), ("tuned", 2, 0.7))
    },
    "paired": {
        key: {"a": a, "b": b, "metric": metric, "on": "x", "paired_by": by, "mean_difference": 0.25, "p_value": p}
        | {"effect_size": 1.5, "n_pairs": 2}
        | ({"p_holm": 2 * p if p else None, "n_tests": 2} if by == "run" else {})
        for key, a, b, metric, by, p in (
            ("1", "base", "local_threshold", "mean_iou", "picture", 0.03),
            ("2", "tuned", "local_threshold", "mean_iou", "picture", 0.04),
            ("3", "tuned", "base", "mean_iou", "run", None),
            ("4", "tuned", "base", "pixel_error", "run", 0.01),
        )
    },
}

METRICS, MODELS = Path("metrics/tiny"), Path("models/grain_boundaries")


def train(name: str, runs: int, base: str = "") -> dict:
    """Write the folder of an arm, as training leaves it."""
    said = arm_json(name, f"f-{name}", base, **SETTINGS | {"runs": runs}) | {"use_case": "grain_boundaries"}
    (MODELS / name).mkdir(parents=True)
    (MODELS / name / "arm.json").write_text(json.dumps(said))
    for run in range(1, runs + 1):
        folder = MODELS / name / f"run-{run:03d}"
        folder.mkdir()
        save_file({"weight": np.float32([run, len(name)])}, folder / "weights.safetensors")
        described = {"architecture": "small_unet", "run": run}
        (folder / "model.json").write_text(json.dumps(described))
        said_of_run = run_json(run, 2) | {"inputs": f"i-{name}-{run}", "network": described}
        (folder / "run.json").write_text(json.dumps(said_of_run))
    return said


@pytest.fixture
def judged(store: Path) -> Path:
    """A project, the working directory, in which two arms were trained, scored, judged and reported on."""
    train("base", 3)
    train("tuned", 2, "f-base")
    Path("params.yaml").write_text("{profile: tiny, grain_boundaries: {}}")
    Path("data/test_set/grain_boundaries").mkdir(parents=True)
    Path("data/test_set/grain_boundaries/dataset.json").write_text("{}")
    for arm in ("base", "gone"):
        rows, origin = pd.DataFrame({"id": ["a"]}), {"arm": arm, "fingerprint": f"f-{arm}"}
        write_scores(Path(f"data/scores/grain_boundaries/{arm}.parquet"), rows, origin)
    folder = METRICS / "grain_boundaries"
    (folder / "pictures").mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(VERDICT))
    for name in ("grain_boundaries.md", "grain_boundaries/report.html", "grain_boundaries/pictures/panel.png"):
        (METRICS / name).write_bytes(b"\x89PNG")
    table = [(arm, run, picture, iou) for arm, run, *ious in ROWS for picture, iou in zip("ab", ious, strict=True)]
    scores = pd.DataFrame(table, columns=["arm", "run", "picture", "mean_iou"])
    scores.assign(pixel_error=1 - scores["mean_iou"], **dict.fromkeys(REST, 0.5)).to_parquet(folder / "scores.parquet")
    curves = [
        {"arm": arm, "run": run, "epoch": number, **epoch}
        for arm, run, *_ in ROWS
        for number, epoch in enumerate(run_json(run, 2)["epochs"], 1)
    ]
    pd.DataFrame(curves).to_csv(folder / "curves.csv", index=False)
    return store


def runs() -> dict:
    found = stored("arm", use_case="grain_boundaries") + stored("run", use_case="grain_boundaries")
    assert {run.info.status for run in found} == {"FINISHED"}
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found)
    return by_name


def test_a_store_has_it_all_and_nothing_twice(judged, capsys):
    publish("grain_boundaries")
    said = capsys.readouterr().out
    with sqlite3.connect(judged) as database:
        before = list(database.iterdump())
    publish("grain_boundaries")
    with sqlite3.connect(judged) as database:
        assert list(database.iterdump()) == before
    assert capsys.readouterr().out == said
    found = runs()
    assert sorted(found) == sorted(["base", "base 1", "base 2", "base 3", "tuned", "tuned 1", "tuned 2"])
    metrics = {name: run.data.metrics for name, run in found.items()}
    assert [metrics[f"base {n}"]["surrogate.mean_iou"] for n in (1, 2, 3)] == pytest.approx([0.3, 0.8, 0.6])
    assert [metrics["tuned 2"][key] for key in ("surrogate.pixel_error", "surrogate.cl_dice", "train_loss")] == (
        pytest.approx([0.1, 0.5, 1])
    )
    assert metrics["tuned"]["surrogate.pixel_error.minus_base.p_holm"] == 0.02
    assert "surrogate.mean_iou.minus_base.p_value" not in metrics["tuned"]
    assert {run.data.tags["micromime.test_set_reason"] for run in found.values()} == {"nothing is given"}
    assert {run.data.tags["micromime.comparison"] for run in found.values()} == {"f-base"}
    client = store_client()
    files = {name: [file.path for file in client.list_artifacts(found[name].info.run_id)] for name in ("base", "tuned")}
    told = ["grain_boundaries.md", "report.html", "scores.parquet"]
    assert files == {"base": sorted([*told, "base.parquet", "pictures"]), "tuned": told}
    versions = client.search_model_versions("name = 'micromime-grain_boundaries-tiny'")
    tags = sorted((each.tags["micromime.arm"], each.tags["micromime.seed"]) for each in versions)
    assert tags == [("base", "3"), ("tuned", "1")]
    assert "base: run 3 is registered as models:/micromime-grain_boundaries-tiny@base\n" in said


@pytest.mark.usefixtures("judged")
def test_without_a_verdict_the_arms_are_told_alone():
    (METRICS / "grain_boundaries/verdict.json").unlink()
    publish("grain_boundaries")
    assert len(runs()) == 7
    with pytest.raises(Mistake, match="chip_cracks"):
        publish("chip_cracks")
    (MODELS / "base").rename(MODELS / ".base")  # as it is while an arm is written
    (MODELS / ".base/arm.json").write_text("{")
    publish()
    (MODELS / "tuned/arm.json").write_text("{")
    with pytest.raises(Mistake, match=r"tuned/arm\.json is damaged"):
        publish()


def test_an_arm_s_statistics_are_its_own_and_those_against_earlier_arms():
    kept = {"mean_difference": 0.25, "effect_size": 1.5, "n_pairs": 2}
    assert statistics_of("tuned", VERDICT) == {
        "n_runs": 2,
        "mean_iou": {"mean": 0.7},
        "mean_iou.minus_local_threshold": kept | {"p_value": 0.04},
        "mean_iou.minus_base": kept | {"p_value": None, "p_holm": None},
        "pixel_error.minus_base": kept | {"p_value": 0.01, "p_holm": 0.02},
    }


def test_what_a_further_verdict_says_stands_under_its_prefix():
    rows = pd.DataFrame({"run": [1, 1, 2], "picture": ["a", "b", "a"], "error_rate": [1.0, 0.0, 0.25]})
    parts = [Part("", "mixed", {}, rows[rows["picture"] == "a"]), Part("every", "mixed", {}, rows)]
    assert means_of(parts, ["error_rate"]) == {
        1: {"": {"error_rate": 1.0}, "every": {"error_rate": 0.5}},
        2: {"": {"error_rate": 0.25}, "every": {"error_rate": 0.25}},
    }
