"""The report: whose predictions it shows, of which pictures in which order, and what is written and told."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.datasets.store import Dataset
from micromime.inference import ask
from micromime.pictures.micrographs import read_micrographs
from micromime.reporting.figures.panels import Shown
from micromime.scenario.parameters import read_tree
from micromime.stages import judge, report, score
from micromime.stages.report import made, one_of_each_source, worst_sample

VERDICT, SCORES, PAGE = Path("metrics/grains.json"), Path("scores.parquet"), Path("metrics/grains/report.html")
ABLATION = Path("metrics/ablation.json")
FOUND = [
    {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": "find", "batch_size": 4},
    {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 2},
]


@pytest.fixture
def judged(workshop, micrographs, scoring, monkeypatch):
    """An arm that was judged and has scored: run 1 knows, run 2 finds nothing, run 3 the opposite."""
    for name in ("open_store", "tell_file"):
        monkeypatch.setattr(score, name, lambda *_: None)
    monkeypatch.setattr(report, "predictor", ask.predictor)
    workshop.write(phases=FOUND)
    base = workshop.train()
    workshop.trained.clear()
    judge.main("grain_boundaries", Path("models"), micrographs, scoring, VERDICT, Path("records"))
    score.main("grain_boundaries", base, scoring, SCORES, Path("records"))
    folder = VERDICT.with_suffix("")
    tables = [pd.read_parquet(folder / "scores.parquet"), pd.read_csv(folder / "curves.csv"), pd.read_parquet(SCORES)]
    return report.Judged(json.loads(VERDICT.read_text()), *tables, [base])


@pytest.fixture
def told(monkeypatch):
    """What MLflow would have been told."""
    calls = []
    monkeypatch.setattr(report, "publish_judged", lambda *said: calls.append(said))
    return calls


def reported(micrographs, scoring, ablation=None):
    ABLATION.write_text(json.dumps(ablation or {}))
    report.main("grain_boundaries", Path("models"), VERDICT, SCORES, scoring, micrographs, ABLATION, PAGE)
    return PAGE.read_bytes()


def test_the_median_run_predicts_what_is_shown(judged, micrographs, scoring):
    shown = made(judged, "mean_iou", Dataset(scoring), read_micrographs(micrographs))
    assert shown.predicted_by == "base, run 2, the median run by mean IoU on the test set"
    assert not any(each.prediction.any() for each in (*shown.real, *shown.synthetic))
    assert [(each.name, each.source) for each in shown.real] == [("a", "steel"), ("c", "iron"), ("b", "steel")]
    assert [each.truth.shape for each in shown.real] == [(40, 64), (36, 48), (64, 50)]
    assert [each.name for each in shown.synthetic] == ["sample 000000", "sample 000001", "sample 000002"]


def test_a_median_run_that_is_not_here_is_trained_alone(workshop, judged, micrographs, scoring):
    for file in Path("models").rglob("weights.safetensors"):
        file.unlink()
    made(judged, "mean_iou", Dataset(scoring), read_micrographs(micrographs))
    assert workshop.trained == [[("base", 2)]]


def test_the_worst_samples_come_first_each_with_its_own_picture(judged, micrographs, scoring):
    worst = made(judged, "mean_iou", Dataset(scoring), read_micrographs(micrographs)).worst
    assert [each.id for each in worst] == ["000002", "000001", "000000"]
    assert [int(each.shown.truth.sum()) for each in worst] == [636, 488, 340]
    samples = Dataset(scoring).samples.set_index("id")
    for each in worst:
        assert each.parameters["white_noise.sd_grey"] == samples["white_noise.sd_grey"][each.id]
        assert {*each.parameters} == {name for name in samples.columns if "." in name}


@pytest.mark.usefixtures("told")
def test_the_worst_are_so_by_the_metric_that_samplers_go_by(judged, micrographs, scoring):
    assert b"Mean IoU (over runs)" in reported(micrographs, scoring)
    scored = judged.scoring.assign(**{"score.boundary_f1": [0.1, 0.9, 0.5]})
    found = made(replace(judged, scoring=scored), "boundary_f1", Dataset(scoring), read_micrographs(micrographs))
    assert [each.id for each in found.worst] == ["000000", "000002", "000001"]
    assert found.scored_by == "boundary F1"
    tree = read_tree(Path("params.yaml"))
    tree["grain_boundaries"]["resample"]["score"] = "average_precision"
    Path("params.yaml").write_text(json.dumps(tree))
    assert b"Average precision (over runs)" in reported(micrographs, scoring)


def test_more_pictures_than_there_is_room_for_are_left_out(judged, micrographs, scoring, monkeypatch):
    monkeypatch.setattr(report, "EXAMPLES", 2)
    monkeypatch.setattr(report, "WORST", 1)
    shown = made(judged, "mean_iou", Dataset(scoring), read_micrographs(micrographs))
    assert [each.name for each in shown.real] == ["a", "c"]
    assert [len(each) for each in (shown.synthetic, shown.worst, shown.scoring)] == [2, 1, 3]


def test_a_sample_s_scores_are_means_and_sds_over_runs():
    metrics = {"mean_iou": (0.4, 0.6, 0.8), "pixel_error": (0.1, 0.1, 0.1), "boundary_f1": (0, 0, 0.3)}
    metrics |= {"average_precision": (0.7, 0.8, 0.9)}
    runs = {f"score.{name}.run-00{n}": v for name, values in metrics.items() for n, v in enumerate(values, 1)}
    means = {f"score.{name}": sum(values) / 3 for name, values in metrics.items()}
    row = pd.Series({"id": "000007", "seed": 1, "blur.kernel_px": 3, **means, **runs})
    mask = np.zeros((4, 6), np.bool_)
    found = worst_sample(row, Shown("n", "synthetic", mask.astype(np.uint8), mask, mask))
    assert found.id == "000007"
    assert found.parameters == {"blur.kernel_px": 3}
    assert found.scores["mean_iou"] == pytest.approx((0.6, 0.2))
    assert found.scores["pixel_error"] == pytest.approx((0.1, 0))
    assert found.scores["boundary_f1"] == pytest.approx((0.1, 0.03**0.5))
    assert found.scores["average_precision"] == pytest.approx((0.8, 0.1))


def test_one_run_has_no_spread():
    row = pd.Series({"id": "0", **{f"score.{m}{run}": 0.5 for m in report.SCORED for run in ("", ".run-001")}})
    assert worst_sample(row, None).scores["mean_iou"] == (0.5, None)


def test_every_source_comes_once_before_any_comes_again():
    shown = [Shown(name, source, None, None, None) for name, source in zip("abcdef", "ssitsi", strict=True)]
    assert [each.name for each in one_of_each_source(shown)] == ["a", "c", "d", "b", "f", "e"]


@pytest.mark.usefixtures("judged")
def test_page_and_pictures_are_written_and_mlflow_is_told(micrographs, scoring, told, monkeypatch):
    monkeypatch.setattr(report, "write_report", lambda path, shown: path.write_text(shown.predicted_by))
    assert reported(micrographs, scoring).startswith(b"base, run 2, the median run")
    names = sorted(each.name for each in PAGE.parent.iterdir())
    assert names == ["curves.csv", "figure_4.png", "panel.png", "report.html", "scores.parquet", "worst.png"]
    pictures = {name: PAGE.parent / f"{name}.png" for name in ("panel", "figure_4", "worst")}
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in pictures.values())
    assert len({file.read_bytes() for file in pictures.values()}) == 3
    ((judged, test_set, files, shown),) = told
    assert (test_set, shown) == (micrographs, pictures)
    assert [each.name for each in files] == ["grains.md", "report.html", "scores.parquet"]
    assert list(judged.representative.items()) == [(Path("models/base"), 2)]


@pytest.mark.usefixtures("judged", "told")
def test_what_units_earn_stands_in_the_page_where_they_were_compared(micrographs, scoring, monkeypatch):
    for name in ("ablation_chart", "gains_and_scores"):
        monkeypatch.setattr(report, name, lambda said, name=name: f"{name} of {said['runs']} runs")
    shown = []
    monkeypatch.setattr(report, "write_report", lambda path, given: path.write_text("") or shown.append(given))
    for said in ({}, {"runs": 3}):
        reported(micrographs, scoring, said)
    assert [each.ablation_svg for each in shown] == ["", "ablation_chart of 3 runs"]
    assert [each.ablation_markdown for each in shown] == ["", "gains_and_scores of 3 runs"]


@pytest.mark.slow
@pytest.mark.usefixtures("judged")
def test_the_page_tells_it_all_and_is_the_same_when_it_is_written_again(micrographs, scoring, told):
    page = reported(micrographs, scoring)
    for text in ("surrogate, not real", "base, run 2, the median run", "Synthetic sample 000002", "Learning curves"):
        assert text.encode() in page
    assert reported(micrographs, scoring) == page
    assert len(told) == 2
