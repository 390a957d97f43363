"""Networks are asked about pictures once: what they answered stands in the records of their runs."""

import json
import shutil

import numpy as np
import PIL.Image
import pytest

from micromime.arms import answers as asking
from micromime.arms.answers import CHOOSING, SCORING, TEST, TILES, Question, answers
from micromime.arms.records import Answers, pack, read_record, write_record
from micromime.datasets.store import Dataset
from micromime.inference import networks
from micromime.mistakes import Mistake
from micromime.pictures import greys
from micromime.pictures.micrographs import read_micrographs
from micromime.project import places
from micromime.stages.tile import write_tiles

RECORDS = places.records("tiny", "grain_boundaries")
LINES = {"a": 3 * 64 + 4 * 40 - 12, "b": 3 * 50 + 4 * 64 - 12, "c": 3 * 48 + 4 * 36 - 12}
PIXELS = {"a": 40 * 64, "b": 64 * 50, "c": 36 * 48}
"""By micrograph, those of boundaries and all."""


@pytest.fixture
def base(workshop):
    return workshop.train()


@pytest.fixture
def asked(monkeypatch):
    """Runs whose networks were asked, in order."""
    runs, guess = [], networks.predictor

    def noted(network):
        runs.append(json.loads((network / "run.json").read_text())["run"])
        return guess(network)

    monkeypatch.setattr(networks, "predictor", noted)
    return runs


def test_every_run_answers_about_every_picture(base, micrographs):
    table = answers([base], RECORDS, Question(TEST, micrographs))
    assert {"cl_dice", "boundary_f1.at_0.3", "astm_lo"} < {*table.columns}
    assert list(zip(table["run"], table["picture"], strict=True)) == [(r, p) for r in (1, 2, 3) for p in "abc"]
    shares = [LINES[name] / PIXELS[name] for name in "abc"]
    errors = [0, 0, 0, *shares, 1, 1, 1]
    assert table["pixel_error"].tolist() == [round(error, 6) for error in errors]
    ious = [1, 1, 1, *((1 - share) / 2 for share in shares), 0, 0, 0]
    assert table["mean_iou"].tolist() == [round(iou, 6) for iou in ious]
    assert table["grains"].tolist() == [4, 4, 4, 1, 1, 1, 1, 1, 1]
    assert table["intercept_px"].isna().tolist()[:6] == [False] * 3 + [True] * 3


def test_of_samples_less_is_asked_and_thresholds_are_chosen_on_the_first(base, scoring, monkeypatch):
    seen, guess = [], networks.predictor
    monkeypatch.setattr(networks, "predictor", lambda of: lambda image: seen.append(image) or guess(of)(image))
    table = answers([base], RECORDS, Question(SCORING, scoring, 1))
    assert len(seen) == 3 * 3  # in one view
    assert "cl_dice" not in table.columns
    shares = [boundary / 2560 for boundary in (340, 488, 636)]
    assert table["average_precision"].tolist() == [1, 1, 1, *[round(share, 6) for share in shares] * 2]
    monkeypatch.setattr(asking, "CHOSEN_ON", 2)
    table = answers([base], RECORDS, Question(CHOOSING, scoring))
    assert len(seen) == 3 * 3 + 3 * 2 * 8
    assert {name.partition(".")[0] for name in table.columns} == {"picture", "mean_iou", "arm", "run"}
    assert table["picture"].tolist() == ["000000", "000001"] * 3


def test_of_classifiers_it_is_whether_the_class_was_wrong(workshop, gravel_tiles, monkeypatch):
    write_tiles(gravel_tiles(4), workshop.folder("data") / "tiles", {"classes": ["intact", "crack"]})
    workshop.write(architecture="efficientnet_lite0", runs=1)
    seen = []
    monkeypatch.setattr(networks, "classifier", lambda _: lambda images: seen.extend(images) or [0.1, 0.2, 0.75, 0.9])
    table = answers([workshop.train()], RECORDS, Question(TILES, workshop.folder("data/tiles")))
    assert table["error_rate"].tolist() == [0, 1, 1, 0]  # every second one has a crack
    assert table["probability"].tolist() == [0.1, 0.2, 0.75, 0.9]
    assert np.array_equal(seen[3], Dataset(workshop.folder("data/tiles")).images[3])


def test_arms_come_in_the_order_they_are_given_and_runs_as_asked(workshop, base, micrographs, asked):
    tuned = workshop.train("tuned", "base")
    table = answers([tuned, base], RECORDS, Question(TEST, micrographs), [2])
    assert list(dict.fromkeys(zip(table["arm"], table["run"], strict=True))) == [("tuned", 2), ("base", 2)]
    assert asked == [2, 2]


def test_only_what_no_record_tells_is_asked(base, micrographs, scoring, asked):
    first = answers([base], RECORDS, Question(TEST, micrographs))
    assert asked == [1, 2, 3]
    whole = read_record(RECORDS, "base", 2)
    write_record(RECORDS, "base", 2, whole.model_copy(update={"answers": {}}))
    for _ in range(2):
        assert answers([base], RECORDS, Question(TEST, micrographs)).equals(first)
        assert asked == [1, 2, 3, 2]
    assert read_record(RECORDS, "base", 2) == whole
    pack(RECORDS)
    assert answers([base], RECORDS, Question(TEST, micrographs)).equals(first)
    assert asked == [1, 2, 3, 2]
    answers([base], RECORDS, Question(SCORING, scoring), [2])  # beside those that are packed
    both = read_record(RECORDS, "base", 2).answers
    assert {purpose: each.table["picture"][0] for purpose, each in both.items()} == {TEST: "a", SCORING: "000000"}
    RECORDS.with_name("grain_boundaries.parquet").unlink()
    shutil.rmtree(RECORDS)
    assert answers([base], RECORDS, Question(TEST, micrographs)).equals(first)
    assert read_record(RECORDS, "base", 2) == whole


def another_picture(folders, _patch):
    with PIL.Image.open(file := folders[TEST] / "c.png") as picture:
        brighter = picture.point(lambda grey: grey + 1)
    brighter.save(file)


def another_set(folders, _patch):
    file = folders[SCORING] / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seed": 2}))


@pytest.mark.parametrize(
    ("purpose", "change"),
    [
        (TEST, another_picture),
        (SCORING, another_set),
        *((TEST, lambda _, patch, name=name: patch.setattr(asking, name, 10**6)) for name in ("ASKING", "MEASURING")),
    ],
    ids=["picture", "data set", "asking", "measuring"],
)
def test_other_pictures_and_other_versions_ask_anew(base, micrographs, scoring, asked, monkeypatch, purpose, change):
    folders = {TEST: micrographs, SCORING: scoring}
    answers([base], RECORDS, Question(purpose, folders[purpose]), [1])
    change(folders, monkeypatch)
    answers([base], RECORDS, Question(purpose, folders[purpose]), [1])
    answers([base], RECORDS, Question(purpose, folders[purpose]), [1])
    assert asked == [1, 1]


@pytest.mark.usefixtures("scoring")
def test_another_rule_for_greys_asks_anew_about_the_pictures_it_changes(base, micrographs, asked, monkeypatch):
    whole = PIL.Image.open(micrographs / "c.png")
    about_whole = Question(TEST, micrographs).identity
    whole.point(lambda grey: 100 + grey // 16).save(micrographs / "c.png")
    assert [len(each.changes) for each in read_micrographs(micrographs)] == [0, 0, 1]
    answers([base], RECORDS, Question(TEST, micrographs), [1])
    monkeypatch.setattr(greys.Stretch, "apply", lambda _, stored: stored)
    answers([base], RECORDS, Question(TEST, micrographs), [1])
    answers([base], RECORDS, Question(TEST, micrographs), [1])
    assert asked == [1, 1]
    whole.save(micrographs / "c.png")
    assert Question(TEST, micrographs).identity == about_whole


def test_the_answers_of_one_purpose_number_of_views_or_network_are_no_others(base, micrographs, asked):
    answers([base], RECORDS, Question(TEST, micrographs))
    answers([base], RECORDS, Question(TEST, micrographs, 1), [1])
    answers([base], RECORDS, Question(SCORING, micrographs), [1])
    assert asked == [1, 2, 3, 1, 1]
    write_record(RECORDS, "base", 3, read_record(RECORDS, "base", 2).model_copy(update={"inputs": "another network"}))
    table = answers([base], RECORDS, Question(TEST, micrographs), [3])
    assert asked == [1, 2, 3, 1, 1, 3]
    assert set(table["pixel_error"]) == {1.0}
    assert read_record(RECORDS, "base", 3).training["run"] == 3


def test_a_network_of_which_the_record_is_left_need_not_be_here_unless_something_new_is_asked(base, micrographs):
    first = answers([base], RECORDS, Question(TEST, micrographs))
    for file in base.rglob("weights.safetensors"):
        file.unlink()
    assert answers([base], RECORDS, Question(TEST, micrographs)).equals(first)
    with pytest.raises(Mistake, match=r"`micromime retrain \S+ 1` trains it again"):
        answers([base], RECORDS, Question(TEST, micrographs, 1))


def test_answers_that_another_process_adds_meanwhile_stay(base, micrographs, monkeypatch):
    other, guess = Answers(inputs="x", table={}), networks.predictor

    def meanwhile(network):
        write_record(RECORDS, "base", 1, read_record(RECORDS, "base", 1).with_answers("other", other))
        return guess(network)

    monkeypatch.setattr(networks, "predictor", meanwhile)
    answers([base], RECORDS, Question(TEST, micrographs), [1])
    assert read_record(RECORDS, "base", 1).answers.keys() == {"other", TEST}
