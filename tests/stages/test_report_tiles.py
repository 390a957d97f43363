"""The report on classifiers of tiles: which tiles it shows, whose mistakes, and what is written and told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.datasets.store import Dataset, write_description, write_shard
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.reporting.pages.judged_tiles import JudgedTiles
from micromime.reporting.tables.tiles import tile_tables
from micromime.scenario.parameters import read_tree
from micromime.stages import report_tiles, train_pools
from micromime.stages.judge import epochs
from micromime.stages.judge_tiles import arms_in
from micromime.stages.judge_tiles import judged as judged_tiles
from micromime.stages.publish import means_of, statistics_of
from micromime.stages.report_tiles import Sources, evenly, made, of_both_classes, on_white, parts_of, places, wrong_of
from micromime.stages.tile import EVERY, TEST, write_tiles
from micromime.use_cases.chip_cracks import ChipTile

MODELS, VERDICT, PAGE = Path("models"), Path("metrics/tiles.json"), Path("metrics/tiles/report.html")
SOURCES = Sources(Path("data/tiles"), Path("data/synthetic"), Path("data/exemplars"))
CLASSES = ["intact", "crack"]

WRONG = {"synthetic_all": 4, "real_all": 2, "mixed_all": 0}
"""Tiles that the first run of an arm takes for the wrong class, of 16, the first 4 of them test tiles; else 3. The
second run has one more, the third none."""


@pytest.fixture
def divided(gravel_tiles, workshop):
    """Sixteen tiles of eight specimens: four to test on, all others and eight of them to train on."""
    tiles = gravel_tiles(16)
    for name, part in {TEST: tiles[:4], EVERY: tiles, "all": tiles[4:], "8": tiles[8:]}.items():
        write_tiles(part, workshop.folder("data/tiles") / name, {"classes": CLASSES, "kind": "surrogate"})
    (SOURCES.tiles / "source.json").write_text('{"kind": "surrogate", "reason": "nothing is given", "files": {}}')


@pytest.fixture
def pools(chips, dictionary_file, workshop):
    """Ten synthetic tiles for each pool, and what was measured on each subset."""
    instances = [chips.draw_one(0, index) for index in range(10)]
    samples = ChipTile.render_all(instances)
    for name in ("all", "8", "8_white_noise"):
        folder = workshop.folder(f"data/synthetic/{name}")
        write_shard(folder / "shard-00000", 0, instances, samples)
        write_description(
            folder, {"classes": CLASSES, "count": 10, "seed": 0, "scenario": {"like": name}, "parent": None}
        )
    for name in ("all", "8"):
        folder = workshop.folder(f"data/exemplars/{name}")
        (folder / "measured.yaml").write_text(json.dumps({"dictionary": str(dictionary_file)}))
        (folder / "fitted.svg").write_text(f'<svg aria-label="fitted to {name}"></svg>')


@pytest.fixture
def trained(divided, pools, workshop):  # noqa: ARG001 - what they have written
    """All arms, trained in no time."""
    workshop.write(architecture="efficientnet_lite0")
    sections = json.loads(Path("params.yaml").read_text())
    asked = {"test_tiles": 4, "seed": 0, "subsets": ["all", 8]}
    chip_cracks = sections["grain_boundaries"] | {"tiles": asked, "ablation": {"subset": 8, "ways": ["white_noise"]}}
    chip_cracks["finetune"] = {**chip_cracks["finetune"], "runs": 3}
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", "chip_cracks": chip_cracks}))
    for models, data in ((["synthetic"], SOURCES.synthetic), (["real", "mixed", "longer"], SOURCES.tiles)):
        train_pools.main("chip_cracks", models, data, MODELS, Path("records"))
    return arms_in(MODELS, read_tree(Path("params.yaml")), "chip_cracks")


def answers(arm, run):
    """What a run says of every tile."""
    every = Dataset(SOURCES.tiles / EVERY)
    count = 0 if run == 3 else WRONG.get(arm, 3) + run - 1
    wrong = np.arange(len(every.samples)) < count
    probability = np.abs((every.class_numbers == 1) - 0.1 - 0.7 * wrong)
    return pd.DataFrame({"picture": every.samples["id"], "error_rate": wrong.astype(float), "probability": probability})


@pytest.fixture
def judged(trained):
    """What the stage before writes."""
    tree, folder = read_tree(Path("params.yaml")), VERDICT.with_suffix("")
    given = pd.concat([answers(arm.name, run).assign(arm=arm.name, run=run) for arm in trained for run in (1, 2, 3)])
    given["source"] = "a part"
    said = judged_tiles(tree, "chip_cracks", given, SOURCES.tiles) | {"textures": {}}
    folder.mkdir(parents=True)
    VERDICT.write_text(json.dumps(said))
    VERDICT.with_suffix(".md").write_text(tile_tables(said))
    given.to_parquet(folder / "scores.parquet", index=False)
    epochs(trained).to_csv(folder / "curves.csv", index=False)
    return JudgedTiles.read(VERDICT, MODELS, SOURCES.tiles / TEST, (tree, "chip_cracks"))


def test_the_median_run_is_that_by_errors_on_test_tiles(judged):
    assert judged.representative[MODELS / "synthetic/synthetic_all"] == 1  # 4, 4 and 0 of the four test tiles
    assert judged.representative[MODELS / "real/real_all"] == 1  # 2, 3 and 0
    assert judged.representative[MODELS / "mixed/mixed_all"] == 3  # 0, 1 and 0


def test_mlflow_is_told_of_test_tiles_and_under_another_name_of_all(judged):
    parts = judged.parts(MODELS / "real/real_all")
    assert [(part.prefix, part.name) for part in parts] == [("", "real"), ("every", "real")]
    assert means_of(parts, judged.metrics)[1] == {"error_rate": 2 / 4, "every": {"error_rate": 2 / 16}}
    test, every = (statistics_of(part.name, part.verdict) for part in parts)
    assert test["error_rate"]["mean"] == pytest.approx((2 / 4 + 3 / 4) / 3)
    assert every["error_rate"]["mean"] == pytest.approx((2 / 16 + 3 / 16) / 3)
    assert "error_rate.minus_synthetic" in test


def test_of_another_texture_only_the_test_tiles_are_told(judged):
    (part,) = judged.parts(MODELS / "mixed/mixed_8_white_noise")
    assert part.name == "mixed, white_noise"
    assert statistics_of(part.name, part.verdict)["error_rate"]["mean"] == pytest.approx((3 / 4 + 4 / 4) / 3)
    assert set(part.scores["picture"]) == {f"tile_{n:03d}" for n in range(4)}


def test_the_mistakes_shown_are_those_of_the_median_run_on_test_tiles(judged):
    found = wrong_of(judged, "all")
    assert list(found) == [
        "synthetic model, run 1 (4 of 4 test tiles wrong)",
        "real model, run 1 (2 of 4 test tiles wrong)",
        "mixed model, run 3 (0 of 4 test tiles wrong)",
    ]
    every = Dataset(SOURCES.tiles / EVERY)
    (first, second), none = list(found.values())[1:]
    assert none == []
    assert [(each.label, round(each.probability, 2)) for each in (first, second)] == [("intact", 0.8), ("crack", 0.2)]
    assert np.array_equal(second.image, every.images[1])


@pytest.mark.usefixtures("divided", "pools")
def test_the_cracks_alone_are_those_of_the_finished_tiles(dictionary_file):
    pool = Dataset(SOURCES.synthetic / "all")
    parts = parts_of(Dataset(SOURCES.tiles / "all"), pool, Dictionary.read(dictionary_file))
    assert [len(part) for part in parts] == [6, 55, len(parts.seeds), 5, 5, 5]
    for n, alone in zip((1, 3, 5, 7, 9), parts.alone, strict=True):
        assert (alone < 255)[pool.masks[n]].all()
        assert alone.shape == pool.masks[n].shape
    assert np.array_equal(parts.finished[2], pool.images[5])
    assert np.array_equal(parts.textures[2], pool.images[4])
    assert np.array_equal(parts.cracks[1], Dataset(SOURCES.tiles / "all").images[3])


@pytest.mark.usefixtures("pools")
def test_a_pool_that_other_code_has_rendered_is_told():
    pool = Dataset(SOURCES.synthetic / "all")
    tile = ChipTile.from_row(pool.samples.iloc[1].to_dict())
    assert (on_white(tile, pool.masks[1]) < 255).any()
    with pytest.raises(Mistake, match="rendered by other code"):
        on_white(tile, np.roll(pool.masks[1], 9, axis=0))


@pytest.mark.usefixtures("divided")
def test_tiles_are_taken_at_even_distances_those_with_a_crack_first():
    dataset = Dataset(SOURCES.tiles / EVERY)
    assert places(dataset, 1, 3) == [1, 9, 15]
    assert places(dataset, 0, 100) == list(range(0, 16, 2))
    assert (evenly(10, 4), evenly(3, 5), evenly(0, 2), evenly(5, 1)) == ([0, 3, 6, 9], [0, 1, 2], [], [0])
    both = of_both_classes(dataset)
    assert np.array_equal(both[0], dataset.images[1])
    assert np.array_equal(both[8], dataset.images[0])


def test_the_page_is_about_the_largest_subset_and_shows_curves_of_it_and_the_smallest(judged):
    report = made(judged, SOURCES)
    assert (report.made_after, report.fitted_to, report.fitted) == (
        "all",
        "all",
        '<svg aria-label="fitted to all"></svg>',
    )
    assert report.counts["real"] == 12
    assert report.curves_of == [f"{m}_{s}" for s in ("all", "8") for m in ("synthetic", "real", "mixed", "longer")]
    assert set(report.rates["arm"]) == {arm.name for arm in judged.arms}
    assert "data/tiles/all" in report.origin["Data"]


@pytest.mark.usefixtures("judged")
def test_page_and_pictures_are_written_and_mlflow_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(report_tiles, "publish_judged", lambda *said: told.append(said))
    for _ in range(2):
        report_tiles.main("chip_cracks", MODELS, *SOURCES, VERDICT, PAGE)
    pictures = {name: PAGE.parent / f"{name}.png" for name in ("figure_3", "contact_sheet", "wrong")}
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in pictures.values())
    ((judged, test_set, files, shown), again) = told
    assert (test_set, shown) == (SOURCES.tiles / TEST, pictures)
    assert [each.name for each in files] == ["tiles.md", "report.html", "scores.parquet"]
    assert len(judged.arms) == 10
    assert again[1:] == (test_set, files, shown)
    assert "surrogate, not real (nothing is given)" in PAGE.read_text()
