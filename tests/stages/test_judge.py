"""Judging: what is written of networks that answer by rule, on three pictures of two sources."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.arms.records import RunRecord, record_file
from micromime.inference import ask
from micromime.judging.metrics import SEGMENTATION, TESTED
from micromime.judging.micrographs import sizes, with_sources
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import SOURCE_NAME, Source
from micromime.reporting.tables.verdict import verdict_table
from micromime.stages import judge

OUT = Path("metrics/tiny/grains.json")
SHARES = {"a": 340 / 2560, "b": 394 / 3200, "c": 276 / 1728}
"""Of boundaries in each picture; run 2 finds none of them."""


@pytest.fixture
def judged(micrographs, scoring):
    """What judges the arms of params.yaml."""

    def verdict():
        judge.main("grain_boundaries", Path("models"), micrographs, scoring, OUT, Path("records"))
        return strictly(OUT.read_text())

    return verdict


def strictly(text):
    """Numbers that JSON does not know (NaN, Infinity) fail."""
    return json.loads(text, parse_constant=pytest.fail)


@pytest.fixture
def base(workshop):
    return workshop.train()


@pytest.fixture
def tuned(workshop, base):
    """A round's arm of two runs, of three that the base arm has."""
    workshop.write(rounds={"tuned": "base"})
    return workshop.train("tuned", base.name)


def test_the_verdict_has_the_arm_beside_the_baselines(base, judged):
    said = judged()
    assert said["test_set"] == {"kind": "surrogate", "name": "grain_boundaries", "reason": "nothing is given", "n": 3}
    nothing = sum((1 - share) / 2 for share in SHARES.values()) / 3
    assert said["views"] == 8
    assert "asked about each picture in 8 views" in OUT.with_suffix(".md").read_text()
    assert list(said["arms"]) == [base.name]
    assert list(said["arms"]["base"]) == ["n_runs", *TESTED]
    assert said["arms"]["base"]["n_runs"] == 3
    assert said["arms"]["base"]["mean_iou"]["mean"] == pytest.approx((1 + nothing + 0) / 3, abs=1e-6)
    assert said["baselines"]["nothing_found"]["mean_iou"] == pytest.approx(nothing)
    assert said["baselines"]["otsu"]["mean_iou"] == 1
    assert {source: part["n"] for source, part in said["by_source"].items()} == {"steel": 2, "iron": 1}


@pytest.mark.usefixtures("tuned")
def test_rounds_are_tested_against_the_base_arm_run_by_run(judged):
    paired = judged()["paired"]
    test = paired["tuned_vs_base_mean_iou"]
    assert (test["a"], test["b"], test["paired_by"], test["n_pairs"]) == ("tuned", "base", "run", 2)
    assert (test["mean_difference"], test["p_holm"]) == (0, None)
    by_picture = paired["base_vs_local_threshold_pixel_error"]
    assert (by_picture["paired_by"], by_picture["n_pairs"]) == ("picture", 3)
    assert "base_vs_tuned_mean_iou" not in paired


def test_arms_are_those_of_params_in_their_order_and_compared_within_their_generation(workshop, base, judged):
    workshop.write(rounds={"second": "first", "first": "base", "other": "base"})
    for arm, start in (("first", "base"), ("other", "base"), ("second", "first")):
        workshop.train(arm, start)
    said = judged()
    assert list(said["arms"]) == [base.name, "second", "first", "other"]
    by_run = [each for each in said["paired"].values() if each["paired_by"] == "run"]
    pairs = [("second", "base"), ("first", "base"), ("other", "base"), ("other", "first")]
    assert list(dict.fromkeys((each["a"], each["b"]) for each in by_run)) == pairs
    assert {each["n_tests"] for each in by_run} == {0}


@pytest.fixture
def shy(tuned, monkeypatch):
    """Networks that find everything, but with a probability of no more than 0.45."""
    monkeypatch.setattr(ask, "predictor", lambda _: lambda image: np.where(image < 100, 0.45, 0.05).astype(np.float32))
    return tuned


@pytest.mark.usefixtures("shy")
def test_each_run_is_judged_at_its_own_threshold_too(judged):
    said = judged()
    own = said["at_operating_points"]
    assert own["thresholds"] == {"base": [0.1] * 3, "tuned": [0.1] * 2}
    assert {*own["arms"]["base"]} == {"n_runs", *SEGMENTATION}
    assert [part["arms"]["tuned"]["mean_iou"]["mean"] for part in (said, own)] == [
        pytest.approx(sum((1 - share) / 2 for share in SHARES.values()) / 3, abs=1e-6),
        1,
    ]
    assert set(own["by_source"]["steel"]["paired"]) == {f"tuned_vs_base_{name}" for name in SEGMENTATION}
    assert said["arms"]["base"]["average_precision"]["mean"] == 1


@pytest.mark.usefixtures("base")
def test_grain_sizes_stand_beside_the_truths(judged):
    compared = judged()["grain_size"]["all"]
    assert (compared["n"], compared["truth"]["grains"], compared["truth"]["n_astm"]) == (3, 4, 1)
    assert compared["baselines"]["nothing_found"]["grains"] == 1
    assert compared["arms"]["base"]["grains"]["mean"] == (4 + 1 + 1) / 3
    assert compared["arms"]["base"]["no_intercept"]["mean"] == pytest.approx((0 + 3 + 3) / 3)


@pytest.mark.usefixtures("base")
def test_a_row_for_everything_measured_knows_its_scale(micrographs):
    pictures = read_micrographs(micrographs)
    found = pd.DataFrame(
        {
            "picture": list("abc"),
            "source": "s",
            "grains": 4,
            "diameter_px": 9,
            "intercept_px": None,
            "arm": "x",
            "run": 7,
        }
    )
    rows = sizes(pictures, found, found.rename(columns={"arm": "baseline"}))
    assert rows.groupby("kind", sort=False)["run"].unique().map(list).to_dict() == {
        "truth": [0],
        "baseline": [0],
        "arm": [7],
    }
    assert rows["um_per_px"].fillna(0).tolist() == [0.5, 0, 0] * 3
    assert rows[rows["kind"] == "truth"]["grains"].tolist() == [4, 4, 4]


@pytest.mark.usefixtures("base")
def test_every_picture_s_scores_are_written_with_its_source(judged):
    judged()
    scores = pd.read_parquet(OUT.with_suffix("") / "scores.parquet")
    known = {"arm", "run", "picture", "source", *TESTED, "mean_iou.at_0.3", "grains", "diameter_px", "astm_lo"}
    assert known < {*scores.columns}
    assert scores["source"].tolist() == ["steel", "steel", "iron"] * 3
    errors = scores.pivot(index="run", columns="picture", values="pixel_error")
    assert errors.loc[1].tolist() == [0, 0, 0]
    assert errors.loc[2].to_dict() == {name: round(share, 6) for name, share in SHARES.items()}


def test_sources_are_joined_by_name(micrographs):
    given = pd.DataFrame({"picture": ["c", "a", "b", "c"]})
    assert with_sources(given, read_micrographs(micrographs))["source"].tolist() == ["iron", "steel", "steel", "iron"]


@pytest.mark.usefixtures("tuned")
def test_learning_curves_are_a_row_an_epoch(judged):
    judged()
    curves = pd.read_csv(OUT.with_suffix("") / "curves.csv")
    measured = ["train_loss", "valid_loss", "mean_iou", "images_per_second"]
    assert list(curves.columns) == ["arm", "run", "epoch", "phase", *measured]
    assert curves.groupby(["arm", "run"], sort=False)["epoch"].apply(list).to_dict() == {
        **{("base", run): [1, 2] for run in (1, 2, 3)},
        **{("tuned", run): [1, 2] for run in (1, 2)},
    }
    assert curves[curves["run"] == 2]["valid_loss"].tolist() == [0.75, 0.375] * 2


@pytest.mark.usefixtures("base")
def test_the_tables_lie_beside_the_verdict_and_nothing_else_does(judged):
    said = judged()
    assert OUT.with_suffix(".md").read_text() == verdict_table(said)
    assert "| source (at each run's own threshold) | a - b |" in verdict_table(said)
    assert OUT.with_suffix(".md").read_text().startswith("**Test set: surrogate, not real (nothing is given); grain_b")
    assert sorted(file.name for file in OUT.parent.iterdir()) == ["grains", "grains.json", "grains.md"]
    assert sorted(file.name for file in OUT.with_suffix("").iterdir()) == ["curves.csv", "scores.parquet"]


@pytest.mark.usefixtures("base")
def test_from_records_alone_the_verdict_is_the_same(workshop, judged):
    first = judged()
    for file in Path("models").rglob("weights.safetensors"):
        file.unlink()
    workshop.trained.clear()
    assert judged() == first
    assert workshop.trained == []
    answers = RunRecord.read(record_file(Path("records"), "base", 2)).answers
    assert answers["test"].table["pixel_error"] == [round(share, 6) for share in SHARES.values()]


def test_a_single_run_has_no_interval_and_no_odd_number(workshop, judged):
    workshop.write(runs=1)
    workshop.train()
    base = judged()["arms"]["base"]
    assert (base["n_runs"], base["mean_iou"]["mean"]) == (1, 1)
    assert (base["mean_iou"]["sd"], base["mean_iou"]["ci99_student"]) == (None, None)


@pytest.mark.usefixtures("base")
def test_real_pictures_are_called_real(micrographs, judged):
    Source(kind="real", reason=None, files={"images.csv": "0" * 64}).write(micrographs / SOURCE_NAME)
    said = judged()
    assert (said["test_set"]["kind"], said["test_set"]["reason"]) == ("real", None)
    assert said["paired"]["base_vs_local_threshold_mean_iou"]["on"] == "real grain_boundaries"
