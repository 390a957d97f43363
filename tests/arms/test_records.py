"""Records of runs: whole or not there, read back as they were, from their own file or from the packed one."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.arms import records as kept
from micromime.arms.records import Answers, RunRecord, fitting_record, pack, packed_file, read_record, write_record
from micromime.mistakes import Mistake

ROWS = [
    {"picture": "a", "mean_iou": 0.12345649, "grains": 4, "intercept_px": 17.25},
    {"picture": "b", "mean_iou": 1.0, "grains": 1, "intercept_px": None},
]
TEST, SCORING = Answers.of("t1", ROWS), Answers.of("s1", ROWS[1:])
RECORD = RunRecord(inputs="n1", training={"run": 7, "rates": [0.003, 2e-05], "epochs": [{"phase": 1}]})

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
ANSWERS = st.builds(Answers, inputs=WORDS, table=st.dictionaries(WORDS, st.lists(VALUES, max_size=3), max_size=3))
RECORDS = st.builds(
    RunRecord,
    inputs=WORDS,
    training=st.dictionaries(WORDS, JSON, max_size=3),
    answers=st.dictionaries(WORDS, ANSWERS, max_size=2),
)


def exactly(record):
    """A record as text: 1, 1.0 and True differ in it."""
    return json.dumps(record.model_dump())


@pytest.fixture
def records(tmp_path):
    return tmp_path / "runs" / "grains"


def test_answers_are_columns_of_six_decimals_and_fit_one_purpose_and_the_same_inputs():
    assert TEST.table["mean_iou"] == [0.123456, 1.0]
    assert {key: TEST.table[key] for key in ROWS[0] if key != "mean_iou"} == {
        key: [row[key] for row in ROWS] for key in ROWS[0] if key != "mean_iou"
    }
    record = RECORD.with_answers("test", TEST).with_answers("scoring", SCORING)
    assert (record.fitting("test", "t1"), record.fitting("scoring", "s1")) == (TEST, SCORING)
    assert record.fitting("test", "s1") is RECORD.fitting("test", "t1") is None
    later = Answers.of("t2", ROWS[:1])
    assert record.with_answers("test", later).answers == {"test": later, "scoring": SCORING}


@given(st.dictionaries(st.tuples(st.sampled_from(["base", "random"]), st.integers(1, 1200)), RECORDS, max_size=3))
def test_records_come_back_exactly_from_their_files_and_packed(made):
    with TemporaryDirectory() as folder:
        records = Path(folder) / "runs"
        for key, record in made.items():
            write_record(records, *key, record)
        assert {key: exactly(read_record(records, *key)) for key in made} == {k: exactly(r) for k, r in made.items()}
        pack(records)
        assert not [*records.rglob("*")]
        assert {key: exactly(read_record(records, *key)) for key in made} == {k: exactly(r) for k, r in made.items()}
        assert read_record(records, "other", 1) is None


def test_a_runs_own_file_counts_more_than_the_packed_one_and_packing_again_changes_nothing(records):
    for run in (1, 2):
        write_record(records, "base", run, RECORD)
    pack(records)
    later = RECORD.with_answers("test", TEST)
    write_record(records, "base", 2, later)
    write_record(records, "random", 1, later)
    files = []
    for _ in range(3):
        kept = [read_record(records, arm, run) for arm, run in (("base", 1), ("base", 2), ("random", 1))]
        assert kept == [RECORD, later, later]
        files.append(pack(records).read_bytes())
    assert files[0] == files[1] == records.with_name("grains.parquet").read_bytes()


@pytest.mark.parametrize("work", [write_record, lambda records, *_: pack(records)], ids=["written", "packed"])
def test_whole_or_not_at_all(records, monkeypatch, work):
    write_record(records, "base", 7, RECORD)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            work(records, "base", 7, RECORD.with_answers("test", TEST))
    assert read_record(records, "base", 7) == RECORD
    assert (records / "base" / "run-007.json").is_file()
    assert not packed_file(records).exists()


WRONG = [b"", b'{"inputs": "n1", "trai', b'{"inputs": "n1"}', b"[]", b'{"inputs": "\xff"}']
WRONG += [b'{"inputs": "n1", "training": {}, %s}' % more for more in (b'"other": 1', b'"answers": {"test": 1}')]


@pytest.mark.parametrize("content", WRONG)
def test_a_damaged_record_is_one_sentence(records, content):
    (records / "base").mkdir(parents=True)
    (records / "base" / "run-001.json").write_bytes(content)
    with pytest.raises(Mistake, match=r"^\S*base/run-001\.json is damaged; delete it and have its run anew\.$"):
        read_record(records, "base", 1)


ROW = {"arm": "base", "run": 1, "inputs": "n1", "training": "{}", "answers": "{}"}
ROWS_WRONG = [{"arm": "base"}, *(ROW | each for each in ({"training": "{"}, {"training": "[]"}, {"answers": "1"}))]


CUT = [lambda whole: whole[:0], lambda whole: whole[:-10], lambda whole: whole[:20] + bytes(40) + whole[60:]]


@pytest.mark.parametrize("damaged", [*CUT, *ROWS_WRONG])
def test_a_damaged_packed_file_is_one_sentence(records, damaged):
    write_record(records, "base", 1, RECORD)
    file = pack(records)
    if isinstance(damaged, dict):
        pq.write_table(pa.Table.from_pylist([damaged]), file)
    else:
        file.write_bytes(damaged(bytearray(file.read_bytes())))
    with pytest.raises(Mistake, match=r"^\S*grains\.parquet is damaged; restore it from git\.$"):
        read_record(records, "base", 1)


def test_an_experiment_in_a_copy_takes_the_project_s_records_and_leaves_it_its_own(tmp_path, monkeypatch):
    project, copy, folder = tmp_path, tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmp1", Path("runs/grains")
    (copy / ".dvc").mkdir(parents=True)
    monkeypatch.setattr(kept, "TRIED", project / ".micromime" / "records")  # as it is in a process that starts there
    tried, elsewhere = RECORD.model_copy(update={"inputs": "n2"}), RECORD.model_copy(update={"inputs": "n3"})
    monkeypatch.chdir(project)
    write_record(folder, "base", 7, RECORD)
    assert not kept.TRIED.exists()
    monkeypatch.chdir(copy)
    assert fitting_record(folder, "base", 7, "n1") == read_record(folder, "base", 7) == RECORD
    assert fitting_record(folder, "base", 7, "n2") is None
    write_record(folder, "base", 7, tried)
    write_record(folder, "base", 8, elsewhere)
    shutil.rmtree(copy)
    monkeypatch.chdir(project)
    assert read_record(folder, "base", 7) == RECORD
    assert fitting_record(folder, "base", 7, "n2") == read_record(folder, "base", 7) == tried
    assert fitting_record(folder, "base", 8, "n3") == elsewhere
    assert fitting_record(folder, "base", 7, "n4") is None
