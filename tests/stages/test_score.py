"""The table that a sampler chooses by: every run's scores beside the parameters of the very same sample."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from micromime.arms.arm import Arm
from micromime.arms.records import read_record, write_record
from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.stages import score

GRAINS = "grain_boundaries"
RECORDS = places.records("tiny", GRAINS)
SHARES = [340 / 2560, 488 / 2560, 636 / 2560]
"""Of boundaries in the samples of the scoring set."""

pytestmark = pytest.mark.usefixtures("scoring")


@pytest.fixture
def told(monkeypatch):
    """What MLflow was told: arm, and the content of the file."""
    files = []
    monkeypatch.setattr(score, "publish_file", lambda said, file: files.append((said["arm"], file.read_bytes())))
    return files


@pytest.fixture
def scored(workshop, told):  # noqa: ARG001 - MLflow is told nothing
    """What scores an arm by its first runs and returns the table."""

    def table(arm="base", runs="all"):
        tree = json.loads(Path("params.yaml").read_text())
        tree[GRAINS]["resample"]["runs"] = runs
        Path("params.yaml").write_text(json.dumps(tree))
        score.score(GRAINS, arm)
        return places.scores(GRAINS, arm)

    workshop.train()
    return table


def test_the_table_has_every_parameter_and_what_every_run_scored(scored, scoring, told):
    out = scored()
    table, samples = pd.read_parquet(out), Dataset(scoring).samples
    assert table[samples.columns].equals(samples)
    runs = [f"score.pixel_error.run-00{run}" for run in (1, 2, 3)]
    assert list(table.columns[len(samples.columns) :][:4]) == ["score.pixel_error", *runs]
    assert table[runs].to_numpy().T.tolist() == [[0, 0, 0], [round(share, 6) for share in SHARES], [1, 1, 1]]
    assert table["score.pixel_error"].tolist() == pytest.approx([(share + 1) / 3 for share in SHARES], abs=1e-6)
    assert not [name for name in table if name.startswith("before.")]
    assert told == [("base", out.read_bytes())]
    data, arm = places.synthetic(GRAINS, "base"), places.models(GRAINS, "base")
    origin = {"use_case": GRAINS, "arm": "base", "fingerprint": Arm.read(arm).fingerprint, "runs": 3}
    origin |= {k: {"path": f.as_posix(), "sha256": identity(f)} for k, f in (("parent", data), ("scored", scoring))}
    assert json.loads(pq.read_schema(out).metadata[b"micromime"]) == origin


def test_a_rounds_table_has_what_the_networks_scored_that_it_went_on_from(scored, workshop):
    before = pd.read_parquet(scored())
    workshop.train("tuned", "base")
    table = pd.read_parquet(scored("tuned"))
    assert table["before.pixel_error"].tolist() == before["score.pixel_error"].tolist()
    assert table["score.pixel_error"].tolist() == pytest.approx([share / 2 for share in SHARES], abs=1e-6)


def test_scores_come_from_the_records_and_give_the_same_bytes_again(scored):
    first = scored().read_bytes()
    assert scored().read_bytes() == first
    record = read_record(RECORDS, "base", 2)
    record.answers["scoring"].table["pixel_error"][1] = 0.5
    write_record(RECORDS, "base", 2, record)
    assert pd.read_parquet(scored())["score.pixel_error.run-002"][1] == 0.5


def test_the_first_runs_alone_score_where_a_number_is_given(scored):
    table = pd.read_parquet(scored(runs=2))
    assert not [name for name in table if name.endswith("run-003")]
    assert table["score.pixel_error"].tolist() == pytest.approx([share / 2 for share in SHARES], abs=1e-6)
    assert read_record(RECORDS, "base", 3).answers == {}  # nobody asked it


@pytest.mark.parametrize("runs", [0, 4, -1, "some", 1.5])
def test_more_runs_than_there_are_or_no_number_is_one_sentence(scored, runs):
    with pytest.raises(Mistake, match=f"^{GRAINS}.resample.runs is {runs!r}, but base has 3 runs; write 1 to that, or"):
        scored(runs=runs)
