"""Files that are kept with a run in MLflow, and fetched from there byte for byte: tables of scores, pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from micromime.mistakes import Mistake
from micromime.tracking.store import answering, store_client, tracking_uri, without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST_PICTURES = 12
"""Pictures of one run: MLflow's page shows them all, and loads every one."""

PICTURES = "pictures"
"""The folder they are logged under."""

PNG = b"\x89PNG\r\n\x1a\n"
"""What such a file begins with."""


def log_file(run_id: str, path: Path) -> None:
    """Keep a file with a run, under its name; logged again it takes the place of what was there.

    Raises Mistake where there is no such file or run, or where the store fails.
    """
    _checked(path, run_id)
    with answering(f"to take {path} for the run {run_id}"):
        client = _client_of(run_id, f"{path} cannot be logged to it")
        client.log_artifact(run_id, str(path))


def fetch_logged(run_id: str, name: str, folder: Path) -> Path:
    """Return `folder/name`, then the very bytes that were logged to a run as `name` (with `/` below a folder).

    Raises Mistake where there is no such run, or it has no such file, or where the store fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as unfinished:  # a file that is there is whole
        with answering(f"to give {name} of the run {run_id}"):
            client = _client_of(run_id, f"{name} cannot be fetched from it")
            _expect(client, run_id, name)
            fetched = client.download_artifacts(run_id, name, unfinished)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return Path(fetched).replace(folder / name)


def log_pictures(run_id: str, pictures: Mapping[str, Path]) -> None:
    """Keep PNG pictures with a run as `pictures/<name>.png`, at most 12 (more raise ValueError).

    A name that was logged before gets the new picture: names that say a place (`worst-01`) leave no old ones behind.
    Raises Mistake where there is no such file or run, or where the store fails.
    """
    if len(pictures) > MOST_PICTURES:
        raise ValueError(f"{len(pictures)} pictures are too many; a run keeps at most {MOST_PICTURES}")
    with TemporaryDirectory() as folder:
        for name, path in pictures.items():
            if not _checked(path, run_id).read_bytes().startswith(PNG):
                raise ValueError(f"{path} is no PNG picture")
            shutil.copy(path, Path(folder, f"{name}.png"))
        with answering(f"to take {len(pictures)} pictures for the run {run_id}"):
            client = _client_of(run_id, "no pictures can be logged to it")
            client.log_artifacts(run_id, folder, PICTURES)


def _checked(path: Path, run_id: str) -> Path:
    if not path.is_file():
        raise Mistake(f"{path} is no file and cannot be logged to the run {run_id}; first run the stage that makes it.")
    return path


def _client_of(run_id: str, therefore: str) -> MlflowClient:
    """Return what speaks to the store of a run."""
    from mlflow.exceptions import MlflowException

    client = store_client()
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        advice = "give the id of a run that is there, or set MLFLOW_TRACKING_URI to the store that has it"
        raise Mistake(f"{_store()} has no run {run_id}, so {therefore}; {advice}.") from None
    return client


def _expect(client: MlflowClient, run_id: str, name: str) -> None:
    """Raise Mistake where the run has no file of that name."""
    above = PurePosixPath(name).parent.as_posix()
    there = client.list_artifacts(run_id, None if above == "." else above)
    names = [entry.path for entry in there if not entry.is_dir]
    if name not in names:
        has = f"only {', '.join(names)}" if names else "no files there"
        advice = "run the stage that logs it, or name another file or run"
        raise Mistake(f"The run {run_id} in {_store()} has no {name} ({has}); {advice}.")


def _store() -> str:
    return without_password(f"MLflow's store at {tracking_uri()}")
