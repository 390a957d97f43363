"""MLflow is told, from the records, of every arm, its scores, and a verdict that is of the runs which are here."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from micromime.arms.arm import Arm, said_of, trained
from micromime.judging.metrics import TESTED
from micromime.judging.statistics import mean
from micromime.project import places
from micromime.sampling.scores import write_scores
from micromime.stages import publish as stage
from micromime.stages.judge import judge

GRAINS = "grain_boundaries"


@pytest.fixture
def told(monkeypatch):
    """What MLflow is told: name of what tells, and all that it is given."""
    calls, made = [], SimpleNamespace(uri="models:/m/1")
    for name in ("publish_arm", "publish_file", "publish_verdict", "publish_model", "publish_view"):
        monkeypatch.setattr(stage, name, lambda *given, name=name: calls.append((name, *given)) or made)
    return calls


def test_arms_and_the_tables_of_networks_that_are_here_are_told(workshop, told):
    arms = [workshop.train("base"), workshop.train("tuned", "base")]
    fingerprints = {"base": Arm.read(arms[0]).fingerprint, "tuned": "of other networks"}
    for name, fingerprint in fingerprints.items():
        write_scores(places.scores(GRAINS, name), pd.DataFrame({"id": ["000000"]}), {"fingerprint": fingerprint})
    stage.publish(GRAINS)
    base, tuned = (("publish_arm", said_of(arm), {n: trained(arm, n) for n in Arm.read(arm).runs}) for arm in arms)
    assert told[:-1] == [base, ("publish_file", said_of(arms[0]), places.scores(GRAINS, "base")), tuned]
    assert told[-1][:3] == ("publish_view", GRAINS, "tiny")


@pytest.mark.usefixtures("scoring")
def test_a_verdict_is_told_of_the_networks_it_was_made_of_and_a_median_one_that_is_here(
    workshop, told, micrographs, capsys
):
    base, out = workshop.train(), places.verdict("tiny", GRAINS)
    judge(GRAINS)
    stage.publish(GRAINS)
    telling = ["publish_arm", "publish_arm", "publish_verdict", "publish_model", "publish_view"]
    assert [name for name, *_ in told] == telling
    _, said, tested_on, by_run, of_arm, kept = told[2]
    assert (said, tested_on["kind"], tested_on["data"]["path"]) == (said_of(base), "surrogate", micrographs.as_posix())
    assert {run: scores["pixel_error"] for run, scores in by_run.items() if run != 2} == {1: 0, 3: 1}
    verdict = json.loads(out.read_text())
    assert {name: of_arm[name] for name in TESTED} == {name: verdict["arms"]["base"][name]["mean"] for name in TESTED}
    sizes = verdict["grain_size"]["all"]["arms"]["base"]["astm_absolute_difference"]
    assert of_arm["astm_g_error"] == sizes["mean"]
    assert mean([each["astm_g_error"] for each in by_run.values() if each["astm_g_error"] >= 0]) == sizes["mean"]
    assert ([file.name for file in kept.files], kept.pictures) == ([f"{GRAINS}.md", "details.md", "scores.parquet"], [])
    _, _, _, network, (*by_source, whole) = told[3]
    assert (network, whole.name, whole.digest) == (base / "run-002", "surrogate_test_set", tested_on["data"]["digest"])
    assert {each.name for each in by_source} == {"surrogate_steel", "surrogate_iron"}
    steel, iron = (next(each.scores for each in by_source if each.name.endswith(name)) for name in ("steel", "iron"))
    assert whole.scores["pixel_error"] == pytest.approx((2 * steel["pixel_error"] + iron["pixel_error"]) / 3)
    assert told[4][-1] == {each.name: each.digest for each in (*by_source, whole)}
    (base / "run-002" / "weights.safetensors").unlink()
    told.clear()
    stage.publish(GRAINS)
    assert [name for name, *_ in told] == [name for name in telling if name != "publish_model"]
    assert "base: run 2 was taken from its record; there is no network to register\n" in capsys.readouterr().out
    run = trained(base, 3)
    run["epochs"][0]["train_loss"] = 0.125
    (base / "run-003" / "run.json").write_text(json.dumps(run))
    told.clear()
    stage.publish(GRAINS)
    assert [name for name, *_ in told] == ["publish_arm", "publish_view"]
    assert "is of other networks than are here, and is not told" in capsys.readouterr().out
