"""What MLflow shows of all that has come out: the verdict's numbers, a page of arms, the median run's network."""

import json
import re
import sqlite3
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from safetensors.numpy import save_file
from stores import arm_json, run_json, stored
from workshop import SETTINGS

from micromime.mistakes import Mistake
from micromime.reporting.judged import digests
from micromime.sampling.scores import write_scores
from micromime.stages.publish import name_of, publish
from micromime.tracking.store import store_client, tracking_uri

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

CI99 = {"lo": 0.25, "hi": 0.75, "n": 3}

VERDICT = {
    "test_set": {"kind": "surrogate", "reason": "nothing is given", "name": "grains", "n": 2},
    "arms": {
        name: {"n_runs": runs}
        | {metric: {"mean": 0.5, "sd": 0.25, "ci99_student": CI99} for metric in REST}
        | {"mean_iou": {"mean": mean, "sd": 0.25}, "pixel_error": {"mean": 1 - mean, "sd": 0.25}}
        for name, runs, mean in (("base", 3, 17 / 30), ("tuned", 2, 0.75))
    },
    "grain_size": {"all": {"arms": {name: {"astm_absolute_difference": {"mean": 1.5}} for name in ("base", "tuned")}}},
    "true_sizes": {"a": {"intercept": {"intercept_px": 40}}, "b": {"intercept": None}},
    "paired": {
        key: {"a": a, "b": b, "metric": metric, "on": "x", "paired_by": by, "mean_difference": 0.25, "p_value": p}
        | {"effect_size": 1.5, "n_pairs": 2, "ci99_difference": CI99}
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


def make_test_set(grey_of_b: int = 9) -> None:
    """Write two pictures, a of steel and b of iron."""
    folder = Path("data/test_set/grain_boundaries")
    folder.mkdir(parents=True, exist_ok=True)
    for name, grey in (("a", 7), ("b", grey_of_b)):
        PIL.Image.fromarray(np.full((36, 40), grey, np.uint8)).save(folder / f"{name}.png")
    PIL.Image.fromarray(np.eye(36, 40, dtype=np.uint8) * 255).save(folder / "mask.png")
    (folder / "images.csv").write_text("image,mask,source\na.png,mask.png,steel\nb.png,mask.png,iron\n")


@pytest.fixture
def judged(store: Path) -> Path:
    """A project, the working directory, in which two arms were trained, scored, judged and reported on."""
    train("base", 3)
    train("tuned", 2, "f-base")
    Path("params.yaml").write_text("{profile: tiny, grain_boundaries: {}}")
    make_test_set()
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
    scores = scores.assign(source=scores["picture"].map({"a": "steel", "b": "iron"}), intercept_px=80.0)
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
    assert [metrics[f"base {n}"]["mean_iou"] for n in (1, 2, 3)] == pytest.approx([0.3, 0.8, 0.6])
    assert [metrics["tuned 2"][key] for key in ("pixel_error", "cl_dice", "train_loss")] == pytest.approx([0.1, 0.5, 1])
    assert metrics["base 1"]["astm_g_error"] == pytest.approx(2)  # twice the intercept is 2 below; of b it is unknown
    assert {run.data.tags["micromime.test_set_reason"] for run in found.values()} == {"nothing is given"}
    assert {run.data.tags["micromime.comparison"] for run in found.values()} == {"f-base"}
    client = store_client()
    files = {name: [file.path for file in client.list_artifacts(found[name].info.run_id)] for name in ("base", "tuned")}
    told = ["grain_boundaries.md", "intervals.json", "report.html", "scenario.yaml", "scores.parquet", "tests.json"]
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


@pytest.mark.usefixtures("judged")
def test_the_row_of_an_arm_is_the_verdict_s_in_at_most_twelve_numbers():
    publish("grain_boundaries")
    for name, said in VERDICT["arms"].items():
        row = runs()[name].data.metrics
        means = {metric: said[metric]["mean"] for metric in ("mean_iou", "pixel_error", *REST)}
        assert row.items() >= (means | {"astm_g_error": 1.5}).items()
        assert row.keys() - means.keys() == {"astm_g_error", "images_per_second", "seconds"}
        assert len(row) <= 12


@pytest.mark.usefixtures("judged")
def test_intervals_and_tests_are_tables_of_the_arm():
    publish("grain_boundaries")
    client, tuned = store_client(), runs()["tuned"].info
    tests = client.load_table(tuned.experiment_id, "tests.json", [tuned.run_id])
    assert tests["b"].tolist() == ["local_threshold", "base", "base"]
    assert (tests["p_holm"].iloc[2], tests["ci99_difference.lo"].iloc[2]) == (0.02, 0.25)
    intervals = client.load_table(tuned.experiment_id, "intervals.json", [tuned.run_id])
    assert intervals["score"].tolist() == list(REST)
    assert set(intervals["interval"]) == {"ci99_student"}
    assert (intervals["mean"].iloc[0], intervals["hi"].iloc[0], intervals["on"].iloc[0]) == (
        0.5,
        0.75,
        "grains, 2 pictures",
    )


def best_on(source: str) -> list[tuple[str, float]]:
    """Models and their mean IoU on a source of test pictures, the best first: what README shows."""
    experiment = mlflow.get_experiment_by_name("grain_boundaries")
    digest = json.loads(experiment.tags["micromime.test_sets"])[source]
    order = {"field_name": "metrics.mean_iou", "ascending": False, "dataset_name": source, "dataset_digest": digest}
    models = mlflow.search_logged_models([experiment.experiment_id], order_by=[order], output_format="list")
    return [
        (model.name, score.value)
        for model in models
        for score in model.metrics
        if (score.key, score.dataset_name, score.dataset_digest) == ("mean_iou", source, digest)
    ]


@pytest.mark.usefixtures("judged")
def test_one_call_says_which_model_is_best_on_a_material(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    publish("grain_boundaries")
    base, tuned = "base-run-003", "tuned-run-001"
    assert best_on("surrogate_steel") == [(tuned, 0.6), (base, 0.5)]
    assert best_on("surrogate_iron") == [(base, 0.7), (tuned, 0.6)]
    assert dict(best_on("surrogate_test_set")) == pytest.approx({base: 0.6, tuned: 0.6})
    make_test_set(grey_of_b=10)  # other pictures of iron: what was scored on the old ones is no answer any more
    publish("grain_boundaries")
    digests = [
        {score.dataset_digest for score in model.metrics}
        for model in mlflow.search_logged_models(
            [mlflow.get_experiment_by_name("grain_boundaries").experiment_id], output_format="list"
        )
    ]
    assert [len(each) for each in digests] == [5, 5]  # one of steel, two of iron and of all
    assert best_on("surrogate_iron") == [(base, 0.7), (tuned, 0.6)]
    assert runs()["base 3"].data.metrics["mean_iou"] == pytest.approx(0.6)


def test_pictures_in_another_order_are_the_same_and_other_pixels_are_not():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    one = digests([("steel", "a", image), ("steel", "b", image + 1), ("iron", "c", image)])
    assert digests([("iron", "c", image), ("steel", "b", image + 1), ("steel", "a", image)]) == one
    assert one["steel"] != digests([("steel", "a", image), ("steel", "b", image)])["steel"]
    assert one["iron"] != digests([("iron", "c", image.reshape(4, 3))])["iron"]
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in one.values())


def test_a_source_of_a_surrogate_says_so():
    assert [name_of("kos02", kind) for kind in ("real", "surrogate")] == ["kos02", "surrogate_kos02"]
    assert name_of("surrogate_etched", "surrogate") == "surrogate_etched"
