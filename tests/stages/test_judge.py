"""Judging: what is written of networks that answer by rule, on three pictures of two sources."""

import json
from pathlib import Path

import pandas as pd
import PIL.Image
import pytest

from micromime.judging.main_scores import main_numbers
from micromime.judging.metrics import TESTED
from micromime.project import places
from micromime.reporting.tables.summary import summary
from micromime.reporting.tables.verdict import verdict_table
from micromime.stages.judge import judge

GRAINS = "grain_boundaries"
OUT = places.verdict("tiny", GRAINS)
SHARES = {"a": 340 / 2560, "b": 394 / 3200, "c": 276 / 1728}
"""Of boundaries in each picture; run 2 finds none of them."""


@pytest.fixture
def judged(micrographs, scoring):  # noqa: ARG001 - they are there
    """What judges the arms of params.yaml; numbers that JSON does not know (NaN, Infinity) fail."""

    def verdict():
        judge(GRAINS)
        return json.loads(OUT.read_text(), parse_constant=pytest.fail)

    return verdict


def test_the_verdict_its_tables_scores_and_curves_are_written(workshop, judged):
    workshop.train()
    said = judged()
    assert said["test_set"] == {"kind": "surrogate", "name": "grain_boundaries", "reason": "nothing is given", "n": 3}
    nothing = sum((1 - share) / 2 for share in SHARES.values()) / 3
    assert said["arms"]["base"]["mean_iou"]["mean"] == pytest.approx((1 + nothing + 0) / 3, abs=1e-6)
    assert (said["arms"]["base"]["n_runs"], said["views"], said["made"]["Runs"][:6]) == (3, 8, "base 3")
    metrics = OUT.parent.parent
    assert sorted(file.name for file in metrics.iterdir()) == [GRAINS, f"{GRAINS}.json", f"{GRAINS}.md", "runs"]
    assert json.loads((metrics / f"{GRAINS}.json").read_text()) == main_numbers(said)
    assert (metrics / f"{GRAINS}.md").read_text() == summary(said)
    assert OUT.with_name("details.md").read_text() == verdict_table(said)
    by_source_told = pd.read_csv(OUT.with_name("by_source.csv"))
    assert by_source_told["source"].tolist() == ["steel (2)"] * 2 + ["iron (1)"] * 2
    scores = pd.read_parquet(OUT.with_name("scores.parquet"))
    known = {"arm", "run", "picture", "source", *TESTED, "mean_iou.at_0.3", "grains", "diameter_px", "astm_lo"}
    assert known < {*scores.columns}
    assert scores["source"].tolist() == ["steel", "steel", "iron"] * 3
    errors = scores.pivot(index="run", columns="picture", values="pixel_error")
    assert errors.loc[2].to_dict() == {name: round(share, 6) for name, share in SHARES.items()}
    curves = pd.read_csv(OUT.with_name("curves.csv"))
    measured = ["train_loss", "valid_loss", "mean_iou", "images_per_second"]
    assert list(curves.columns) == ["arm", "run", "epoch", "phase", *measured]
    assert curves["epoch"].tolist() == [1, 2] * 3
    assert curves["valid_loss"].tolist() == [0.75, 0.375] * 3


def test_a_picture_that_was_stretched_is_named_on_the_first_page_and_scores_as_it_was(workshop, judged, micrographs):
    workshop.train()
    before = judged()["arms"]
    with PIL.Image.open(micrographs / "c.png") as picture:
        squeezed = picture.point(lambda grey: 100 + grey // 16)
    squeezed.save(micrographs / "c.png")
    said = judged()
    clause = "its greys from 103 to 112 were stretched over 0 to 255"
    assert said["test_set"]["changes"] == {"c": [clause]}
    assert f"c: {clause}." in OUT.parent.with_suffix(".md").read_text()
    assert f"c: {clause}." in OUT.with_name("details.md").read_text()
    assert said["arms"] == before


def test_arms_are_those_of_params_in_their_order_and_compared_within_their_generation(workshop, judged):
    workshop.train()
    workshop.write(rounds={"second": "first", "first": "base", "other": "base"})
    for arm, start in (("first", "base"), ("other", "base"), ("second", "first")):
        workshop.train(arm, start)
    said = judged()
    assert list(said["arms"]) == ["base", "second", "first", "other"]
    by_run = [each for each in said["paired"].values() if each["paired_by"] == "run"]
    pairs = [("second", "base"), ("first", "base"), ("other", "base"), ("other", "first")]
    assert list(dict.fromkeys((each["a"], each["b"]) for each in by_run)) == pairs
    assert {each["n_tests"] for each in by_run} == {0}


def test_from_records_alone_the_verdict_is_the_same(workshop, judged):
    workshop.train()
    first = judged()
    for file in Path("models").rglob("weights.safetensors"):
        file.unlink()
    workshop.trained.clear()
    assert judged() == first
    assert workshop.trained == []
