"""Networks are asked about pictures once: what they answered stands in the records of their runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from micromime.inference.ask import Asked

from micromime.arms.answers import answers
from micromime.arms.records import RunRecord, record_file
from micromime.inference import ask
from micromime.judging import micrographs as judging

RECORDS = Path("records")
LINES = {"a": 3 * 64 + 4 * 40 - 12, "b": 3 * 50 + 4 * 64 - 12, "c": 3 * 48 + 4 * 36 - 12}
PIXELS = {"a": 40 * 64, "b": 64 * 50, "c": 36 * 48}
"""By micrograph, those of boundaries and all."""


@pytest.fixture
def base(workshop):
    return workshop.train()


@pytest.fixture
def asked(monkeypatch):
    """Runs whose networks were asked, in order."""
    runs, guess = [], ask.predictor

    def noted(network):
        runs.append(json.loads((network / "run.json").read_text())["run"])
        return guess(network)

    monkeypatch.setattr(ask, "predictor", noted)
    return runs


def columns(row):
    """Those of a table of such rows: what one of nothing in an empty picture has."""
    nothing = judging.Picture("p", np.zeros((6, 10), np.uint8), np.zeros((6, 10), np.bool_))
    return [*row(nothing, np.zeros((6, 10), np.float32)), "arm", "run"]


def record(run):
    return RunRecord.read(record_file(RECORDS, "base", run))


def test_every_run_answers_about_every_picture(base, micrographs):
    table = answers([base], RECORDS, Asked("test", micrographs))
    assert list(table.columns) == columns(judging.tested)
    assert list(zip(table["run"], table["picture"], strict=True)) == [(r, p) for r in (1, 2, 3) for p in "abc"]
    shares = [LINES[name] / PIXELS[name] for name in "abc"]
    errors = [0, 0, 0, *shares, 1, 1, 1]
    assert table["pixel_error"].tolist() == [round(error, 6) for error in errors]
    ious = [1, 1, 1, *((1 - share) / 2 for share in shares), 0, 0, 0]
    assert table["mean_iou"].tolist() == [round(iou, 6) for iou in ious]
    assert table["grains"].tolist() == [4, 4, 4, 1, 1, 1, 1, 1, 1]
    assert table["intercept_px"].isna().tolist()[:6] == [False] * 3 + [True] * 3


def test_of_samples_of_the_scoring_set_less_is_asked(base, scoring):
    table = answers([base], RECORDS, Asked("scoring", scoring))
    assert list(table.columns) == columns(judging.scored)
    shares = [boundary / 2560 for boundary in (340, 488, 636)]
    assert table["average_precision"].tolist() == [1, 1, 1, *[round(share, 6) for share in shares] * 2]


@pytest.mark.parametrize(("purpose", "views"), [("test", 8), ("choosing", 8), ("scoring", 1)])
def test_networks_are_judged_in_all_views_and_told_to_samplers_in_one(base, scoring, monkeypatch, purpose, views):
    seen = []
    monkeypatch.setattr(ask, "predictor", lambda _: lambda image: seen.append(image) or image / np.float32(255))
    answers([base], RECORDS, Asked(purpose, scoring), [1])
    assert len(seen) == 3 * views


def test_one_view_is_enough_where_asked_for_and_its_answers_are_others(base, scoring, monkeypatch):
    seen = []
    monkeypatch.setattr(ask, "predictor", lambda _: lambda image: seen.append(image) or image / np.float32(255))
    for views, count in ((1, 3), (1, 3), (8, 3 + 24)):
        answers([base], RECORDS, Asked("test", scoring, views), [1])
        assert len(seen) == count


def test_thresholds_are_chosen_on_the_first_samples(base, scoring, monkeypatch):
    monkeypatch.setattr(ask, "CHOSEN_ON", 2)
    table = answers([base], RECORDS, Asked("choosing", scoring))
    assert list(table.columns) == columns(judging.to_choose_by)
    assert table["picture"].tolist() == ["000000", "000001"] * 3
    assert table["mean_iou.at_0.9"].tolist()[:2] == [1, 1]


def test_arms_come_in_the_order_they_are_given(workshop, base, micrographs):
    tuned = workshop.train("tuned", "base")
    table = answers([tuned, base], RECORDS, Asked("test", micrographs))
    runs = list(dict.fromkeys(zip(table["arm"], table["run"], strict=True)))
    assert runs == [("tuned", 1), ("tuned", 2), ("base", 1), ("base", 2), ("base", 3)]


def test_networks_are_asked_once(base, micrographs, asked):
    first = answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3]
    assert answers([base], RECORDS, Asked("test", micrographs)).equals(first)
    assert asked == [1, 2, 3]


def test_each_purpose_has_answers_of_its_own(base, micrographs, scoring, asked):
    answers([base], RECORDS, Asked("test", micrographs))
    answers([base], RECORDS, Asked("scoring", scoring))
    assert {key: each.table["picture"] for key, each in record(2).answers.items()} == {
        "test": ["a", "b", "c"],
        "scoring": ["000000", "000001", "000002"],
    }
    answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3] * 2


def test_only_what_no_record_tells_is_asked(base, micrographs, asked):
    answers([base], RECORDS, Asked("test", micrographs))
    file = record_file(RECORDS, "base", 2)
    whole = RunRecord.read(file)
    whole.model_copy(update={"answers": {}}).write(file)
    answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3, 2]
    file.unlink()
    answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3, 2, 2]
    assert record(2) == whole


def test_answers_of_another_network_are_not_taken(base, micrographs, asked):
    answers([base], RECORDS, Asked("test", micrographs))
    other = record(1).model_copy(update={"inputs": "another network"})
    other.write(record_file(RECORDS, "base", 3))
    table = answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3, 3]
    assert set(table[table["run"] == 3]["pixel_error"]) == {1.0}
    assert record(3).training["run"] == 3


def test_another_picture_is_asked_about_anew(base, micrographs, asked):
    answers([base], RECORDS, Asked("test", micrographs))
    (micrographs / "c.png").write_bytes((micrographs / "c_mask.png").read_bytes())
    table = answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3] * 2
    assert table[table["picture"] == "c"]["pixel_error"].tolist()[0] == 1


def test_another_scoring_set_is_asked_about_anew(base, scoring, asked):
    answers([base], RECORDS, Asked("scoring", scoring))
    (scoring / "dataset.json").write_text('{"use_case": "grain_boundaries", "seed": 2}')
    answers([base], RECORDS, Asked("scoring", scoring))
    assert asked == [1, 2, 3] * 2


@pytest.mark.parametrize(
    ("name", "value"), [("THRESHOLD", 0.75), ("THRESHOLDS", (0.5,)), ("code_of", lambda *_: ["other code"])]
)
def test_other_code_that_asks_or_measures_asks_anew(base, micrographs, asked, monkeypatch, name, value):
    answers([base], RECORDS, Asked("test", micrographs))
    monkeypatch.setattr(ask, name, value)
    answers([base], RECORDS, Asked("test", micrographs))
    assert asked == [1, 2, 3] * 2


def test_networks_of_which_a_record_is_left_are_trained_to_be_asked(workshop, base, micrographs, asked):
    answers([base], RECORDS, Asked("test", micrographs))
    for run in (1, 2, 3):
        (base / f"run-00{run}" / "weights.safetensors").unlink()
    record(3).model_copy(update={"answers": {}}).write(record_file(RECORDS, "base", 3))
    workshop.trained.clear()
    answers([base], RECORDS, Asked("test", micrographs))
    assert workshop.trained == [[("base", 3)]]
    assert asked == [1, 2, 3, 3]


def test_what_samples_scored_outlives_another_way_to_close_grains(base, micrographs, scoring, asked, monkeypatch):
    both = (("scoring", scoring), ("test", micrographs))
    for each in both:
        answers([base], RECORDS, Asked(*each))
    code_of = ask.code_of
    monkeypatch.setattr(
        ask, "code_of", lambda *names: [*code_of(*names), *(n for n in names if n == "evaluation/closed_grains")]
    )
    asked.clear()
    for each in both:
        answers([base], RECORDS, Asked(*each))
    assert asked == [1, 2, 3]
    assert {key: len(each.table["picture"]) for key, each in record(1).answers.items()} == {"test": 3, "scoring": 3}
