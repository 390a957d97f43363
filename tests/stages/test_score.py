"""The table that a sampler chooses by: every run's scores beside the parameters of the very same sample."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from micromime.arms.records import RunRecord, record_file
from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.sampling.scores import joined, scores_before
from micromime.stages import score

SHARES = [340 / 2560, 488 / 2560, 636 / 2560]
"""Of boundaries in the samples of the scoring set."""

SAMPLES = pd.DataFrame(
    {"id": ["000000", "000001", "000002"], "seed": [11, 12, 13], "grain_shades.mean_grey": [90.0, 140, 190]}
)

ROWS = [
    ("000002", 1, 0.9),
    ("000000", 2, 0.3),
    ("000001", 1, 0.5),
    ("000000", 1, 0.1),
    ("000001", 2, 0.7),
    ("000002", 2, 0.2),
]
"""Picture, run and mean IoU, in no order."""


def given(rows):
    table = pd.DataFrame(rows, columns=["picture", "run", "mean_iou"])
    scores = {"pixel_error": 1 - table["mean_iou"], "boundary_f1": table["mean_iou"] / 2, "average_precision": 0.5}
    return table.assign(**scores, arm="base")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_scores_stand_beside_their_own_sample(order):
    samples = SAMPLES.iloc[order].reset_index(drop=True)
    table = joined(samples, given(ROWS)).sort_values("id")
    assert table["seed"].tolist() == [11, 12, 13]
    assert table["grain_shades.mean_grey"].tolist() == [90, 140, 190]
    assert table["score.mean_iou.run-001"].tolist() == [0.1, 0.5, 0.9]
    assert table["score.mean_iou.run-002"].tolist() == [0.3, 0.7, 0.2]
    assert table["score.mean_iou"].tolist() == pytest.approx([0.2, 0.6, 0.55])
    assert table["score.boundary_f1"].tolist() == pytest.approx([0.1, 0.3, 0.275])
    assert table["score.pixel_error"].tolist() == pytest.approx([0.8, 0.4, 0.45])


def test_a_sample_that_no_run_was_asked_about_is_an_error():
    with pytest.raises(KeyError, match="000002"):
        joined(SAMPLES, given([row for row in ROWS if row[0] != "000002"]))


@pytest.fixture
def logged(monkeypatch):
    """Score without MLflow: what would have been logged, to which arm."""
    files = []
    monkeypatch.setattr(score, "open_store", lambda _: None)
    monkeypatch.setattr(score, "tell_file", lambda said, file: files.append((said.arm, file.read_bytes())))
    return files


def scored(arm, scoring, before=None, runs="all"):
    out = Path(f"data/scores/{arm.name}.parquet")
    score.main("grain_boundaries", arm, scoring, out, Path("records"), runs, before)
    return out


def test_the_table_has_every_parameter_and_what_every_run_scored(workshop, scoring, logged):
    out = scored(workshop.train(), scoring)
    table, samples = pd.read_parquet(out), Dataset(scoring).samples
    assert table[samples.columns].equals(samples)
    runs = [f"score.pixel_error.run-00{run}" for run in (1, 2, 3)]
    assert list(table.columns[len(samples.columns) :][:4]) == ["score.pixel_error", *runs]
    assert table[runs].to_numpy().T.tolist() == [[0, 0, 0], [round(share, 6) for share in SHARES], [1, 1, 1]]
    assert table["score.pixel_error"].tolist() == pytest.approx([(share + 1) / 3 for share in SHARES], abs=1e-6)
    assert logged == [("base", out.read_bytes())]


def test_average_precision_is_scored_and_no_table_of_the_base_arm_knows_of_one_before(workshop, scoring, logged):
    table = pd.read_parquet(scored(workshop.train(), scoring))
    assert table["score.average_precision"].tolist() == pytest.approx([(1 + 2 * share) / 3 for share in SHARES])
    assert not [name for name in table if name.startswith("before.")]
    assert len(logged) == 1


def test_scores_before_are_those_of_the_same_samples(tmp_path):
    table = joined(SAMPLES, given(ROWS))
    table.to_parquet(tmp_path / "base.parquet")
    found = scores_before(tmp_path / "base.parquet", ["000002", "000000"])
    names = ["pixel_error", "mean_iou", "boundary_f1", "average_precision"]
    assert list(found.columns) == [f"before.{name}" for name in names]
    assert found["before.mean_iou"].tolist() == pytest.approx([0.55, 0.2])
    with pytest.raises(KeyError, match="000003"):
        scores_before(tmp_path / "base.parquet", ["000003"])


def test_a_rounds_table_has_what_the_networks_scored_that_it_went_on_from(workshop, scoring, logged):
    before = scored(workshop.train(), scoring)
    table = pd.read_parquet(scored(workshop.train("tuned", "base"), scoring, before))
    assert table["before.pixel_error"].tolist() == pd.read_parquet(before)["score.pixel_error"].tolist()
    assert table["score.pixel_error"].tolist() == pytest.approx([share / 2 for share in SHARES], abs=1e-6)
    assert [name for name, _ in logged] == ["base", "tuned"]


def test_the_file_says_what_was_scored_by_which_networks(workshop, scoring, logged):
    arm = workshop.train()
    out = scored(arm, scoring)
    assert json.loads(pq.read_schema(out).metadata[b"micromime"]) == {
        "use_case": "grain_boundaries",
        "arm": "base",
        "fingerprint": json.loads((arm / "arm.json").read_text())["fingerprint"],
        "runs": 3,
        "parent": {"path": "data/base", "sha256": identity(Path("data/base"))},
        "scored": {"path": "data/scoring", "sha256": identity(scoring)},
    }
    assert len(logged) == 1


@pytest.mark.usefixtures("logged")
def test_scores_come_from_the_records_and_give_the_same_bytes_again(workshop, scoring):
    arm = workshop.train()
    first = scored(arm, scoring).read_bytes()
    file = record_file(Path("records"), "base", 2)
    assert RunRecord.read(file).answers["scoring"].table["pixel_error"] == [round(share, 6) for share in SHARES]
    assert scored(arm, scoring).read_bytes() == first
    text = file.read_text()
    file.write_text(text.replace(str(round(SHARES[1], 6)), "0.5"))
    assert file.read_text() != text
    assert pd.read_parquet(scored(arm, scoring))["score.pixel_error.run-002"][1] == 0.5


@pytest.mark.slow
def test_a_run_in_mlflow_gives_the_same_bytes_back(workshop, scoring):
    from micromime.tracking.tracking import arm_run_id

    from micromime.arms.arm import described
    from micromime.tracking.logged_files import fetch_logged
    from micromime.tracking.store import store_client

    arm = workshop.train()
    out = scored(arm, scoring)
    run_id = arm_run_id(described(arm))
    assert store_client().get_run(run_id).info.run_name == "base"
    assert fetch_logged(run_id, "base.parquet", Path("fetched")).read_bytes() == out.read_bytes()
    before = np.array(pd.read_parquet(out)["score.mean_iou"])
    out.unlink()
    scored(arm, scoring)
    assert np.array_equal(
        pd.read_parquet(fetch_logged(run_id, "base.parquet", Path("again")))["score.mean_iou"], before
    )


def test_the_first_runs_alone_score_where_a_number_is_given(workshop, scoring, logged):
    arm = workshop.train()
    out = scored(arm, scoring, runs="2")
    table, first = pd.read_parquet(out), out.read_bytes()
    assert not [name for name in table if name.endswith("run-003")]
    assert table["score.pixel_error"].tolist() == pytest.approx([share / 2 for share in SHARES], abs=1e-6)
    assert json.loads(pq.read_schema(out).metadata[b"micromime"])["runs"] == 2
    assert "scoring" not in RunRecord.read(record_file(Path("records"), "base", 3)).answers  # nobody asked it
    assert scored(arm, scoring).read_bytes() != first
    assert scored(arm, scoring, runs="2").read_bytes() == first
    assert len(logged) == 3


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("runs", ["0", "4", "-1", "some", "1.5"])
def test_more_runs_than_there_are_or_no_number_is_one_sentence(workshop, scoring, runs):
    with pytest.raises(Mistake, match=f"^--runs: '{runs}' is not allowed; give all, or a number from 1 to 3.$"):
        scored(workshop.train(), scoring, runs=runs)
