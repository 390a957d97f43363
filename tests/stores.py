"""A store of MLflow for tests: made once, as making one takes seconds, and copied for each test that wants its own.

And what arm.json and run.json say of arms that nobody has trained.
"""

import os
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from micromime.tracking.store import OFFLINE, as_it_lies, prepare_store, store_client

MD5 = "0123456789abcdef0123456789abcdef.dir"


def arm_json(arm: str = "base", fingerprint: str = "f0", base: str = "", **settings: Any) -> dict[str, Any]:
    """Return what arm.json says."""
    return {
        "use_case": "grains",
        "arm": arm,
        "profile": "tiny",
        "fingerprint": fingerprint,
        "base": base,
        "params": {"data": {"seed": 1}, "train": {"runs": 2} | settings},
        "data": [{"name": "train", "path": "data/grains", "digest": MD5, "context": "training"}],
        "start": None,
        "beside": None,
        "rates": None,
        "revision": {"commit": "c" * 40, "dirty": True},
    }


def run_json(number: int, epochs: int = 3, whole: bool = True, attempt: float = 0) -> dict[str, Any]:
    """Return what run.json says: of epoch n a loss of number/n. Another attempt has another speed."""
    load = {"system/cpu_utilization_percentage": 50.0, "system/gpu_0_utilization_percentage": 90.0}
    told = [
        {"phase": 1, "train_loss": number / n, "valid_loss": None, "mean_iou": n / 8}
        | {"images_per_second": 8 + n / 64 + attempt, **load}
        for n in range(1, epochs + 1)
    ]
    end = {"seconds": 1.5, "peak_gpu_memory_mib": None} if whole else {}
    return {"run": number, "rates": [0.25, 0.125], "epochs": told, **end}


def judged_on(kind: str = "real", reason: str | None = None) -> dict[str, Any]:
    """Return what is said of a test set."""
    data = {"name": "test_set", "path": "data/real", "digest": "1" + MD5[1:], "context": "testing"}
    return {"kind": kind, "reason": reason, "data": data}


def stored(level: str, query: str = "", use_case: str = "grains") -> list[Any]:
    """Return the runs in the store, by name, the oldest first."""
    client = store_client()
    experiment = client.get_experiment_by_name(use_case)
    where = f"tags.`micromime.level` = '{level}'{query}"
    found = client.search_runs([experiment.experiment_id], where, order_by=["attributes.start_time ASC"])
    return sorted(found, key=lambda run: run.info.run_name)


def history(run: Any, key: str = "train_loss") -> list[tuple[int, float]]:
    """Return step and value of all that the store has under a key."""
    return sorted((each.step, each.value) for each in store_client().get_metric_history(run.info.run_id, key))


def content(use_case: str = "grains") -> dict[str, Any]:
    """Return all that a store has of a use case, but for times and ids."""
    found: dict[str, Any] = {}
    for run in stored("arm", use_case=use_case) + stored("run", use_case=use_case):
        own = {key: text for key, text in run.data.tags.items() if key.startswith("micromime.")}
        numbers = {key: history(run, key) for key in run.data.metrics}
        inputs = sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs)
        files = sorted(file.path for file in store_client().list_artifacts(run.info.run_id))
        models = [
            sorted((each.key, each.value, each.dataset_name, each.dataset_digest) for each in model.metrics or ())
            for output in (run.outputs.model_outputs if run.outputs else ())
            for model in [store_client().get_logged_model(output.model_id)]
        ]
        same_name = found.setdefault(run.info.run_name, [])
        same_name.append((run.info.status, own, numbers, dict(run.data.params), inputs, files, models))
    for version in store_client().search_model_versions():
        arm, aliases = version.tags["micromime.arm"], store_client().get_registered_model(version.name).aliases
        stands_for_it = str(aliases.get(arm)) == str(version.version)
        same_arm = found.setdefault(f"{version.name}@{arm}", [])
        same_arm.append((stands_for_it, dict(version.tags), version.description))
    return found


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store that holds nothing but tables."""
    folder = tmp_path_factory.mktemp("empty")
    with mock.patch.dict(os.environ), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv(OFFLINE, raising=False)
        prepare_store("made beforehand")
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own, in the working directory."""
    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(OFFLINE, "")
    as_it_lies()  # which it says, as it was copied
    return tmp_path / "mlflow.db"
