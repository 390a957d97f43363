"""MLflow is told, from the records, of every arm, its scores, and a verdict that is of the runs which are here."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from micromime.arms.arm import Arm, said_of, trained
from micromime.project import places
from micromime.sampling.scores import write_scores
from micromime.stages import publish as stage
from micromime.stages.judge import judge

GRAINS = "grain_boundaries"


@pytest.fixture
def told(monkeypatch):
    """What MLflow is told: name of what tells, and all that it is given."""
    calls, made = [], SimpleNamespace(uri="models:/m/1")
    for name in ("publish_arm", "publish_file", "publish_verdict", "publish_model"):
        monkeypatch.setattr(stage, name, lambda *given, name=name: calls.append((name, *given)) or made)
    return calls


def test_arms_and_the_tables_of_networks_that_are_here_are_told(workshop, told):
    arms = [workshop.train("base"), workshop.train("tuned", "base")]
    fingerprints = {"base": Arm.read(arms[0]).fingerprint, "tuned": "of other networks"}
    for name, fingerprint in fingerprints.items():
        write_scores(places.scores(GRAINS, name), pd.DataFrame({"id": ["000000"]}), {"fingerprint": fingerprint})
    stage.publish(GRAINS)
    base, tuned = (("publish_arm", said_of(arm), {n: trained(arm, n) for n in Arm.read(arm).runs}) for arm in arms)
    assert told == [base, ("publish_file", said_of(arms[0]), places.scores(GRAINS, "base")), tuned]


@pytest.mark.usefixtures("scoring")
def test_a_verdict_is_told_of_the_networks_it_was_made_of_and_a_median_one_that_is_here(
    workshop, told, micrographs, capsys
):
    base, out = workshop.train(), places.verdict("tiny", GRAINS)
    judge(GRAINS)
    stage.publish(GRAINS)
    assert [name for name, *_ in told] == ["publish_arm", "publish_arm", "publish_verdict", "publish_model"]
    _, said, tested_on, by_run, of_arm, files, pictures = told[2]
    assert (said, tested_on["kind"], tested_on["data"]["path"]) == (said_of(base), "surrogate", micrographs.as_posix())
    assert {run: means[""]["pixel_error"] for run, means in by_run.items() if run != 2} == {1: 0, 3: 1}
    assert (of_arm[""]["n_runs"], of_arm[""]["mean_iou"]["mean"]) == (
        3,
        json.loads(out.read_text())["arms"]["base"]["mean_iou"]["mean"],
    )
    assert ([file.name for file in files], pictures) == ([f"{GRAINS}.md", "details.md", "scores.parquet"], {})
    assert told[3] == ("publish_model", said, tested_on, base / "run-002")
    (base / "run-002" / "weights.safetensors").unlink()
    told.clear()
    stage.publish(GRAINS)
    assert [name for name, *_ in told] == ["publish_arm", "publish_arm", "publish_verdict"]
    assert "base: run 2 was taken from its record; there is no network to register\n" in capsys.readouterr().out
    run = trained(base, 3)
    run["epochs"][0]["train_loss"] = 0.125
    (base / "run-003" / "run.json").write_text(json.dumps(run))
    told.clear()
    stage.publish(GRAINS)
    assert [name for name, *_ in told] == ["publish_arm"]
    assert "is of other networks than are here, and is not told" in capsys.readouterr().out
