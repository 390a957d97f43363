"""The stages that report: whose predictions are shown, what is written, and that nothing is trained."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workshop import guess_of

from micromime.arms.comparisons import Pool
from micromime.datasets.store import Dataset, write_description, write_shard
from micromime.judging import micrographs as judging
from micromime.judging.metrics import SCORED, TESTED
from micromime.judging.verdict import verdict
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import read_micrographs
from micromime.project import places
from micromime.reporting.judged import Judged, JudgedTiles
from micromime.reporting.pages import micrographs as page_of_micrographs
from micromime.reporting.pages import tiles as page_of_tiles
from micromime.stages.report import report
from micromime.stages.tile import TEST, write_tiles
from micromime.stages.train import train
from micromime.use_cases.chip_cracks import ChipTile

GRAINS, CHIPS = "grain_boundaries", "chip_cracks"
TILES, SYNTHETIC, EXEMPLARS = places.tiles(CHIPS), places.synthetic(CHIPS), places.exemplars(CHIPS)
TRAINED, SCORES = places.models(GRAINS), places.scores(GRAINS, "base")
MODELS = ("synthetic", "real", "longer", "mixed")


@pytest.fixture
def judged(workshop, micrographs, scoring):
    """An arm of three runs that was judged and has scored; the lower the sample's number, the better run by run."""
    base, pictures = workshop.train(), read_micrographs(micrographs)
    rows = [
        {
            "arm": "base",
            "run": run,
            "source": each.source,
            **judging.tested(judging.Picture(each.name, each.image, each.mask), guess_of(run)(each.image)),
        }
        for run in (1, 2, 3)
        for each in pictures
    ]
    scores = pd.DataFrame(rows)
    plain = scores[["arm", "run", "picture", "source", *TESTED]]
    baseline = plain[plain["run"] == 2].drop(columns=["arm", "run"]).assign(baseline="nothing")
    kind = {"kind": "surrogate", "name": "grain_boundaries", "reason": "nothing is given"}
    said = verdict(kind, plain, baseline) | {"views": 1, "main_comparison": []}
    epochs = pd.DataFrame([{"arm": "base", "run": run, "epoch": n, "phase": n} for run in (1, 2, 3) for n in (1, 2)])
    epochs = epochs.assign(train_loss=0.5, valid_loss=0.75, mean_iou=0.25, images_per_second=8.0)
    by_metric = {f"score.{metric}{run}": [0.9, 0.8, 0.7] for metric in SCORED for run in ("", ".run-001", ".run-002")}
    table = Dataset(scoring).samples.assign(**by_metric | {"score.boundary_f1": [0.1, 0.9, 0.5]})
    SCORES.parent.mkdir(parents=True)
    table.to_parquet(SCORES)
    return Judged(said, scores, epochs, [base])


def written(judged, use_case):
    """Write what was judged as the stages before do, and return where the page will be."""
    verdict = places.verdict("tiny", use_case)
    folder = verdict.parent
    folder.mkdir(parents=True)
    verdict.write_text(json.dumps(judged.verdict))
    judged.scores.to_parquet(folder / "scores.parquet")
    judged.epochs.to_csv(folder / "curves.csv", index=False)
    return folder / "report.html"


def reported(judged, micrographs, scoring, metric="mean_iou"):
    scored = Dataset(scoring), pd.read_parquet(SCORES), metric
    return page_of_micrographs.report_of(judged, scored, read_micrographs(micrographs), guess_of(2))


def test_the_median_run_predicts_what_is_shown_and_the_worst_samples_come_first(judged, micrographs, scoring):
    found = reported(judged, micrographs, scoring)
    assert found.predicted_by == "base, run 2, the median run by mean IoU on the test set"
    assert not any(each.prediction.any() for each in (*found.real, *found.synthetic))
    assert [(each.name, each.source) for each in found.real] == [("a", "steel"), ("c", "iron"), ("b", "steel")]
    assert [each.name for each in found.synthetic] == ["sample 000000", "sample 000001", "sample 000002"]
    assert [each.id for each in found.worst] == ["000002", "000001", "000000"]
    assert [int(each.shown.truth.sum()) for each in found.worst] == [636, 488, 340]  # each with its own picture
    assert {each["name"] for each in found.worst[0].parameters} == {n for n in Dataset(scoring).samples if "." in n}
    assert len(found.grains) == 3
    by_f1 = reported(judged, micrographs, scoring, "boundary_f1")
    assert ([each.id for each in by_f1.worst], by_f1.scored_by) == (["000000", "000002", "000001"], "boundary F1")


def test_more_pictures_than_there_is_room_for_are_left_out(judged, micrographs, scoring, monkeypatch):
    monkeypatch.setattr(page_of_micrographs, "EXAMPLES", 2)
    monkeypatch.setattr(page_of_micrographs, "WORST", 1)
    found = reported(judged, micrographs, scoring)
    assert [each.name for each in found.real] == ["a", "c"]
    assert [len(each) for each in (found.synthetic, found.worst, found.scoring)] == [2, 1, 3]


def test_a_report_is_written_and_trains_nothing(workshop, judged):
    out = written(judged, GRAINS)
    workshop.trained.clear()
    report(GRAINS)
    page = out.read_text()
    for text in (
        "surrogate, not real",
        "base, run 2, the median run",
        "Synthetic sample 000002",
        "Mean IoU (over runs)",
    ):
        assert text in page
    pictures = [(out.with_name("pictures") / f"{name}.png").read_bytes() for name in ("panel", "figure_4", "worst")]
    assert len({each for each in pictures if each.startswith(b"\x89PNG")}) == 3
    for file in TRAINED.rglob("weights.safetensors"):
        file.unlink()
    with pytest.raises(
        Mistake, match=r"base/run-002 has no network here.*`micromime pull`.* models/grain_boundaries/base 2`"
    ):
        report(GRAINS)
    assert workshop.trained == []


@pytest.fixture
def divided(gravel_tiles, chips, dictionary_file, workshop):
    """Sixteen tiles of eight specimens, four of them to test on; ten synthetic tiles after the others."""
    tiles = gravel_tiles(16)
    classes = {"classes": ["intact", "crack"]}
    for name, part in {TEST: tiles[:4], "all": tiles[4:]}.items():
        write_tiles(part, workshop.folder(TILES) / name, {**classes, "kind": "surrogate"})
    instances = [chips.draw_one(0, index) for index in range(10)]
    folder = workshop.folder(SYNTHETIC / "all")
    write_shard(folder / "shard-00000", 0, instances, ChipTile.render_all(instances))
    write_description(folder, {**classes, "count": 10, "seed": 0, "scenario": {}, "parent": None})
    folder = workshop.folder(EXEMPLARS / "all")
    (folder / "measured.yaml").write_text(json.dumps({"dictionary": str(dictionary_file)}))
    (folder / "fitted.svg").write_text('<svg aria-label="fitted to all"></svg>')


@pytest.fixture
def judged_tiles(divided, workshop, tile_verdict):  # noqa: ARG001 - what it has written
    """All arms of the one subset, trained in no time; the median run of `real` takes two test tiles of four wrong."""
    workshop.write(architecture="efficientnet_lite0")
    settings = json.loads(Path("params.yaml").read_text())["grain_boundaries"]
    asked = {"test_tiles": 4, "seed": 0, "subsets": ["all"]}
    chip_cracks = settings | {"tiles": asked, "ablation": {"subset": "all", "ways": []}}
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", "chip_cracks": chip_cracks}))
    for models in (["synthetic"], ["real", "mixed", "longer"]):
        train(CHIPS, models)
    made_of = {places.models(CHIPS, m) / f"{m}_all": (m, Pool("all", "all", "filled")) for m in MODELS}
    test = Dataset(TILES / TEST)
    count = {"synthetic": 4, "real": 2, "longer": 1, "mixed": 0}
    rows = [
        {
            "arm": arm.name,
            "run": run,
            "picture": name,
            "error_rate": float(wrong),
            "probability": abs(crack - 0.8 * wrong),
        }
        for arm, (model, _) in made_of.items()
        for run in (1, 2)
        for n, (name, crack) in enumerate(zip(test.samples["id"], test.class_numbers, strict=True))
        for wrong in [n < count[model] + run - 1]
    ]
    epochs = pd.DataFrame([{"arm": arm.name, "run": 1, "epoch": n, "phase": n} for arm in made_of for n in (1, 2)])
    epochs = epochs.assign(train_loss=0.5, valid_loss=0.75, error_rate=0.25, images_per_second=8.0)
    said = tile_verdict("surrogate")
    del said["subsets"]["16"]
    return JudgedTiles(said, pd.DataFrame(rows), epochs, list(made_of), made_of, test)


def test_the_mistakes_shown_are_those_of_the_median_run_on_test_tiles(judged_tiles):
    found = page_of_tiles.wrong_of(judged_tiles, "all")
    assert list(found) == [
        "synthetic model, run 1 (4 of 4 test tiles wrong)",
        "real model, run 1 (2 of 4 test tiles wrong)",
        "mixed model, run 1 (0 of 4 test tiles wrong)",
    ]
    (first, second), none = list(found.values())[1:]
    assert none == []
    assert [(each.label, round(each.probability, 2)) for each in (first, second)] == [("intact", 0.8), ("crack", 0.2)]
    assert np.array_equal(second.image, judged_tiles.test.images[1])


def test_a_report_on_tiles_is_written_about_the_largest_subset(judged_tiles):
    out = written(judged_tiles, CHIPS)
    report(CHIPS)
    page = out.read_text()
    assert '<svg aria-label="fitted to all"></svg>' in page
    assert "training tiles of the subset “all” (of n = 12)" in page
    assert "(of n = 10 synthetic tiles)" in page
    curves = re.findall(r"Learning curves of arm (\w+)", page)
    assert list(dict.fromkeys(curves)) == [f"{model}_all" for model in ("synthetic", "real", "mixed", "longer")]
    assert "<td>data/synthetic/chip_cracks/all unversioned-" in page
    assert {file.stem for file in out.parent.glob("pictures/*.png")} == {"figure_3", "contact_sheet", "wrong"}
