"""Files that are kept with a run in MLflow, and fetched from there byte for byte."""

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from micromime.mistakes import Mistake
from micromime.tracking.store import answering, store_client, tracking_uri, without_password


def log_file(run_id: str, path: Path, folder: str | None = None) -> None:
    """Keep a file with a run, under its name (in a folder); logged again it takes the place of what was there.

    Raises Mistake where there is no such file or run, or where the store fails.
    """
    if not path.is_file():
        raise Mistake(f"{path} is no file, so MLflow cannot keep it; first run the stage that makes it.")
    with answering(f"to take {path} for the run {run_id}"):
        store_client().log_artifact(run_id, str(path), folder)


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
            store, has = without_password(tracking_uri()), ", ".join(names) or "no files there"
            advice = "run the stage that logs it, or name another file or run"
            raise Mistake(f"The run {run_id} in MLflow's store at {store} has no {name} (only {has}); {advice}.")
        fetched = store_client().download_artifacts(run_id, name, unfinished)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return Path(fetched).replace(folder / name)  # a file that is there is whole
