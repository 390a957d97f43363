"""What MLflow's store has of arms: runs, data, files and registered models. Files and tables alone are written here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from micromime.mistakes import Mistake
from micromime.tracking.store import absent_file, answering, offline, store_client, tracking_uri, without_password

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

Answer = TypeVar("Answer")

COMMIT, MODEL, GIT_TAG = "micromime.commit", "micromime.dvc.model", "micromime.git_tag"
"""Tags of a run or registered model: the commit made after it, DVC's hash of its networks there, a tag of git."""

TABLES = "mlflow.loggedArtifacts"
"""Tag of a run by which MLflow's page shows files as tables."""

MOST = 10_000
"""Entries of one answer: more than there are, and fewer than MLflow allows."""


@contextmanager
def store(asked: str) -> Iterator[MlflowClient]:
    """Give what speaks to the store; Mistake where there is none, or where it fails at what is `asked` of it."""
    if (file := absent_file()) and not offline():  # MLflow would make it, and find nothing in it
        raise Mistake(f"There is no MLflow store at {file}; set MLFLOW_TRACKING_URI to the one that has the runs.")
    with answering(asked):
        yield store_client()


class Logged:
    """The store as a chain asks it: once it has failed it is not asked again, and the chain goes on without it."""

    why_not = ""
    """Why it does not answer."""

    def ask(self, question: Callable[..., Answer], *given: Any) -> Answer | None:
        """Return what the store answers; None where it does not."""
        if not self.why_not:
            try:
                with store("to find runs") as client:
                    return question(client, *given)
            except Mistake as mistake:
                self.why_not = str(mistake)
        return None

    def run(self, run_id: str) -> Run | None:
        """Return a run; None where there is none with this id."""
        return self.ask(lambda client: _unless_missing(client.get_run, run_id))


def registered(address: str) -> ModelVersion:
    """Return what `models:/NAME@ALIAS` or `models:/NAME/VERSION` names; Mistake where there is none."""
    named = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", address)
    if named is None:
        raise Mistake(f"{address} names no version of a model; write models:/NAME@ALIAS or models:/NAME/VERSION.")
    name, alias, number = named.groups()
    with store(f"to give {address}") as client:
        get = client.get_model_version_by_alias if alias else client.get_model_version
        found = _unless_missing(get, name, alias or number)
        known = [] if found else [each.name for each in client.search_registered_models()]
    if found is None:
        raise Mistake(f"MLflow's registry has no {address}; its models are: {', '.join(known) or 'none'}.")
    return found


def tagged(said: Mapping[str, Any], **more: str) -> str:
    """Return how MLflow is asked for what has the tags of an arm, by its arm.json, and more tags."""
    wanted = {key: said[key] for key in ("fingerprint", "arm")} | more
    return " and ".join(f"tags.`micromime.{key}` = '{value}'" for key, value in wanted.items())


def runs_of(client: MlflowClient, said: Mapping[str, Any]) -> list[Run]:
    """Return an arm's parent run and those with one seed, under any profile, the finished ones first."""
    experiment = client.get_experiment_by_name(said["use_case"])
    found = client.search_runs([experiment.experiment_id], tagged(said), max_results=MOST) if experiment else []
    return sorted(found, key=lambda run: run.info.status != "FINISHED")


def versions_of(client: MlflowClient, said: Mapping[str, Any]) -> list[ModelVersion]:
    """Return the versions in the model registry that networks of an arm have."""
    return list(client.search_model_versions(tagged(said), max_results=MOST))


def runs_on(client: MlflowClient, digest: str, path: str = "") -> list[tuple[Run, str, str]]:
    """Return every run on a data version in any experiment, with the data's path and what it was for.

    A path tells the data sets in a folder apart that DVC keeps as one: they have one hash.
    """
    experiments, found = [each.experiment_id for each in client.search_experiments(max_results=MOST)], []
    for run in client.search_runs(experiments, f"dataset.digest = '{digest}'", max_results=MOST):
        for used in run.inputs.dataset_inputs if run.inputs else ():
            first = json.loads(used.dataset.source).get("path", "") if used.dataset.source_type == "dvc" else ""
            where = run.data.tags.get(f"micromime.path.{used.dataset.name}", first)
            contexts = [tag.value for tag in used.tags if tag.key == "mlflow.data.context"]
            if used.dataset.digest == digest and (not path or Path(where).is_relative_to(path)):
                found.append((run, where, "".join(contexts)))
    return found


def _unless_missing(get: Callable[..., Answer], *which: Any) -> Answer | None:
    """Return an answer of the store; None where it says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return get(*which)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def log_file(run_id: str, path: Path, folder: str | None = None) -> None:
    """Keep a file with a run, under its name (in a folder); logged again it takes the place of what was there.

    Raises Mistake where there is no such file or run, or where the store fails.
    """
    if not path.is_file():
        raise Mistake(f"{path} is no file, so MLflow cannot keep it; first run the stage that makes it.")
    with answering(f"to take {path} for the run {run_id}"):
        store_client().log_artifact(run_id, str(path), folder)


def log_table(run: Run, name: str, table: pd.DataFrame) -> None:
    """Keep a table with a run as `name`, which ends with .json; logged again it takes the place of what was there.

    `MlflowClient.log_table` would add its rows to those that are there. Its tag says that the file is a table.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, name)
        table.to_json(file, orient="split", index=False)
        log_file(run.info.run_id, file)
    tables = json.loads(run.data.tags.get(TABLES, "[]"))
    if (entry := {"path": name, "type": "table"}) not in tables:
        run.data.tags[TABLES] = json.dumps([*tables, entry])
        store_client().set_tag(run.info.run_id, TABLES, run.data.tags[TABLES])


def fetch_logged(run_id: str, name: str, folder: Path) -> Path:
    """Return `folder/name`, then the very bytes that were logged to a run as `name` (with `/` below a folder).

    Raises Mistake where there is no such run, or it has no such file, or where the store fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as unfinished, answering(f"to give {name} of the run {run_id}"):
        above = PurePosixPath(name).parent.as_posix()
        entries = store_client().list_artifacts(run_id, None if above == "." else above)
        names = [entry.path for entry in entries if not entry.is_dir]
        if name not in names:
            place, has = without_password(tracking_uri()), ", ".join(names) or "no files there"
            advice = "run the stage that logs it, or name another file or run"
            raise Mistake(f"The run {run_id} in MLflow's store at {place} has no {name} (only {has}); {advice}.")
        fetched = store_client().download_artifacts(run_id, name, unfinished)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return Path(fetched).replace(folder / name)  # a file that is there is whole
