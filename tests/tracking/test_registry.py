"""Networks in the registry: registered once, found by the arm's name, told apart by what was hashed."""

import dataclasses
import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from micromime.mistakes import Mistake
from micromime.project.versions import DataVersion, Revision
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.registry import model_name, register
from micromime.tracking.store import prepare_store, store_client
from micromime.tracking.tracking import tracked_arm

pytestmark = pytest.mark.slow

DESCRIBED = RunDescription(
    use_case="grains",
    arm="adaptive",
    profile="tiny",
    fingerprint="f1",
    params={"train": {"epochs": 3}},
    data=(DataVersion("train", "data/grains", "a" * 32 + ".dir"), DataVersion("test_set", "data/real", "b" * 32)),
    revision=Revision("c" * 40, dirty=False),
    base="f0",
    test_set="surrogate",
    test_set_reason="no real pictures here",
)

NAME = "micromime-grains-tiny"


def network(folder: str, weight: float, run: int = 2) -> Path:
    """Write a folder as that of a run: nothing here asks the network."""
    from safetensors.numpy import save_file

    Path(folder).mkdir()
    save_file({"weight": np.float32([weight])}, Path(folder, "weights.safetensors"))
    Path(folder, "model.json").write_text(f'{{"architecture": "unet_efficientnet_lite0", "run": {run}}}')
    Path(folder, "epochs.jsonl").write_text("{}\n")
    return Path(folder)


def versions() -> list:
    return sorted(store_client().search_model_versions(f"name = '{NAME}'"), key=lambda each: int(each.version))


def logged() -> list:
    client = store_client()
    return list(client.search_logged_models([client.get_experiment_by_name("grains").experiment_id]))


def aliased(alias: str = "adaptive") -> str:
    return str(store_client().get_model_version_by_alias(NAME, alias).version)


def parent() -> object:
    client = store_client()
    experiment = client.get_experiment_by_name("grains").experiment_id
    (arm,) = client.search_runs([experiment], "tags.`micromime.level` = 'arm'")
    return arm


@pytest.mark.usefixtures("store")
def test_a_network_becomes_a_version_of_its_use_case_under_the_name_of_its_arm():
    made = register(DESCRIBED, network("run-002", 0.5))
    assert made == (NAME, "1", "adaptive")
    assert made.uri == "models:/micromime-grains-tiny@adaptive"
    assert aliased() == "1"
    (version,) = versions()
    (model,) = logged()
    arm = parent()
    assert version.run_id == model.source_run_id == arm.info.run_id
    assert [each.model_id for each in arm.outputs.model_outputs] == [model.model_id]
    assert (model.name, model.status.value) == ("adaptive-run-002", "READY")
    assert model.tags["mlflow.modelVersions"] == f'[{{"name": "{NAME}", "version": {version.version}}}]'
    assert arm.info.status == "FINISHED"


@pytest.mark.usefixtures("store")
def test_a_version_says_what_it_was_made_of():
    register(DESCRIBED, network("run-002", 0.5))
    (version,) = versions()
    own = {key.removeprefix("micromime."): value for key, value in version.tags.items()}
    assert own == {
        "use_case": "grains",
        "arm": "adaptive",
        "profile": "tiny",
        "fingerprint": "f1",
        "comparison": "f0",
        "git_commit": "c" * 40,
        "git_dirty": "false",
        "data.train": "a" * 32 + ".dir",
        "data.test_set": "b" * 32,
        "test_set": "surrogate, not real",
        "test_set_reason": "no real pictures here",
        "seed": "2",
        "architecture": "unet_efficientnet_lite0",
        "weights_sha256": hashlib.sha256(Path("run-002/weights.safetensors").read_bytes()).hexdigest(),
    }


@pytest.mark.usefixtures("store")
def test_what_is_logged_holds_no_pickle_and_the_very_weights():
    register(DESCRIBED, network("run-002", 0.5))
    (model,) = logged()
    root = Path(model.artifact_location)
    files = [file for file in root.rglob("*") if file.is_file()]
    kept = {file.relative_to(root).as_posix() for file in files if "code" not in file.relative_to(root).parts}
    assert kept == {
        "MLmodel",
        "served_model.py",
        "artifacts/model.json",
        "artifacts/weights.safetensors",
        "requirements.txt",
        "conda.yaml",
        "python_env.yaml",
        "input_example.json",
        "serving_input_example.json",
    }
    assert all(file.suffix == ".py" for file in (root / "code").rglob("*") if file.is_file())
    weights = "artifacts/weights.safetensors"
    assert (root / weights).read_bytes() == Path("run-002/weights.safetensors").read_bytes()
    assert f"torch=={version('torch').partition('+')[0]}" in (root / "requirements.txt").read_text().splitlines()


@pytest.mark.usefixtures("store")
def test_the_same_weights_are_registered_once_and_the_alias_goes_where_they_are():
    first, second = network("run-001", 0.5, run=1), network("run-002", 0.7)
    assert [register(DESCRIBED, each).version for each in (first, first, second)] == ["1", "1", "2"]
    assert aliased() == "2"
    assert register(DESCRIBED, first).version == "1"
    assert aliased() == "1"
    assert [version.tags["micromime.seed"] for version in versions()] == ["1", "2"]
    assert len(logged()) == 2


@pytest.mark.usefixtures("store")
def test_arms_share_a_model_and_profiles_do_not():
    register(DESCRIBED, network("run-002", 0.5))
    register(dataclasses.replace(DESCRIBED, arm="base", base="", fingerprint="f0"), network("base", 0.2))
    assert (aliased("adaptive"), aliased("base")) == ("1", "2")
    paper = dataclasses.replace(DESCRIBED, profile="paper")
    assert register(paper, Path("run-002")).name == "micromime-grains-paper"
    assert aliased("adaptive") == "1"
    assert model_name(dataclasses.replace(DESCRIBED, profile="")) == "micromime-grains"


@pytest.mark.usefixtures("store")
def test_judged_on_another_test_set_the_version_says_so_and_keeps_its_commit():
    register(DESCRIBED, network("run-002", 0.5))
    real = {"test_set": "real", "test_set_reason": "", "revision": Revision("d" * 40, dirty=True)}
    register(dataclasses.replace(DESCRIBED, **real), Path("run-002"))
    (version,) = versions()
    tags = [version.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason", "git_commit", "git_dirty")]
    assert tags == ["real", "", "c" * 40, "false"]


@pytest.mark.usefixtures("store")
def test_an_arm_that_was_trained_stays_finished_when_it_was():
    with tracked_arm(DESCRIBED):
        pass
    before = parent().info
    register(DESCRIBED, network("run-002", 0.5))
    after = parent().info
    assert (after.status, after.start_time, after.end_time) == ("FINISHED", before.start_time, before.end_time)
    with tracked_arm(DESCRIBED):
        pass
    again = parent().info
    assert (again.status, again.start_time) == ("FINISHED", before.start_time)
    assert again.end_time >= before.end_time >= before.start_time


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "step", ["log_model_artifacts", "finalize_logged_model", "log_outputs", "create_model_version"]
)
def test_what_was_broken_off_is_completed(step, monkeypatch):
    from mlflow import MlflowClient

    def broken(*_, **__):
        raise OSError("disk full")

    folder = network("run-002", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, broken)
        with pytest.raises(Mistake, match=r"failed to register run-002 as micromime-grains-tiny \(disk full\)"):
            register(DESCRIBED, folder)
    assert versions() == []
    assert register(DESCRIBED, folder).version == "1"
    (model,) = logged()
    assert model.status.value == "READY"
    assert [each.model_id for each in parent().outputs.model_outputs] == [model.model_id]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named_before_anything_is_made(name):
    (network("run-002", 0.5) / name).unlink()
    with pytest.raises(Mistake, match=f"run-002/{name} is missing; run-002 is no folder of a trained network"):
        register(DESCRIBED, Path("run-002"))
    assert store_client().search_registered_models() == []


def test_a_description_that_is_cut_off_is_named(tmp_path):
    (network(str(tmp_path / "run-002"), 0.5) / "model.json").write_text('{"archi')
    with pytest.raises(Mistake, match=r"run-002 is damaged.*train it anew"):
        register(DESCRIBED, tmp_path / "run-002")


def test_registering_must_say_on_what_the_network_was_judged(tmp_path):
    with pytest.raises(ValueError, match="which kind of test set"):
        register(dataclasses.replace(DESCRIBED, test_set=""), tmp_path)


def test_a_store_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the port that discards; nobody listens
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = network(str(tmp_path / "run-002"), 0.5)
    with pytest.raises(Mistake, match=r"at http://127.0.0.1:9 failed to register .*run-002 .*MLFLOW_TRACKING_URI"):
        register(DESCRIBED, folder)


@pytest.mark.usefixtures("store")
def test_one_filter_shows_arms_side_by_side():
    prepare_store("grains")
    for arm, base, mark in (("base", "", "f0"), ("random", "f0", "f1"), ("adaptive", "f0", "f2"), ("other", "", "f3")):
        with tracked_arm(dataclasses.replace(DESCRIBED, arm=arm, base=base, fingerprint=mark)):
            pass
    client = store_client()
    said = "tags.micromime.comparison = 'f0' and tags.micromime.level = 'arm'"
    found = client.search_runs([client.get_experiment_by_name("grains").experiment_id], said)
    assert sorted(run.info.run_name for run in found) == ["adaptive", "base", "random"]
