"""Judging: which run stands for an arm, what is written, and networks asked at every picture's own size."""

import json

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from micromime.datasets.real import listed_files, read_micrographs
from micromime.datasets.sources import SOURCE_NAME, Source
from micromime.evaluation.metrics import mean_iou
from micromime.mistakes import Mistake
from micromime.stages import judge

SIZES = {"a": (70, 96), "b": (64, 50), "c": (40, 64)}


def write_test_set(folder, shift=0, kind="surrogate"):
    """Three pictures of different sizes, dark lines on noise, as `import_test_set` leaves them."""
    folder.mkdir(parents=True)
    lines = ["image,mask,source"]
    for name, (rows, cols) in SIZES.items():
        mask = np.zeros((rows, cols), dtype=bool)
        mask[20 + shift : 23 + shift] = mask[:, 30:34] = True
        grey = np.random.default_rng(rows).integers(120, 200, (rows, cols)) - 90 * mask
        PIL.Image.fromarray(grey.astype(np.uint8)).save(folder / f"{name}.png")
        PIL.Image.fromarray(np.uint8(255) * mask).save(folder / f"{name}_mask.png")
        lines.append(f"{name}.png,{name}_mask.png,{'steel' if name < 'c' else 'iron'}")
    (folder / "images.csv").write_text("\n".join(lines) + "\n")
    real = kind == "real"
    Source(kind=kind, reason=None if real else "nothing is given", files=listed_files(folder) if real else {}).write(
        folder / SOURCE_NAME
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a test set and an arm of three runs that nobody has trained; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_test_set(tmp_path / "set")
    for run in (1, 2, 3):
        folder = tmp_path / "models" / "base" / f"run-{run:03d}"
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(bytes([run]))
        (folder / "model.json").write_text("{}")
    trained = {"arm": "base", "profile": "tiny", "fingerprint": "f1", "params": {"train": {"runs": 3}}, "data": []}
    (tmp_path / "models" / "base" / "arm.json").write_text(json.dumps(trained))
    return tmp_path


@pytest.fixture
def guessed(monkeypatch):
    """Judge without networks: run 1 knows the truth, run 2 finds nothing, run 3 the opposite of the truth."""
    works, told = [], []

    def ask(runs, test_set, work):
        works.append(work)
        pictures = read_micrographs(test_set)
        answers = {run: work / f"{run.name}.npz" for run in runs}
        for guess, file in zip((lambda m: m, np.zeros_like, np.invert), answers.values(), strict=False):
            np.savez(file, **{each.name: guess(each.mask) for each in pictures})
        return answers

    monkeypatch.setattr(judge, "ask", ask)
    monkeypatch.setattr(judge, "tell", lambda *said: told.append(said))
    return works, told


def judged(project, test_set="set"):
    out = project / "metrics" / "tiny" / "grains.json"
    judge.main("grains", project / "models", project / test_set, out)
    return out


def strictly(text):
    """Numbers that JSON does not know (NaN, Infinity) fail."""
    return json.loads(text, parse_constant=pytest.fail)


# Mean IoU of each run on picture a and b, and the run in the middle of the means.
MIDDLES = [
    ({7: (0.1, 0.3)}, 7),
    ({1: (0.2, 0.4), 2: (0.9, 0.7), 3: (0.6, 0.4)}, 3),  # means 0.3, 0.8, 0.5
    ({1: (0.9, 0.9), 2: (0.1, 0.1), 3: (0.6, 0.6), 4: (0.2, 0.9)}, 4),  # 0.9, 0.1, 0.6, 0.55: the lower of two
    ({1: (0.5, 0.5), 2: (0.1, 0.1)}, 2),
    ({1: (0.5, 0.5), 2: (0.4, 0.6), 3: (0.7, 0.3)}, 2),  # all alike: as they come
    ({999: (0.5, 0.5), 1000: (0.4, 0.4), 1001: (0.6, 0.6)}, 999),
]


@pytest.mark.parametrize(("scores", "middle"), MIDDLES)
def test_the_lower_median_run_stands_for_its_arm(tmp_path, scores, middle):
    rows = [("base", run, iou) for run, ious in scores.items() for iou in ious]
    others = [("adaptive", run, 0.05) for run in range(5)]
    table = pd.DataFrame(rows + others, columns=["arm", "run", "mean_iou"])
    assert judge.representative(table, tmp_path) == tmp_path / "base" / f"run-{middle:03d}"


def test_runs_are_scored_on_every_picture(project, guessed):
    out = judged(project)
    said = strictly(out.read_text())
    assert said["test_set"] == {"kind": "surrogate", "name": "grains", "reason": "nothing is given", "n": 3}
    masks = [each.mask for each in read_micrographs(project / "set")]
    nothing = np.mean([mean_iou(np.zeros_like(mask), mask) for mask in masks])
    assert said["arms"]["base"]["n_runs"] == 3
    assert said["arms"]["base"]["mean_iou"]["mean"] == pytest.approx((1 + nothing + 0) / 3)
    assert said["baselines"]["nothing_found"]["mean_iou"] == pytest.approx(nothing)
    scores = pd.read_parquet(out.with_suffix("") / "scores.parquet")
    assert list(scores.columns) == ["arm", "run", "picture", "source", "pixel_error", "mean_iou", "boundary_f1"]
    assert scores.groupby("run")["picture"].apply(list).tolist() == [["a", "b", "c"]] * 3
    assert scores.groupby("run")["pixel_error"].mean()[[1, 3]].tolist() == [0, 1]
    ((use_case, models, test_set, told, table, files),) = guessed[1]
    assert (use_case, models, test_set, files) == ("grains", project / "models", project / "set", out.with_suffix(""))
    assert told == said
    pd.testing.assert_frame_equal(table.reset_index(drop=True), scores, check_dtype=False)


@pytest.mark.usefixtures("guessed")
def test_verdict_table_scores_and_panel_are_written_and_no_work_is_left(project, monkeypatch):
    shown, whole = [], judge.write_panel
    monkeypatch.setattr(judge, "write_panel", lambda *asked: (shown.append(asked), whole(*asked)))
    out = judged(project)
    assert sorted(file.name for file in out.parent.iterdir()) == ["grains", "grains.json", "grains.md"]
    assert sorted(file.name for file in out.with_suffix("").iterdir()) == ["panel.png", "scores.parquet"]
    assert out.with_suffix(".md").read_text().startswith("**Test set: surrogate, not real (nothing is given); grains")
    ((_, pictures, title),) = shown
    assert [(each.name, each.image.shape) for each in pictures] == list(SIZES.items())
    assert not any(each.prediction.any() for each in pictures)  # run 2, in the middle, finds nothing
    assert title.endswith("Predictions: base, run-002, the median by mean IoU.")
    assert not list((project / ".micromime" / "work" / "judge").iterdir())


@pytest.mark.usefixtures("guessed")
def test_a_single_run_has_no_intervals_and_no_odd_numbers(project):
    for run in (2, 3):
        (project / "models" / "base" / f"run-{run:03d}").rename(project / f"spare-{run}")
    base = strictly(judged(project).read_text())["arms"]["base"]
    assert base["mean_iou"]["mean"] == 1
    assert (base["n_runs"], base["mean_iou"]["sd"], base["mean_iou"]["ci99_student"]) == (1, None, None)


def test_answers_for_other_pictures_or_networks_are_not_taken_up_again(project, guessed):
    write_test_set(project / "moved", shift=5)  # the same names, sizes and source, other pixels
    judged(project)
    judged(project, "moved")
    (project / "models" / "base" / "run-003" / "weights.safetensors").write_bytes(b"other")
    judged(project)
    judged(project)
    first, moved, retrained, again = guessed[0]
    assert len({first, moved, retrained}) == 3
    assert again == retrained


def test_answers_are_kept_until_mlflow_has_been_told(project, guessed, monkeypatch):
    def fail(*_):
        raise Mistake("no store")

    with monkeypatch.context() as patch:
        patch.setattr(judge, "tell", fail)
        with pytest.raises(Mistake, match="no store"):
            judged(project)
    assert (guessed[0][0] / "run-001.npz").exists()
    judged(project)
    assert guessed[0][1] == guessed[0][0]


@pytest.mark.usefixtures("guessed")
def test_a_folder_without_runs_is_a_mistake(project):
    with pytest.raises(Mistake, match="nowhere holds no runs"):
        judge.main("grains", project / "nowhere", project / "set", project / "grains.json")
    assert not (project / "grains.json").exists()


@pytest.fixture
def networks(project):
    """Two of the three runs hold networks that have learnt nothing; the third is gone."""
    import torch

    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    name = "unet_efficientnet_lite0"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for run in (1, 2):
        torch.manual_seed(run)
        save_network(build(name, pretrained=False), {"architecture": name}, project / f"models/base/run-{run:03d}")
    (project / "models" / "base" / "run-003").rename(project / "spare")
    yield [project / "models" / "base" / f"run-{run:03d}" for run in (1, 2)]
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_networks_masks_are_where_it_is_more_likely_than_not(project, networks):
    from micromime.training.networks import load_network, probability

    judge.find_masks(judge.Task(networks[0], project / "set", project / "answer.npz"))
    masks = np.load(project / "answer.npz", allow_pickle=False)
    assert {name: masks[name].shape for name in masks.files} == SIZES
    network = load_network(networks[0])
    for picture in read_micrographs(project / "set"):
        expected = probability(network, picture.image) > 0.5
        assert masks[picture.name].dtype == np.bool_
        assert 0 < expected.mean() < 1
        assert np.mean(masks[picture.name] == expected) > 0.999
    assert sorted(file.name for file in project.iterdir() if "answer" in file.name) == ["answer.npz"]


@pytest.mark.slow
def test_only_networks_without_an_answer_are_asked(project, networks):
    (project / "work").mkdir()
    there = project / "work" / "base-run-001.npz"
    there.write_bytes(b"kept")
    answers = judge.ask(networks, project / "set", project / "work")
    assert list(answers) == networks
    assert answers[networks[0]].read_bytes() == b"kept"
    assert sorted(np.load(answers[networks[1]]).files) == ["a", "b", "c"]


@pytest.mark.slow
@pytest.mark.usefixtures("networks")
def test_networks_are_judged_and_mlflow_is_told(project):
    from mlflow import MlflowClient

    said = strictly(judged(project).read_text())
    assert said["arms"]["base"]["n_runs"] == 2
    client = MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    stored = client.search_runs([client.get_experiment_by_name("grains").experiment_id])
    arm, *runs = sorted(stored, key=lambda run: run.info.run_name)
    assert [run.info.run_name for run in runs] == ["base 1", "base 2"]
    ious = [run.data.metrics["surrogate.mean_iou"] for run in runs]
    assert arm.data.metrics["surrogate.mean_iou.mean"] == pytest.approx(np.mean(ious))
    assert said["arms"]["base"]["mean_iou"]["mean"] == pytest.approx(np.mean(ious))
    assert {run.data.tags["micromime.test_set"] for run in stored} == {"surrogate, not real"}
    names = [file.path for file in client.list_artifacts(arm.info.run_id)]
    assert names == ["panel.png", "scores.parquet"]
