"""Records of runs: whole or not there, read back as they were, and kind to whoever reads a diff of them."""

import json

import pytest

from micromime.arms.records import Answers, RunRecord, record_file
from micromime.mistakes import Mistake

ROWS = [
    {"picture": "a", "mean_iou": 0.12345649, "grains": 4, "intercept_px": 17.25},
    {"picture": "b", "mean_iou": 1.0, "grains": 1, "intercept_px": None},
]
TEST, SCORING = Answers.of("t1", ROWS), Answers.of("s1", ROWS[1:])
RECORD = RunRecord(inputs="n1", training={"run": 7, "rates": [0.003, 2e-05], "epochs": [{"phase": 1}]})


def written(record, file):
    record.write(file)
    return file.read_text().splitlines()


def test_answers_are_columns_with_six_decimals():
    assert TEST.table == {
        "picture": ["a", "b"],
        "mean_iou": [0.123456, 1.0],
        "grains": [4, 1],
        "intercept_px": [17.25, None],
    }
    assert Answers.of("x", [{"share": 0.9999996}]).table == {"share": [1.0]}


@pytest.mark.parametrize("answers", [{}, {"test": TEST}, {"scoring": SCORING, "test": TEST}], ids=len)
def test_a_record_comes_back_as_it_was_written(tmp_path, answers):
    record = RECORD.model_copy(update={"answers": answers})
    file = record_file(tmp_path / "new", "base", 7)
    record.write(file)
    assert file == tmp_path / "new" / "base" / "run-007.json"
    assert RunRecord.read(file) == record
    assert record.rates == (0.003, 0.00002)
    assert [each.name for each in file.parent.iterdir()] == ["run-007.json"]


def test_there_may_be_no_record(tmp_path):
    assert RunRecord.read(tmp_path / "run-001.json") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"inputs": "n1", "trai',
        b'{"inputs": "n1"}',
        b'{"inputs": 1, "training": {}}',
        b"[]",
        b'{"inputs": "\xff"}',
        b'{"inputs": "n1", "training": {}, "other": 1}',
        b'{"inputs": "n1", "training": {}, "answers": {"test": 1}}',
    ],
)
def test_a_damaged_record_is_one_sentence(tmp_path, content):
    (tmp_path / "run-001.json").write_bytes(content)
    with pytest.raises(Mistake, match=r"^\S*/run-001\.json is damaged; restore it from git, or delete it and [^.]*\.$"):
        RunRecord.read(tmp_path / "run-001.json")


def test_a_record_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    RECORD.write(tmp_path / "run-007.json")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        RECORD.with_answers("test", TEST).write(tmp_path / "run-007.json")
    assert RunRecord.read(tmp_path / "run-007.json") == RECORD


def test_a_record_begins_with_what_stands_beside_the_network(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"inputs": "n1", "rates": [0.5]}))
    record = RunRecord.of_run(tmp_path)
    assert (record.inputs, record.rates, record.answers) == ("n1", (0.5,), {})


def test_answers_fit_one_purpose_and_the_same_inputs():
    record = RECORD.with_answers("test", TEST).with_answers("scoring", SCORING)
    assert record.fitting("test", "t1") == TEST
    assert record.fitting("scoring", "s1") == SCORING
    assert record.fitting("test", "s1") is None
    assert RECORD.fitting("test", "t1") is None
    later = Answers.of("t2", ROWS[:1])
    assert record.with_answers("test", later).answers == {"test": later, "scoring": SCORING}


def test_what_changes_is_a_line_of_its_own(tmp_path):
    first = written(RECORD.with_answers("test", TEST).with_answers("scoring", SCORING), tmp_path / "a.json")
    assert [line.split(":")[0].strip() for line in first] == [
        *("{", '"inputs"', '"training"', '"answers"', '"scoring"', '"test"', "}", "}"),
    ]
    other = RECORD.with_answers("scoring", SCORING).with_answers("test", Answers.of("t2", ROWS[::-1]))
    changed = [pair for pair in zip(first, written(other, tmp_path / "b.json"), strict=True) if pair[0] != pair[1]]
    assert [line.split(":")[0].strip() for pair in changed for line in pair] == ['"test"', '"test"']
