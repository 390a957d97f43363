"""Which run stands for its arm, what is said of an arm, and how arms were trained."""

import json
from pathlib import Path

import pandas as pd
import pytest

from micromime.arms.arm import run_folder
from micromime.arms.comparisons import Pool
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.reporting.judged import Judged, JudgedTiles, beside, median_run, origin, phases
from micromime.stages.tile import write_tiles

# Mean IoU of each run on picture a and b, and the run in the middle of the means.
MIDDLES = [
    ({7: (0.1, 0.3)}, 7),
    ({1: (0.2, 0.4), 2: (0.9, 0.7), 3: (0.6, 0.4)}, 3),  # means 0.3, 0.8, 0.5
    ({1: (0.9, 0.9), 2: (0.1, 0.1), 3: (0.6, 0.6), 4: (0.2, 0.9)}, 4),  # 0.9, 0.1, 0.6, 0.55: the lower of two
    ({1: (0.5, 0.5), 2: (0.4, 0.6), 3: (0.7, 0.3)}, 2),  # all alike: as they come
    ({999: (0.5, 0.5), 1000: (0.4, 0.4), 1001: (0.6, 0.6)}, 999),
]


def rows(arm, scores):
    table = [(arm, run, iou) for run, ious in scores.items() for iou in ious]
    return pd.DataFrame(table, columns=["arm", "run", "mean_iou"])


@pytest.mark.parametrize(("scores", "middle"), MIDDLES)
def test_the_lower_median_run_stands_for_its_arm(scores, middle):
    table = rows("base", scores)
    assert median_run(table) == middle
    assert median_run(table.iloc[::-1].sort_values("run", kind="stable")) == middle
    assert median_run(table.assign(error_rate=1.0, mean_iou=0.0), "error_rate") == next(
        run for n, run in enumerate(sorted(scores)) if n == (len(scores) - 1) // 2
    )


def test_each_arm_has_a_run_of_its_own():
    both = pd.concat([rows("base", MIDDLES[1][0]), rows("adaptive", {8: (0.05, 0.05), 9: (0.05, 0.05)})])
    arms = [Path("models/adaptive"), Path("models/base")]
    judged = Judged({}, both, pd.DataFrame(), arms)
    assert list(judged.representative.items()) == [(arms[0], 8), (arms[1], 3)]


def test_tiles_are_told_of_by_test_tiles_first_and_under_another_name_of_all(gravel_tiles, tmp_path):
    tiles = gravel_tiles(8)
    write_tiles(tiles[:4], tmp_path / "test", {"classes": ["intact", "crack"]})
    real, textured = Path("models/real/real_all"), Path("models/mixed/mixed_8_white_noise")
    made_of = {
        real: ("real", Pool("all", "all", "filled")),
        textured: ("mixed", Pool("8_white_noise", "8", "white_noise")),
    }
    # Of all tiles run 1 has most mistakes, of the test tiles, which are the first four, run 2.
    wrong = {1: {0, 4, 5, 6}, 2: {0, 1, 2}, 3: {0, 1}}
    table = [
        {
            "arm": arm.name,
            "run": run,
            "picture": tile.name,
            "source": tile.specimen,
            "error_rate": float(n in wrong[run]),
        }
        for arm in made_of
        for run in wrong
        for n, tile in enumerate(tiles)
    ]
    said = {
        "subsets": {"all": {part: {"arms": {"real": {"error_rate": {"mean": part}}}} for part in ("test", "every")}},
        "ablation": {"test": {"arms": {"mixed, white_noise": {"error_rate": {"mean": "ways"}}}}},
    }
    judged = JudgedTiles(said, pd.DataFrame(table), pd.DataFrame(), [*made_of], made_of, Dataset(tmp_path / "test"))
    assert [len(part.scores) for part in judged.parts(real)] == [3 * 4, 3 * 8]
    assert judged.of_arm(real) == {"error_rate": "test", "error_rate_all_tiles": "every"}
    assert judged.by_run(real) == {
        run: {"error_rate": of_test / 4, "error_rate_all_tiles": of_all / 8}
        for run, of_test, of_all in ((1, 1, 4), (2, 3, 3), (3, 2, 2))
    }
    assert judged.of_arm(textured) == {"error_rate": "ways"}
    assert judged.by_run(textured) == {1: {"error_rate": 0.25}, 2: {"error_rate": 0.75}, 3: {"error_rate": 0.5}}
    assert judged.by_source(real, 2) == {"part_00": {"error_rate": 1}, "part_01": {"error_rate": 0.5}}
    assert judged.digests(tmp_path).keys() == {"part_00", "part_01"}
    assert judged.representative[real] == 3  # by the test tiles
    assert judged.arms_of("all") == {"real": real}


def test_a_verdict_is_read_with_what_lies_beside_it(tmp_path):
    verdict = {"test_set": {}, "arms": {}}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    rows("base", {1: (0.5, 0.5)}).to_parquet(tmp_path / "scores.parquet")
    (tmp_path / "curves.csv").write_text("arm,epoch\nbase,1\n")
    said, scores, epochs = beside(tmp_path / "verdict.json")
    assert (said, len(scores), epochs["epoch"].tolist()) == (verdict, 2, [1])
    for damaged in ('{"test_set": {', "", "null", "[]", "{}"):
        (tmp_path / "verdict.json").write_text(damaged)
        with pytest.raises(Mistake, match=r"^The verdict in \S+ is damaged \(.*\); `make run` judges again"):
            beside(tmp_path / "verdict.json")


FOUND = [
    {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": "find", "batch_size": 4},
    {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 2},
]


def test_phases_are_told_arm_by_arm_with_how_their_rates_came_about(workshop):
    workshop.write(phases=FOUND)
    table = phases([workshop.train("base"), workshop.train("tuned", "base")])
    told = table[["arm", "phase", "size_px", "epochs", "peak_rate", "how"]].to_numpy().tolist()
    assert told[:2] == [["base", 1, 32, 2, 0.25, "found"], ["base", 2, 64, 1, 0.001, "given"]]
    assert [row[:2] for row in told[2:]] == [["tuned", 1]]


def test_the_origin_names_profile_runs_data_and_every_kind_of_machine(workshop):
    base, tuned = workshop.train("base"), workshop.train("tuned", "base")
    said = origin([base, tuned])
    assert said["Profile"] == "tiny (`micromime profile tiny && make run`)"
    assert said["Network"] == "unet_efficientnet_lite0, float32, channels last: False"
    assert said["Runs"] == "base 3, tuned 2; run number = seed"
    assert [each.split()[0] for each in said["Data"].split(", ")] == ["base", "tuned"]
    assert (said["Trained on"], said["PyTorch"]) == ("cpu (none), threads of a run: 1", "none")
    file = run_folder(base, 2) / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"processor": "other"}))
    said = origin([base, base], "path")
    assert said["Trained on"] == "cpu (none), threads of a run: 1; cpu (other), threads of a run: 1"
    assert said["Data"].split()[0] == "data/synthetic/grain_boundaries/base"
    assert said["Data"].count("/base ") == 1  # that several arms share
