"""Why networks fail, by the command and by the stage: of arms that are here or in MLflow, and of what is not there."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.commands.explain import arm_of, explain, usual_score
from micromime.datasets.store import identity
from micromime.mistakes import Mistake
from micromime.project.versions import data_version
from micromime.sampling.scores import write_scores
from micromime.stages.explain import explain as explain_all
from micromime.stages.explain import scores_of, told_by

ARM, ROUND, SCORING = (
    f"{folder}/grain_boundaries/{name}"
    for folder, name in (("models", "adaptive"), ("data/synthetic", "adaptive"), ("data/synthetic", "scoring"))
)
TABLE = Path("data/scores/grain_boundaries/adaptive.parquet")
PAGES = Path(".micromime/explanations")
WIDTH = "grain_boundaries.thickness_px"
RESAMPLE = {"count": 1, "score": "boundary_f1", "runs": "all"}


def rows_of(count=19, **more):
    """Samples, too few for a forest, of which the thicker are the worse; run 2 scores by the darkness."""
    rng = np.random.default_rng(1)
    thick, dark = rng.permutation(count) / count, rng.permutation(count) / count
    columns = {"id": [f"{n:06d}" for n in range(count)], "parent": "", WIDTH: thick, "grain_boundaries.darkness": dark}
    columns |= {"score.mean_iou.run-001": 1 - thick / 2, "score.mean_iou.run-002": 1 - dark / 2}
    return pd.DataFrame(columns | {"score.mean_iou": 1 - thick / 2} | more)


def write_set(folder, rows, **description):
    """A data set of plain pictures that are not square: the grey of each is its number."""
    shard = Path(folder, "shard-00000")
    shard.mkdir(parents=True)
    rows.to_parquet(shard / "samples.parquet")
    np.save(shard / "images.npy", np.tile(np.arange(len(rows), dtype=np.uint8)[:, None, None], (1, 8, 12)))
    np.save(shard / "masks.npy", np.zeros((len(rows), 8, 12), dtype=np.bool_))
    Path(folder, "dataset.json").write_text(json.dumps({"scenario": {}, "count": len(rows)} | description))


def write_table(rows, fingerprint="e" * 32, file=TABLE):
    scored = {"path": SCORING, "sha256": identity(Path(SCORING))}
    origin = {"use_case": "grain_boundaries", "fingerprint": fingerprint, "scored": scored}
    write_scores(file, rows, origin)


def write_arm(folder=ARM, data=ROUND, fingerprint="e" * 32, **more):
    version = {"path": data, "digest": data_version("", Path(data))["digest"]}
    said = {"use_case": "grain_boundaries", "arm": Path(folder).name, "fingerprint": fingerprint, "data": [version]}
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, "arm.json").write_text(json.dumps(said | more))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A project without git, DVC and MLflow: an arm, its table, the scoring set, the round that it was trained on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rows = rows_of()
    write_set(SCORING, rows)
    requested = rows.head(6).assign(parent=["000003", "000003", "000004"] * 2)
    about = {"sampler": {"worst_fraction": {"fraction": 0.1}}, "arm": "base", "score": "mean_iou"}
    write_set(ROUND, requested, **about, scored={"sha256": identity(Path(SCORING))})
    write_arm()
    write_table(rows.assign(**{"before.mean_iou": 0.5, "before.mean_iou.run-002": 0.25}))
    return tmp_path


def told():
    return told_by(arm_of(ARM), "mean_iou")


def test_an_arm_is_explained_by_its_means(capsys):
    explain(ARM, Path("out/page.html"))
    said, page = capsys.readouterr().out, Path("out/page.html").read_text()
    assert said.startswith("Why networks fail: arm adaptive of grain_boundaries\n")
    assert "mean over 2 runs" in said
    assert said.index(f"{WIDTH} ") < said.index("grain_boundaries.darkness ")
    assert "requested 6 samples, 6 of them variations of 2 scored samples" in said
    assert said.endswith("The page: out/page.html\n")
    assert "Median thickness of the image" in page  # what the parameter means
    assert page.count("data:image/png;base64,") == 12 + page.count("<image")  # the six worst, beside what charts hold


def test_a_run_is_explained_by_its_own_scores(capsys):
    assert arm_of(f"./{ARM}/run-002/weights.safetensors") == arm_of(f"{ARM}/run-002/")
    explain(f"{ARM}/run-002", score="mean_iou")
    said = capsys.readouterr().out
    assert "of run 2 alone" in said
    assert said.index("grain_boundaries.darkness ") < said.index(f"{WIDTH} ")
    assert said.endswith(f"The page: {PAGES}/grain_boundaries-adaptive-run-002-mean_iou.html\n")
    page = Path(PAGES, "grain_boundaries-adaptive-run-002-mean_iou.html").read_text()
    assert "0.250" in page  # before, of this run
    assert f"micromime explain {ARM}/run-002 --score mean_iou" in page


def test_the_metric_is_that_of_samplers():
    assert usual_score("grain_boundaries") == "mean_iou"
    Path("params.yaml").write_text(json.dumps({"grain_boundaries": {"resample": RESAMPLE}}))
    assert usual_score("grain_boundaries") == "boundary_f1"


@pytest.mark.parametrize("case", ["gone", "other version", "other scores", "other parameters", "draws"])
def test_a_round_that_does_not_fit_is_left_out(case):
    if case == "gone":
        shutil.rmtree(ROUND)
    elif case == "other version":
        Path(ROUND, "dataset.json").write_text(Path(ROUND, "dataset.json").read_text() + " ")
    elif case == "other scores":
        Path(ROUND, "dataset.json").write_text(json.dumps({"sampler": {"a": {}}, "scored": {"sha256": "other"}}))
        write_arm()
    elif case == "other parameters":
        write_table(rows_of(**{"grain_structure.diameter_px": range(19)}))
    else:
        write_set("data/synthetic/base", rows_of(5))
        write_arm(data="data/synthetic/base")
    page = told()
    assert page.round_ is None
    assert page.remark.startswith("" if case == "draws" else f"What a sampler requested is left out: {ROUND}")
    assert bool(page.remark) == (case != "draws")


@pytest.mark.parametrize(
    ("asked", "score", "sentence"),
    [
        ("", None, "No arm is named; give the folder of an arm"),
        ("models/grain_boundaries/other", None, "other holds no arm.json; name the folder"),
        (
            f"{ARM}/run-007",
            None,
            f"{TABLE} has no scores by 'mean_iou' of run 7; it has those by mean_iou (--score), of",
        ),
        (ARM, "iou", "has no scores by 'iou'; it has those by mean_iou (--score), of the runs 1, 2."),
        ("0" * 32, None, "There is no MLflow store"),
    ],
)
def test_what_is_not_there_is_said(asked, score, sentence):
    with pytest.raises(Mistake, match=re.escape(sentence)):
        explain(asked, score=score)


DAMAGED = {
    "other networks": lambda: write_table(rows_of(), fingerprint="f" * 32),
    "no table of scores": lambda: TABLE.write_text("no table"),
    "is not there; bring it with `micromime pull`": TABLE.unlink,
    "arm.json is damaged": lambda: Path(ARM, "arm.json").write_text("[]"),
    "arm.json is damaged, or": lambda: Path(ARM, "arm.json").write_text("{}"),
    "page.html cannot be written": lambda: Path("page.html").mkdir(),
    "grain_boundaries.resample.score: is missing": lambda: Path("params.yaml").write_text(
        '{"grain_boundaries": {"resample": {"count": 1}}}'
    ),
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_what_is_damaged_is_said(sentence):
    DAMAGED[sentence]()
    with pytest.raises(Mistake, match=re.escape(sentence)):
        explain(ARM, Path("page.html"))


def test_pictures_are_those_of_the_very_set_that_was_scored():
    pictures = told().pictures
    worst = rows_of().sort_values("score.mean_iou")["id"].head(6)
    assert set(pictures) == set(worst)
    assert all((image.shape, image[0, 0]) == ((8, 12), int(sample)) for sample, (image, _) in pictures.items())
    Path(SCORING, "dataset.json").write_text(json.dumps({"scenario": {"rows": 8}}))
    assert told().pictures == {}


@pytest.mark.usefixtures("store")
def test_an_id_of_mlflow_is_its_arm_or_its_run(capsys):
    from mlflow.entities import Dataset, DatasetInput, InputTag

    from micromime.tracking.logged import log_file
    from micromime.tracking.store import prepare_store, store_client

    prepare_store("grain_boundaries")
    client = store_client()
    experiment = client.get_experiment_by_name("grain_boundaries").experiment_id
    tags = {f"micromime.{key}": value for key, value in (("use_case", "grain_boundaries"), ("arm", "adaptive"))}
    arm = client.create_run(experiment, tags=tags | {"micromime.fingerprint": "b" * 32}).info.run_id
    own = tags | {"micromime.fingerprint": "b" * 32, "micromime.seed": "2", "mlflow.parentRunId": arm}
    run = client.create_run(experiment, tags=own).info.run_id
    used = Dataset("adaptive", "0" * 32, "dvc", json.dumps({"path": ROUND}))
    client.log_inputs(run, [DatasetInput(used, [InputTag("mlflow.data.context", "training")])])
    chosen = arm_of(run)
    assert chosen.data == (ROUND, "0" * 32)
    assert (chosen.name, chosen.run, chosen.fingerprint) == ("adaptive", 2, "b" * 32)
    with pytest.raises(Mistake, match=r"no adaptive\.parquet"):
        scores_of(chosen)
    write_table(rows_of(15), "b" * 32)
    log_file(arm, TABLE)
    write_table(rows_of(12), "e" * 32)  # the one here is of other networks
    assert len(scores_of(chosen).rows) == 15
    explain(arm)
    assert "mean over 2 runs, of the n = 15 samples" in capsys.readouterr().out
    with pytest.raises(Mistake, match="belongs to no arm"):
        explain(client.create_run(experiment).info.run_id)


@pytest.fixture
def arms(here):
    """Two arms whose networks have scored samples, the later 0.25 better; no table has a column from before."""
    write_arm("models/grain_boundaries/base", SCORING, "a" * 32)
    write_arm(start="models/grain_boundaries/base", base="a" * 32)
    write_table(rows_of(), "a" * 32, TABLE.with_name("base.parquet"))
    write_table(rows_of(**{"score.mean_iou": rows_of()["score.mean_iou"] + 0.25})[::-1])
    rounds = {"adaptive": {"parent": "base", "seed": 1, "sampler": {"random_draws": {}}}}
    sections = {"rounds": rounds, "resample": RESAMPLE | {"score": "mean_iou"}}
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", "grain_boundaries": sections}))
    return here / "models/grain_boundaries"


@pytest.mark.usefixtures("arms")
def test_scores_from_before_are_those_of_the_very_networks_gone_on_from():
    scoring = told().scoring
    assert (scoring["score"] - scoring["before"]).to_numpy() == pytest.approx(0.25)
    write_arm(start="models/grain_boundaries/base", base="b" * 32)
    assert "before" not in told().scoring


def test_the_stage_writes_the_page_of_every_arm_that_the_command_writes(arms):
    explain_all("grain_boundaries")
    pages = Path("metrics/tiny/grain_boundaries/explanations")
    assert {file.name for file in pages.iterdir()} == {"base.html", "adaptive.html"}
    explain(ARM, Path("page.html"))
    assert Path("page.html").read_bytes() == (pages / "adaptive.html").read_bytes()
    (arms / "adaptive/arm.json").unlink()
    with pytest.raises(Mistake, match=r"adaptive holds no arm\.json"):
        explain_all("grain_boundaries")
