"""The whole pipeline with the tiny profile, in a clone of the working tree: two commands, as a person gives them."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from clones import (
    ARMS,
    CRACKS,
    VERDICT,
    Ran,
    copied,
    environment,
    module,
    reports,
    run,
)

from micromime.datasets.store import Dataset
from micromime.judging.metrics import TESTED
from micromime.pictures.test_set import NO_REAL_SET
from micromime.scenario.parameters import read_tree

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]  # a fixture may wait for what another worker makes

METRICS = set(TESTED)
INTERVALS = {"ci99_student", "ci99_agresti_coull_paper"}
COMPARISON = {"a", "b", "metric", "on", "n_pairs", "mean_difference", "p_value", "effect_size"}
MODELS = ["synthetic", "real", "longer", "mixed"]


@pytest.fixture(scope="module")
def first(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A copy for this file alone, which gives it further commands."""
    return Ran(copied(first, tmp_path_factory.mktemp("first")), first.said)


def test_without_real_pictures_the_table_says_so_and_why(first):
    assert f"Test set: surrogate, not real ({NO_REAL_SET}); grain_boundaries, n = 3" in first.said
    assert f"Test set: surrogate, not real ({NO_REAL_SET}); chip_cracks, n = " in first.said
    assert {stage.partition("@")[0] for stage in first.stages} == set(read_tree(first.clone / "dvc.yaml")["stages"])
    assert sorted(stage for stage in first.stages if "@" in stage) == sorted(
        [
            f"{stage}_grain_boundaries@{arm}"
            for stage in ("resample", "finetune", "score_rounds")
            for arm in ("random", "adaptive")
        ]
    )


def test_without_a_remote_everything_is_computed(first):
    assert len(first.stages) == 25
    assert "does not answer" not in first.said
    assert all(reports(first.clone))


def test_the_verdict_has_all_its_keys(first):
    verdict = first.verdict
    assert verdict["test_set"].items() >= {"kind": "surrogate", "name": "grain_boundaries", "n": 3}.items()
    assert verdict["baselines"].keys() == {"nothing_found", "otsu", "local_threshold"}
    assert list(verdict["arms"]) == ARMS
    for arm in verdict["arms"].values():
        assert arm.pop("n_runs") == 2
        assert arm.keys() == METRICS
        for summary in arm.values():
            assert summary.keys() == {"mean", "sd", *INTERVALS}
            assert all(summary[key].keys() >= {"lo", "hi"} for key in INTERVALS)
    assert all(part["arms"]["base"].keys() == METRICS for part in verdict["by_source"].values())
    assert verdict["grain_size"]["all"]["arms"].keys() == set(ARMS)
    assert {(test["a"], test["b"]) for test in verdict["paired"].values() if test["paired_by"] == "run"} == {
        ("random", "base"),
        ("adaptive", "base"),
        ("adaptive", "random"),
    }
    assert all(test.keys() >= COMPARISON for test in verdict["paired"].values())
    assert verdict["at_operating_points"]["thresholds"].keys() == set(ARMS)
    assert {row["arm"] for row in verdict["astm_by_picture"]} == set(ARMS)
    assert {test["metric"] for test in verdict["paired"].values()} == METRICS


@pytest.mark.parametrize("name", ["panel", "figure_4", "worst"])
def test_the_pictures_are_pictures(first, name):
    with PIL.Image.open(first.clone / VERDICT.with_suffix("") / f"{name}.png") as picture:
        picture.load()
    assert min(picture.size) > 200


def test_the_report_is_a_page_that_says_what_was_tested_on(first):
    page = (first.clone / VERDICT.with_suffix("") / "report.html").read_text()
    assert (
        "surrogate, not real"
        in re.search(r"<h1.*?</h1>", page, re.DOTALL)[0] + re.search(r"<title>.*?</title>", page)[0]
    )
    assert all(f">{arm}" in page for arm in ARMS)


def test_every_arm_has_as_many_new_images_and_says_what_they_vary(first):
    described = {
        arm: json.loads((first.clone / f"data/synthetic/grain_boundaries/{arm}/dataset.json").read_text())
        for arm in ARMS[1:]
    }
    assert {each["count"] for each in described.values()} == {10}
    base = first.clone / "data/synthetic/grain_boundaries/base/dataset.json"
    assert {each["parent"]["sha256"] for each in described.values()} == {hashlib.sha256(base.read_bytes()).hexdigest()}
    parents = {
        arm: set(Dataset(first.clone / f"data/synthetic/grain_boundaries/{arm}").samples["parent"]) for arm in ARMS[1:]
    }
    scores = pd.read_parquet(first.clone / "data/scores/grain_boundaries/base.parquet")
    assert parents == {"random": {""}, "adaptive": {scores.loc[scores["score.mean_iou"].idxmin(), "id"]}}


def test_dvc_plots_the_learning_curves_and_the_pictures(first, tmp_path):
    module(first.clone, "dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "curves_csv" in page
    assert len(list(tmp_path.rglob("*.png"))) == 6


def shown_by_dvc(tree: dict) -> dict:
    """What DVC shows of nested metrics: it leaves out what is None, lists, and what is empty without them."""
    kept = {key: shown_by_dvc(each) if isinstance(each, dict) else each for key, each in tree.items()}
    return {key: each for key, each in kept.items() if each not in (None, {}) and not isinstance(each, list)}


def test_dvc_shows_the_numbers(first):
    shown = json.loads(module(first.clone, "dvc", "metrics", "show", "--json"))
    assert shown[""]["data"][str(VERDICT)]["data"] == shown_by_dvc(first.verdict)
    assert "arms.base.mean_iou.mean" in module(first.clone, "dvc", "metrics", "show")


def test_cracks_are_judged_beside_their_controls(first):
    said = json.loads((first.clone / CRACKS).read_text())
    (part,) = said["subsets"].values()
    for on in ("test", "every"):
        assert list(part[on]["arms"]) == MODELS
        assert part[on]["baselines"].keys() == {"line_filter"}
        assert all(arm["n_runs"] == 2 for arm in part[on]["arms"].values())
        assert "mixed_vs_real_error_rate" in part[on]["paired"]
    assert part["every"]["test_set"]["n"] > part["test"]["test_set"]["n"]
    assert 0 <= said["textures"]["all"]["accuracy"] <= 1
    page = (first.clone / CRACKS.with_suffix("") / "report.html").read_text()
    assert "surrogate, not real" in page
    for name in ("figure_3", "contact_sheet", "wrong"):
        with PIL.Image.open(first.clone / CRACKS.with_suffix("") / f"{name}.png") as picture:
            picture.load()


def test_mlflow_shows_the_models_of_cracks_side_by_side(first, logged):
    client, _ = logged
    experiment = client.get_experiment_by_name("chip_cracks")
    arms = client.search_runs([experiment.experiment_id], "tags.`micromime.level` = 'arm'")
    assert {each.info.run_name for each in arms} == {f"{model}_all" for model in MODELS}
    assert len({each.data.tags["micromime.comparison"] for each in arms}) == 1
    part = json.loads((first.clone / CRACKS).read_text())["subsets"]["all"]["test"]
    for each in arms:
        model = each.info.run_name.partition("_")[0]
        assert each.data.metrics["surrogate.error_rate.mean"] == part["arms"][model]["error_rate"]["mean"]


def test_a_second_run_runs_no_stage(first):
    second = run(first.clone)
    assert second.stages == []
    assert second.said.count("didn't change, skipping") == len(first.stages)


@pytest.fixture(scope="module")
def logged(first):
    """The runs in MLflow, and what asks for more."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{first.clone / 'mlflow.db'}")
    experiments = {each.name: each for each in client.search_experiments() if each.name != "Default"}
    assert set(experiments) == {"grain_boundaries", "chip_cracks"}
    experiment = experiments["grain_boundaries"]
    return client, client.search_runs([experiment.experiment_id])


def test_mlflow_shows_the_arms_side_by_side_with_a_run_for_each_seed(first, logged):
    client, runs = logged
    base = next(each for each in runs if each.data.tags["micromime.level"] == "arm" and each.info.run_name == "base")
    wanted = (
        f"tags.`micromime.comparison` = '{base.data.tags['micromime.comparison']}' and tags.`micromime.level` = 'arm'"
    )
    arms = {each.info.run_name: each for each in client.search_runs([base.info.experiment_id], wanted)}
    assert set(arms) == set(ARMS)
    for name, arm in arms.items():
        seeds = [each for each in runs if each.data.tags.get("mlflow.parentRunId") == arm.info.run_id]
        assert {each.data.tags["micromime.seed"] for each in seeds} == {"1", "2"}
        means = [each.data.metrics["surrogate.mean_iou"] for each in seeds]
        assert np.mean(means) == pytest.approx(first.verdict["arms"][name]["mean_iou"]["mean"])
        assert arm.data.metrics["surrogate.mean_iou.mean"] == first.verdict["arms"][name]["mean_iou"]["mean"]
    assert "surrogate.mean_iou.minus_random.p_value" in arms["adaptive"].data.metrics


def test_mlflow_says_of_every_run_what_it_was_made_of(logged):
    _, runs = logged
    assert len(runs) == 9
    for each in runs:
        assert each.info.status == "FINISHED"
        assert each.data.tags["micromime.test_set"] == "surrogate, not real"
        assert each.data.params["train.threads"] == "1"
        data = {given.dataset.name for given in each.inputs.dataset_inputs}
        assert data == {each.data.tags["micromime.arm"], "test_set"}


def test_mlflow_keeps_the_table_of_scores_and_the_pictures(first, logged, tmp_path):
    client, runs = logged
    base = next(each for each in runs if each.data.tags["micromime.level"] == "arm" and each.info.run_name == "base")
    table = Path(client.download_artifacts(base.info.run_id, "base.parquet", str(tmp_path)))
    assert table.read_bytes() == (first.clone / "data/scores/grain_boundaries/base.parquet").read_bytes()
    pictures = {each.path for each in client.list_artifacts(base.info.run_id, "pictures")}
    assert pictures == {f"pictures/{name}.png" for name in ("panel", "figure_4", "worst")}


def test_the_median_run_of_every_arm_is_registered(logged):
    client, _ = logged
    aliases = client.get_registered_model("micromime-grain_boundaries-tiny").aliases
    assert set(aliases) == set(ARMS)


def test_readmes_python_loads_the_registered_network(project, first):
    block = next(each for each in (project / "README.md").read_text().split("```python\n") if "load_model" in each)
    code = block.partition("```")[0].replace("-demo@", "-tiny@")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=first.clone,
        env=environment(first.clone),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "(1, 200, 300)" in ended.stdout, ended.stderr


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(first, tmp_path):
    clone = copied(first, tmp_path)
    right = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(right.replace("diameter_px", "diametre_px", 1))
    said = module(clone, "micromime", "run", code=2)
    assert re.fullmatch(r"micromime: grain_boundaries\.scenario\.grain_structure\.diametre_px [^\n]*\.\n", said)
