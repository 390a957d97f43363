"""What MLflow is told at the end: means of every run, statistics of every arm, the median run's network."""

from pathlib import Path

import pandas as pd
import pytest

from micromime.arms.arm import described
from micromime.reporting.judged import Judged, Part
from micromime.tracking import tell as stage
from micromime.tracking.registry import Registered
from micromime.tracking.tell import means_of, statistics_of, tell

ROWS = [
    ("base", 1, 0.2, 0.4),
    ("base", 2, 0.7, 0.9),
    ("base", 3, 0.5, 0.7),
    ("tuned", 1, 0.6, 0.6),
    ("tuned", 2, 0.9, 0.9),
]
"""Arm, run, and mean IoU on two pictures: base's median run is 3, tuned's 1."""

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


@pytest.fixture
def judged(workshop):
    arms = [workshop.train("base"), workshop.train("tuned", "base")]
    table = [(arm, run, picture, iou) for arm, run, *ious in ROWS for picture, iou in zip("ab", ious, strict=True)]
    scores = pd.DataFrame(table, columns=["arm", "run", "picture", "mean_iou"])
    scores = scores.assign(pixel_error=1 - scores["mean_iou"], **dict.fromkeys(REST, 0.5))
    return Judged(VERDICT, scores, pd.DataFrame(), pd.DataFrame(), arms)


class Mlflow:
    """Takes all that it is told."""

    def __init__(self):
        self.judged, self.pictures, self.registered = {}, [], {}

    def tell_judged(self, said, by_run, of_arm, files):
        self.judged[said.arm] = (said, by_run, of_arm, files)

    def tell_pictures(self, said, pictures):
        self.pictures.append((said.arm, pictures))

    def tell_model(self, said, network):
        self.registered[said.arm] = network
        return Registered("micromime-grains-tiny", "1", said.arm)


@pytest.fixture
def mlflow(monkeypatch):
    taker = Mlflow()
    monkeypatch.setattr(stage, "open_store", lambda _: None)
    for name in ("tell_judged", "tell_pictures", "tell_model"):
        monkeypatch.setattr(stage, name, getattr(taker, name))
    return taker


REST = ("boundary_f1", "average_precision", "cl_dice", "betti_error", "matched_grains")
"""Metrics of which every picture has 0.5."""

FILES, PICTURES = [Path("grains.md"), Path("report.html")], {"panel": Path("panel.png")}


def test_every_run_is_told_its_means_over_the_pictures(judged, micrographs, mlflow):
    tell("grains", judged, micrographs, FILES, PICTURES)
    _, by_run, of_arm, files = mlflow.judged["base"]
    means = {1: (0.7, 0.3), 2: (0.2, 0.8), 3: (0.4, 0.6)}
    rest = dict.fromkeys(REST, 0.5)
    assert by_run == {
        run: pytest.approx({"pixel_error": error, "mean_iou": iou} | rest) for run, (error, iou) in means.items()
    }
    assert list(mlflow.judged["tuned"][1]) == [1, 2]
    assert of_arm == statistics_of("base", VERDICT)
    assert files == FILES


def test_pictures_go_to_the_arm_that_has_predicted_what_they_show(judged, micrographs, mlflow):
    tell("grains", judged, micrographs, FILES, PICTURES)
    assert mlflow.pictures == [("base", PICTURES)]


def test_the_network_of_each_median_run_is_registered(judged, micrographs, mlflow, capsys):
    tell("grains", judged, micrographs, FILES, PICTURES)
    assert mlflow.registered == {"base": Path("models/base/run-003"), "tuned": Path("models/tuned/run-001")}
    assert "base: run 3 is registered as models:/micromime-grains-tiny@base\n" in capsys.readouterr().out


def test_a_network_that_is_not_here_is_neither_registered_nor_trained(workshop, judged, micrographs, mlflow, capsys):
    Path("models/base/run-003/weights.safetensors").unlink()
    workshop.trained.clear()
    tell("grains", judged, micrographs, FILES, PICTURES)
    assert list(mlflow.registered) == ["tuned"]
    assert "base: run 3 was taken from its record; there is no network to register\n" in capsys.readouterr().out
    assert workshop.trained == []
    assert list(mlflow.judged) == ["base", "tuned"]


def test_an_arm_is_told_of_what_it_was_judged_on(judged, micrographs, mlflow):
    tell("grains", judged, micrographs, FILES, PICTURES)
    said = mlflow.judged["tuned"][0]
    assert (said.test_set, said.test_set_reason) == ("surrogate", "nothing is given")
    assert [(each.name, each.context) for each in said.data] == [("tuned", "training"), ("test_set", "testing")]
    assert said.fingerprint == described(judged.arms[1]).fingerprint
    assert said.base == described(judged.arms[0]).fingerprint


def test_a_real_test_set_has_no_reason(judged, micrographs):
    said = stage.tested(judged.arms[0], {"kind": "real", "reason": None}, micrographs)
    assert (said.test_set, said.test_set_reason) == ("real", "")


def test_an_arm_s_statistics_are_its_own_and_those_against_earlier_arms():
    kept = {"mean_difference": 0.25, "effect_size": 1.5, "n_pairs": 2}
    assert statistics_of("tuned", VERDICT) == {
        "n_runs": 2,
        "mean_iou": {"mean": 0.7},
        "mean_iou.minus_local_threshold": kept | {"p_value": 0.04},
        "mean_iou.minus_base": kept | {"p_value": None, "p_holm": None},
        "pixel_error.minus_base": kept | {"p_value": 0.01, "p_holm": 0.02},
    }
    assert list(statistics_of("base", VERDICT)) == ["n_runs", "mean_iou", "mean_iou.minus_local_threshold"]


def test_what_a_further_verdict_says_stands_under_its_prefix():
    rows = pd.DataFrame({"run": [1, 1, 2], "picture": ["a", "b", "a"], "error_rate": [1.0, 0.0, 0.25]})
    parts = [Part("", "mixed", {}, rows[rows["picture"] == "a"]), Part("every", "mixed", {}, rows)]
    assert means_of(parts, ["error_rate"]) == {
        1: {"error_rate": 1.0, "every": {"error_rate": 0.5}},
        2: {"error_rate": 0.25, "every": {"error_rate": 0.25}},
    }


@pytest.mark.slow
def test_a_store_has_it_all_and_nothing_twice(judged, micrographs):
    from mlflow import MlflowClient

    for name in FILES:
        name.write_text("text")
    PICTURES["panel"].write_bytes(b"\x89PNG\r\n\x1a\n")
    for _ in range(2):
        tell("grain_boundaries", judged, micrographs, FILES, PICTURES)
    client = MlflowClient(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    stored = client.search_runs([client.get_experiment_by_name("grain_boundaries").experiment_id])
    runs = {run.info.run_name: run for run in stored}
    assert sorted(runs) == sorted(["base", "base 1", "base 2", "base 3", "tuned", "tuned 1", "tuned 2"])
    assert len(stored) == 7
    assert runs["base 2"].data.metrics["surrogate.mean_iou"] == pytest.approx(0.8)
    assert runs["tuned"].data.metrics["surrogate.pixel_error.minus_base.p_value"] == 0.01
    assert runs["tuned"].data.metrics["surrogate.pixel_error.minus_base.p_holm"] == 0.02
    assert "surrogate.mean_iou.minus_base.p_value" not in runs["tuned"].data.metrics
    assert {run.data.tags["micromime.test_set"] for run in stored} == {"surrogate, not real"}
    names = {name: [file.path for file in client.list_artifacts(runs[name].info.run_id)] for name in ("base", "tuned")}
    assert names == {"base": ["grains.md", "pictures", "report.html"], "tuned": ["grains.md", "report.html"]}
    versions = client.search_model_versions("name = 'micromime-grain_boundaries-tiny'")
    assert {(each.tags["micromime.arm"], each.tags["micromime.seed"]) for each in versions} == {
        ("base", "3"),
        ("tuned", "1"),
    }
    assert len(versions) == 2
