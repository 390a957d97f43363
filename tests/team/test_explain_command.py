"""Why networks fail, of arms that are there, in DVC's cache or in MLflow, and of what is not there; tables by hand."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.commands.explain import explain
from micromime.commands.scored_arm import chosen_by, earlier_than, scores_of, trained_on
from micromime.datasets.store import identity
from micromime.mistakes import Mistake
from micromime.reporting.explanation import forest as dependence
from micromime.reporting.explanation.scored_arm import pictures, round_of, scoring_of
from micromime.sampling.scores import write_scores

ARM, ROUND, SCORING = (
    f"{folder}/grain_boundaries/{name}"
    for folder, name in (("models", "adaptive"), ("data/synthetic", "adaptive"), ("data/synthetic", "scoring"))
)
TABLE = Path("data/scores/grain_boundaries/adaptive.parquet")
WIDTH = "grain_boundaries.thickness_px"
RESAMPLE = {"count": 1, "score": "boundary_f1", "runs": "all"}


def rows_of(count, **more):
    """Samples, of which the thicker are the worse; run 2 scores by the darkness."""
    rng = np.random.default_rng(1)
    thick, dark = rng.permutation(count) / count, rng.permutation(count) / count
    columns = {"id": [f"{n:06d}" for n in range(count)], "parent": "", WIDTH: thick, "grain_boundaries.darkness": dark}
    columns |= {"score.mean_iou.run-001": 1 - thick / 2, "score.mean_iou.run-002": 1 - dark / 2}
    return pd.DataFrame(columns | {"score.mean_iou": 1 - thick / 2} | more)


def write_set(folder, rows, **description):
    """A data set of plain pictures that are not square."""
    shard = Path(folder, "shard-00000")
    shard.mkdir(parents=True)
    rows.to_parquet(shard / "samples.parquet")
    grey = np.arange(len(rows), dtype=np.uint8)
    np.save(shard / "images.npy", np.tile(grey[:, None, None], (1, 8, 12)))
    np.save(shard / "masks.npy", np.zeros((len(rows), 8, 12), dtype=np.bool_))
    Path(folder, "dataset.json").write_text(json.dumps(description))


def write_table(rows, fingerprint="e" * 32, file=TABLE):
    sha256 = identity(Path(SCORING)) if Path(SCORING).is_dir() else "0" * 64
    origin = {"use_case": "grain_boundaries", "fingerprint": fingerprint, "scored": {"path": SCORING, "sha256": sha256}}
    write_scores(file, rows, origin)


def write_arm(data=ROUND, digest=None, **more):
    counted = f"unversioned-{identity(Path(data))[:24]}" if digest is None else digest
    said = {"use_case": "grain_boundaries", "arm": Path(ARM).name, "fingerprint": "e" * 32}
    Path(ARM).mkdir(parents=True, exist_ok=True)
    version = {"path": data, "digest": counted}
    Path(ARM, "arm.json").write_text(json.dumps(said | {"data": [version]} | more))


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    monkeypatch.setattr(dependence, "TREES", 20)
    monkeypatch.setattr(dependence, "BOOTSTRAPS", 4)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project without git, DVC and MLflow: an arm, its table, the scoring set, the round that it was trained on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rows = rows_of(40)
    write_set(SCORING, rows)
    asked = rows.head(6).assign(parent=["000003", "000003", "000004"] * 2)
    about = {"sampler": {"worst_fraction": {"fraction": 0.1}}, "arm": "base", "score": "mean_iou"}
    write_set(ROUND, asked, **about, scored={"sha256": identity(Path(SCORING))})
    write_arm()
    write_table(rows.assign(**{"before.mean_iou": 0.5, "before.mean_iou.run-002": 0.25}))
    return tmp_path


@pytest.mark.usefixtures("here")
def test_an_arm_is_explained_by_its_means(capsys):
    explain(ARM, Path("out/page.html"))
    said, page = capsys.readouterr().out, Path("out/page.html").read_text()
    assert said.startswith("Why networks fail: arm adaptive of grain_boundaries\n")
    assert f"{WIDTH}" in said
    assert "mean over 2 runs" in said
    assert "Round adaptive asked for 6 samples: 6 variations of 2 scored samples (2 to 4 of each)." in said
    assert said.endswith("The page: out/page.html\n")
    assert "Median thickness of the image" in page
    assert page.count("data:image/png;base64,") >= 12


@pytest.mark.usefixtures("here")
def test_a_run_is_explained_by_its_own_scores(capsys):
    explain(f"{ARM}/run-002")
    said = capsys.readouterr().out
    assert "of run 2 alone" in said
    assert said.index("grain_boundaries.darkness ") < said.index(f"{WIDTH} ")
    assert said.endswith("The page: .micromime/explanations/grain_boundaries-adaptive-run-002.html\n")
    assert "0.250" in Path(".micromime/explanations/grain_boundaries-adaptive-run-002.html").read_text()


BOUNDARY = {"score.boundary_f1": np.arange(40) / 40, "before.boundary_f1": 0.25}


@pytest.mark.usefixtures("here")
def test_an_arm_is_explained_by_the_metric_that_samplers_go_by(capsys):
    write_table(rows_of(40, **BOUNDARY))
    Path("params.yaml").write_text(json.dumps({"grain_boundaries": {"resample": RESAMPLE}}))
    explain(ARM)
    said = " ".join(capsys.readouterr().out.split())
    assert "Boundary F1, mean over 2 runs, of the n = 40 samples of the scoring set: 0.487" in said
    assert said.index("000000 ") < said.index("000001 ")
    assert "IoU" not in said
    assert "boundary_f1" in Path(".micromime/explanations/grain_boundaries-adaptive.html").read_text()


@pytest.mark.usefixtures("here")
def test_a_section_that_names_no_metric_is_a_mistake():
    Path("params.yaml").write_text(json.dumps({"grain_boundaries": {"resample": {"count": 1}}}))
    with pytest.raises(Mistake, match=r"^grain_boundaries\.resample\.score: is missing; add it\.$"):
        explain(ARM)


@pytest.mark.usefixtures("here")
def test_another_metric_that_is_asked_for_has_a_page_of_its_own(capsys):
    write_table(rows_of(40, **BOUNDARY))
    explain(ARM, score="boundary_f1")
    assert capsys.readouterr().out.endswith("explanations/grain_boundaries-adaptive-boundary_f1.html\n")
    with pytest.raises(Mistake, match=r"no scores by 'iou'; it has those by: mean_iou, boundary_f1\. Give one"):
        explain(ARM, score="iou")
    with pytest.raises(Mistake, match="no scores by ''"):
        explain(ARM, score="")


@pytest.mark.usefixtures("here")
def test_scores_from_before_by_another_metric_are_none_by_this():
    base = TABLE.with_name("base.parquet")
    write_table(rows_of(40), "a" * 32, base)
    write_table(rows_of(40, **{"score.boundary_f1": 0.5}))
    write_arm(start="models/grain_boundaries/base", base="a" * 32)
    chosen = chosen_by(ARM)
    assert "before" not in scoring_of(chosen, scores_of(chosen), "boundary_f1", earlier_than(chosen))
    assert "before" in scoring(chosen)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("asked", [f"{ARM}/run-002/", f"./{ARM}/run-002/weights.safetensors"])
def test_a_run_is_named_by_its_folder_or_its_weights(asked):
    assert chosen_by(asked) == chosen_by(f"{ARM}/run-002")
    assert chosen_by(asked).run == 2


def scoring(chosen):
    return scoring_of(chosen, scores_of(chosen), "mean_iou", earlier_than(chosen))


def round_at_hand():
    chosen = chosen_by(ARM)
    scores = scores_of(chosen)
    folder, remark = trained_on(chosen)
    return round_of(folder, scores.origin, scoring(chosen)) if folder else (None, remark)


@pytest.mark.usefixtures("here")
def test_a_round_is_what_a_sampler_asked_for():
    round_, remark = round_at_hand()
    assert (round_.name, round_.scored_by, round_.score, remark) == ("adaptive", "base", "mean_iou", "")
    assert round_.samples["parent"].tolist() == ["000003", "000003", "000004"] * 2
    write_set("data/synthetic/base", rows_of(5))
    write_arm("data/synthetic/base")
    assert round_at_hand() == (None, "")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", ["gone", "other version", "other scores", "other parameters"])
def test_a_round_that_does_not_fit_is_left_out(case):
    if case == "gone":
        shutil.rmtree(ROUND)
    elif case == "other version":
        write_arm(digest="0" * 32 + ".dir")
    elif case == "other scores":
        write_table(rows_of(40, **{"grain_structure.diameter_px": 9}))
        Path(ROUND, "dataset.json").write_text(json.dumps({"sampler": {"a": {}}, "scored": {"sha256": "other"}}))
        write_arm()
    else:
        write_table(rows_of(40, **{"grain_structure.diameter_px": range(40)}))
    round_, remark = round_at_hand()
    assert round_ is None
    assert remark.startswith("What a sampler asked for is left out: data/synthetic/grain_boundaries/adaptive")
    assert ("asked for by scores" in remark) == (case == "other scores")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("", "No arm is named; give the folder of an arm such as"),
        ("models/grain_boundaries/other", "there is no arm.json; give the folder of an arm such as"),
        (f"{ARM}/run-007", f"{TABLE} has no scores of run 7; it has those of the runs: 1, 2"),
        ("0" * 32, "There is no MLflow store"),
    ],
)
def test_what_is_not_there_is_said(asked, sentence):
    with pytest.raises(Mistake, match=re.escape(sentence)):
        explain(asked)


@pytest.mark.usefixtures("here")
def test_a_missing_table_names_the_command_that_makes_it():
    TABLE.rename(TABLE.with_name("base.parquet"))
    with pytest.raises(Mistake, match=r"there are tables of: base\); make it with `make run`"):
        explain(ARM)
    Path("params.yaml").write_text("grain_boundaries: {train: {}}\n")
    with pytest.raises(Mistake, match=r"params\.yaml has no grain_boundaries\.scoring"):
        explain(ARM)


@pytest.mark.usefixtures("here")
def test_a_table_of_other_networks_or_of_none_is_a_mistake():
    write_table(rows_of(40), fingerprint="f" * 32)
    with pytest.raises(Mistake, match=r"other networks than the arm adaptive of .*; make it anew with `make run`"):
        explain(ARM)
    write_table(rows_of(40).drop(columns="score.mean_iou"))
    with pytest.raises(Mistake, match=r"has no scores by 'mean_iou'; it has those by: none"):
        explain(ARM)
    TABLE.write_text("no table")
    with pytest.raises(Mistake, match="is no table of scores"):
        explain(ARM)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_arm_is_a_mistake(content):
    Path(ARM, "arm.json").write_text(content)
    with pytest.raises(Mistake, match="damaged"):
        explain(ARM)


@pytest.mark.usefixtures("here")
def test_a_page_that_cannot_be_written_is_a_mistake():
    with pytest.raises(Mistake, match="cannot be written"):
        explain(ARM, Path(ARM, "arm.json", "page.html"))


@pytest.mark.usefixtures("here")
def test_pictures_are_those_of_the_very_set_that_was_scored():
    scored = {"path": SCORING, "sha256": identity(Path(SCORING))}
    image, truth = pictures(scored, ["000007"])["000007"]
    assert (image.shape, image[0, 0], truth.shape) == ((8, 12), 7, (8, 12))
    assert pictures(scored | {"sha256": "other"}, ["000007"]) == {}


@pytest.mark.usefixtures("here")
def test_scores_from_before_come_from_the_arm_gone_on_from_run_by_run():
    write_table(rows_of(40))
    base = TABLE.with_name("base.parquet")
    write_table(rows_of(40, **{"score.mean_iou": 0.125, "score.mean_iou.run-002": 0.25})[::-1], "a" * 32, base)
    write_arm(start="models/grain_boundaries/base", base="a" * 32)
    for folder, before in ((ARM, 0.125), (f"{ARM}/run-002", 0.25)):
        chosen = chosen_by(folder)
        assert scoring(chosen)["before"].unique().tolist() == [before]
    write_arm(start="models/grain_boundaries/base", base="b" * 32)
    assert "before" not in scoring(chosen_by(ARM))


@pytest.mark.usefixtures("here")
def test_before_is_of_the_same_sample():
    rows = rows_of(40)
    write_table(rows[::-1], "a" * 32, TABLE.with_name("base.parquet"))
    write_table(rows.assign(**{"score.mean_iou": rows["score.mean_iou"] + 0.25}))
    write_arm(start="models/grain_boundaries/base", base="a" * 32)
    table = scoring(chosen_by(ARM))
    assert (table["score"] - table["before"]).to_numpy() == pytest.approx(0.25)


def runs_of(fingerprint, seed=None):
    from micromime.team.logged import Logged, Trained

    runs = Logged().runs_of(Trained("grain_boundaries", "adaptive", fingerprint))
    return next(run.info.run_id for run in runs if run.data.tags.get("micromime.seed") == seed)


@pytest.mark.usefixtures("project_with_runs")
def test_an_id_of_mlflow_is_its_arm_or_its_run():
    write_table(rows_of(12))
    chosen = chosen_by(runs_of("e" * 32, "2"))
    assert (chosen.arm, chosen.run, chosen.fingerprint) == ("adaptive", 2, "e" * 32)
    assert chosen.data == (ROUND, chosen_by(ARM).data[1])
    assert chosen_by(runs_of("e" * 32)).run is None
    assert scores_of(chosen).place == TABLE.as_posix()


@pytest.mark.usefixtures("project_with_runs")
def test_scores_of_earlier_networks_come_from_mlflow(tmp_path):
    from micromime.tracking.logged_files import log_file

    write_table(rows_of(12))
    with pytest.raises(Mistake, match=r"no adaptive\.parquet"):
        scores_of(chosen_by(runs_of("b" * 32, "1")))
    write_table(rows_of(15), "b" * 32, tmp_path / "adaptive.parquet")
    log_file(runs_of("b" * 32), tmp_path / "adaptive.parquet")
    assert len(scores_of(chosen_by(runs_of("b" * 32, "1"))).rows) == 15


@pytest.mark.usefixtures("project_with_runs")
def test_an_arm_that_is_not_checked_out_is_known_from_the_cache_of_dvc():
    before = chosen_by(f"{ARM}/run-001")
    shutil.rmtree(ARM)
    assert chosen_by(f"{ARM}/run-001") == before
    assert before.run == 1
    shutil.rmtree("data/scores")
    with pytest.raises(Mistake, match=r"params\.yaml has no grain_boundaries\.scoring"):
        scores_of(before)
    base = chosen_by("models/grain_boundaries/base")
    with pytest.raises(Mistake, match="is no table of scores"):  # the cache has it, and it is a word
        scores_of(base)
    shutil.rmtree(".dvc/cache")
    with pytest.raises(Mistake, match=r"is not here, but dvc\.lock names it; bring it with `micromime pull`"):
        scores_of(base)
