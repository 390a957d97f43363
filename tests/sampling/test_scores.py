"""The table of scores on disk: read as it was written, less being worse, and one sentence where it is none."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micromime.mistakes import Mistake
from micromime.sampling.scores import joined, read_scores, scores_before, write_scores

ORIGIN = {"use_case": "grain_boundaries", "arm": "base", "runs": 2}


@pytest.fixture
def instances(grains):
    return [grains.draw_one(5, index) for index in range(4)]


@pytest.fixture
def table(instances, tmp_path):
    rows = pd.DataFrame(
        [{"id": f"00000{n}", "objects": 3, "parent": "", **each.row()} for n, each in enumerate(instances)]
    )
    scores = {
        "score.mean_iou": [0.5, 0.2, 0.9, 0.4],
        "score.mean_iou.run-001": 0.5,
        "score.pixel_error": [0.1, 0.4, 0.2, 0.3],
    }
    write_scores(tmp_path / "new" / "base.parquet", rows.assign(**scores), ORIGIN)
    return tmp_path / "new" / "base.parquet"


def test_what_was_scored_comes_back_with_its_origin(instances, table):
    scored, origin = read_scores(table, "grain_boundaries", "mean_iou")
    assert scored.ids == ["000000", "000001", "000002", "000003"]
    assert scored.instances == instances
    assert scored.scores.tolist() == [0.5, 0.2, 0.9, 0.4]
    assert scored.before is None
    assert origin == ORIGIN


def test_a_metric_of_which_less_is_better_is_turned_round(table):
    scored, _ = read_scores(table, "grain_boundaries", "pixel_error")
    assert scored.scores.tolist() == [-0.1, -0.4, -0.2, -0.3]


@pytest.mark.parametrize(("metric", "before"), [("mean_iou", [0.4, 0.3, 0.7, 0.1]), ("pixel_error", [-0.5] * 4)])
def test_scores_from_before_come_back_beside_those_of_now(table, instances, metric, before):
    earlier = {"before.mean_iou": [0.4, 0.3, 0.7, 0.1], "before.pixel_error": 0.5}
    write_scores(table, pd.read_parquet(table).assign(**earlier), ORIGIN)
    scored, _ = read_scores(table, "grain_boundaries", metric)
    assert scored.before.tolist() == before
    assert scored.instances == instances


def test_the_same_rows_give_the_same_bytes(table, tmp_path):
    write_scores(tmp_path / "again.parquet", pd.read_parquet(table), ORIGIN)
    assert (tmp_path / "again.parquet").read_bytes() == table.read_bytes()


def test_no_table_is_a_mistake(tmp_path):
    with pytest.raises(Mistake, match=r"^\S*/base\.parquet is not there; bring it [^.]*, or name the run [^.]*\.$"):
        read_scores(tmp_path / "base.parquet", "grain_boundaries", "mean_iou")


def test_a_table_from_before_a_partial_model_is_a_mistake(table):
    rows = pq.read_table(table)
    pq.write_table(rows.drop_columns(["grain_shades.mean_grey"]), table)
    with pytest.raises(Mistake, match=r"has no column grain_shades\.mean_grey: another version wrote it; make it anew"):
        read_scores(table, "grain_boundaries", "mean_iou")


def plain(file, origin=None):
    pq.write_table(pa.table({"id": ["a"]}).replace_schema_metadata(origin), file)


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-10]),
        plain,
        lambda file: plain(file, {b"pandas": b"{}"}),
        lambda file: plain(file, {b"micromime": b"{"}),
    ],
    ids=["empty", "cut off", "no metadata", "other metadata", "damaged metadata"],
)
def test_what_is_no_table_of_scores_is_a_mistake(table, write):
    write(table)
    with pytest.raises(Mistake, match=r"base\.parquet is no table of scores; make it anew with `make run`\.$"):
        read_scores(table, "grain_boundaries", "mean_iou")


def test_scores_of_another_use_case_are_a_mistake(table):
    write_scores(table, pd.read_parquet(table), ORIGIN | {"use_case": "chip_cracks"})
    with pytest.raises(
        Mistake, match=r"has scores of chip_cracks, not of grain_boundaries; give that use case's table\.$"
    ):
        read_scores(table, "grain_boundaries", "mean_iou")


def test_a_score_that_the_table_does_not_have_is_named_with_those_it_has(table):
    said = r"^grain_boundaries\.resample\.score: 'iou' is not in \S*base\.parquet; use one of: mean_iou, pixel_error\.$"
    with pytest.raises(Mistake, match=said):
        read_scores(table, "grain_boundaries", "iou")


SAMPLES = pd.DataFrame({"id": ["000000", "000001", "000002"], "seed": [11, 12, 13]})
ANSWERS = [("000002", 1, 0.9), ("000000", 2, 0.3), ("000001", 1, 0.5), ("000000", 1, 0.1), ("000001", 2, 0.7)]
"""Picture, run and mean IoU, in no order; of run 2 there is one more."""


def answers(rows):
    table = pd.DataFrame([*rows, ("000002", 2, 0.2)], columns=["picture", "run", "mean_iou"])
    scores = {"pixel_error": 1 - table["mean_iou"], "boundary_f1": table["mean_iou"] / 2, "average_precision": 0.5}
    return table.assign(**scores, arm="base")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_scores_stand_beside_their_own_sample(order):
    table = joined(SAMPLES.iloc[order].reset_index(drop=True), answers(ANSWERS)).sort_values("id")
    assert table["seed"].tolist() == [11, 12, 13]
    assert table["score.mean_iou.run-001"].tolist() == [0.1, 0.5, 0.9]
    assert table["score.mean_iou.run-002"].tolist() == [0.3, 0.7, 0.2]
    assert table["score.mean_iou"].tolist() == pytest.approx([0.2, 0.6, 0.55])
    assert table["score.boundary_f1"].tolist() == pytest.approx([0.1, 0.3, 0.275])


def test_a_sample_that_no_run_was_asked_about_is_an_error():
    with pytest.raises(KeyError, match="000001"):
        joined(SAMPLES, answers([row for row in ANSWERS if row[0] != "000001"]))


def test_scores_before_are_those_of_the_same_samples(tmp_path):
    joined(SAMPLES, answers(ANSWERS)).to_parquet(tmp_path / "before.parquet")
    found = scores_before(tmp_path / "before.parquet", ["000002", "000000"])
    assert found["before.mean_iou"].tolist() == pytest.approx([0.55, 0.2])
    assert not [name for name in found if "run" in name]
