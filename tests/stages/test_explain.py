"""A page for every arm, of what is in its files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.arms.arm import Arm
from micromime.mistakes import Mistake
from micromime.reporting.explanation import forest as dependence
from micromime.reporting.explanation.scored_arm import Chosen
from micromime.sampling.scores import write_scores
from micromime.stages import explain as stage

USE_CASE = "grain_boundaries"
RESAMPLE = {"count": 1, "score": "mean_iou", "runs": "all"}


@pytest.fixture
def arms(workshop, monkeypatch):
    """Two arms whose networks have scored samples, the later 0.25 better; no table has a column from before."""
    monkeypatch.setattr(dependence, "TREES", 20)
    monkeypatch.setattr(dependence, "BOOTSTRAPS", 4)
    thick = np.random.default_rng(1).permutation(40) / 40
    for gain, arm in enumerate((workshop.train(), workshop.train("adaptive", "base"))):
        rows = pd.DataFrame({"id": [f"{n:06d}" for n in range(40)], "parent": "", "grain_boundaries.waviness": thick})
        origin = {"fingerprint": Arm.read(arm).fingerprint, "scored": {"path": "data/scoring", "sha256": "0"}}
        scores = {"score.mean_iou": 0.5 - thick / 2 + gain / 4}
        write_scores(Path(f"data/scores/{USE_CASE}/{arm.name}.parquet"), rows.assign(**scores), origin)
    rounds = {"adaptive": {"parent": "base", "seed": 1, "sampler": {"random_draws": {}}}}
    Path("params.yaml").write_text(json.dumps({USE_CASE: {"rounds": rounds, "resample": RESAMPLE}}))
    return Path("models")


def pages(models):
    stage.main(USE_CASE, models, Path("pages"))
    return {file.name: file.read_text() for file in Path("pages").iterdir()}


def test_every_arm_has_a_page(arms):
    written = pages(arms)
    assert set(written) == {"base.html", "adaptive.html"}
    assert "arm adaptive of grain_boundaries" in written["adaptive.html"]
    assert "micromime explain models/adaptive --score mean_iou" in written["adaptive.html"]
    assert pages(arms) == written


def test_scores_from_before_are_those_of_the_arm_gone_on_from(arms, monkeypatch):
    told = []
    monkeypatch.setattr(stage, "write_explanation", lambda _, each: told.append(each.scoring))
    stage.main(USE_CASE, arms, Path("pages"))
    assert "before" not in told[0]
    assert (told[1]["score"] - told[1]["before"]).to_numpy() == pytest.approx(0.25)


def test_the_scores_are_those_that_samplers_go_by(arms):
    tree = json.loads(Path("params.yaml").read_text())
    tree[USE_CASE]["resample"]["score"] = "boundary_f1"
    Path("params.yaml").write_text(json.dumps(tree))
    with pytest.raises(Mistake, match=r"base\.parquet has no scores by 'boundary_f1'; it has those by: mean_iou"):
        pages(arms)


def test_an_arm_that_was_not_trained_is_named(arms):
    (arms / "adaptive" / "arm.json").unlink()
    with pytest.raises(Mistake, match=r"models/adaptive holds no arm\.json"):
        pages(arms)


def test_a_damaged_arm_is_named():
    with pytest.raises(Mistake, match=r"The arm\.json of models/base is damaged"):
        Chosen.of(json.loads("{}"), None, "models/base")
