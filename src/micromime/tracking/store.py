"""MLflow's store: where it is, whether it answers, and how its failures are told. `import mlflow` takes seconds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from micromime.mistakes import Mistake
from micromime.project.extras import what_to_install
from micromime.project.work import OURS, is_copy, project_folder
from micromime.tracking.address import file_of, reach_database, shown, unusable, wrong
from micromime.tracking.failures import failure, reason
from micromime.tracking.moved import FILES, follow, location

if TYPE_CHECKING:
    from mlflow import MlflowClient

OFFLINE = "MICROMIME_OFFLINE"
"""Environment variable: set by a user whose machine does not reach the store, or by us once that is found out."""

UNLESS_SET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines a run
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # also shown for two files on this disk
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds, instead of 120
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # instead of 7: a server that is silent is given up within a minute
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # or a server that says "in an hour" is waited for
    "PGCONNECT_TIMEOUT": "10",  # seconds, instead of for ever
}
"""Environment variables that are given a value where the user has given none."""


class Unreachable(Mistake):
    """The store did not do as it was asked, because it cannot be reached, does not let us in, or fails."""

    lasting = True
    """Whether waiting is of no use, as the settings are wrong."""


def tracking_uri() -> str:
    """Return where runs are kept: MLFLOW_TRACKING_URI, or else mlflow.db in the project's folder.

    A file that is given without the folders above it lies there, too, also for an experiment that DVC tries in a copy.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    file = file_of(given or "sqlite:///mlflow.db")
    if given and (file is None or file.is_absolute() or not is_copy()):
        return given
    whole = Path.cwd() / project_folder() / (file or "")
    odd = {"%", "?"} & {*str(whole)}  # these mean more in an address, and MLflow makes folders of what they are there
    return f"sqlite:///{os.path.relpath(whole) if odd else whole}"


def absent_file() -> str:
    """Return the file that the store is to be, where it is a file of this machine and not there yet; else nothing."""
    file = file_of(tracking_uri())
    return "" if file is None or file.is_file() else str(file)


def offline() -> bool:
    """Return whether the store is not asked at all."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


@contextmanager
def best_effort() -> Iterator[None]:
    """Tell MLflow what can be told: where its store does not answer, say so once and go on.

    From then on this process, and those that it starts, ask it no more; `micromime publish` tells it from the records.
    """
    try:
        yield
    except Unreachable as why:
        if not offline():
            later = "work goes on, and `micromime publish` tells MLflow later what it has missed"
            print(f"micromime: {str(why).rstrip('.')}; {later}.", file=sys.stderr, flush=True)
        os.environ[OFFLINE] = "1"


def check_store() -> None:
    """Say at once what would keep MLflow from being told, before hours of work.

    Raises Mistake where the address or the file is wrong; Unreachable where a server does not answer or let us in.
    """
    if offline():
        return
    if said := misplaced(writing=True):
        raise Mistake(said)
    if file_of(tracking_uri()) is None:
        try:
            with answering("to be asked"):
                found = store_client().get_experiment_by_name("micromime")
                if found and not found.experiment_id:  # any JSON passes for an experiment
                    raise OSError("it names no experiment")
        except Unreachable as why:
            raise (Mistake(str(why)) if why.lasting else why) from None


def misplaced(writing: bool) -> str:
    """Return why there can be no store where the settings say, in one sentence; nothing where there may be one."""
    models = os.environ.get("MLFLOW_REGISTRY_URI", "")
    for name, address in (("MLFLOW_TRACKING_URI", tracking_uri()), ("MLFLOW_REGISTRY_URI", models)):
        if address and (why := wrong(address) or unusable(address, writing)):
            return f"{name if name in os.environ else 'The store of MLflow'} is {shown(address)!r}: {why}."
    return ""


@contextmanager
def answering(asked: str = "") -> Iterator[None]:
    """Set MLflow up, and turn what the store answers instead of doing as `asked` ("to take it") into one sentence."""
    if offline():
        raise Unreachable(f"MLflow is not asked, as {OFFLINE} is set; unset it where the store can be reached.")
    for name, value in UNLESS_SET.items():
        os.environ.setdefault(name, value)
    if said := misplaced(writing=False):
        raise Unreachable(said)
    try:
        from alembic.util import CommandError
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ModuleNotFoundError as error:
        raise Unreachable(what_to_install(error) or str(error)) from None

    try:
        reach_database(tracking_uri())
        yield
    except (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError) as error:
        failed, way = f"MLflow's store at {tracking_uri()} failed{asked and ' ' + asked}", failure(error)
        told = Unreachable(without_password(f"{failed} ({reason(error)}); {way.advice}."))
        told.lasting = way.lasting
        raise told from error


def without_password(text: str) -> str:
    """Return a text about the store without the password that its address may hold."""
    address = tracking_uri()
    password = urlsplit(address).password
    for each in {password, unquote(password or "")} - {None, ""}:  # as a whole word, as mlflow:mlflow@lab is usual
        hidden = re.compile(rf"(?<!\w){re.escape(str(each))}(?!\w)")
        text = address.join(hidden.sub("***", part) for part in text.split(address))
    return text.replace(address, shown(address))


def without_login(address: str) -> str:
    """Return an address without the name and password that it may hold: a browser asks for them."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@answering()
def prepare_store(experiment: str) -> str:
    """Make the store and the experiment, or bring an older store up to date; return the experiment's id.

    Raises Mistake where the experiment was deleted. Of processes that meet a store without tables at the same time
    one makes them: where all start to, all but one fail.
    """
    from mlflow.exceptions import MlflowException

    if said := unusable(tracking_uri(), writing=True):
        raise Unreachable(f"MLflow's store cannot be used: {said}.")
    with FileLock(OURS / "mlflow.lock", timeout=30, mode=0o644):
        try:
            client = store_client()
        except MlflowException as error:
            if "out-of-date" not in str(error) or not tracking_uri().startswith("sqlite:"):
                raise  # a database that others use too is theirs to upgrade
            command = [sys.executable, "-m", "mlflow", "db", "upgrade", tracking_uri()]
            subprocess.run(command, check=False, capture_output=True)
            client = store_client()
        found = client.get_experiment_by_name(experiment)
        if found is None:
            made = client.create_experiment(experiment, _place_of_files(experiment))
            as_it_lies()
            return str(made)
    if found.lifecycle_stage != "active":
        restore = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise Mistake(f"The MLflow experiment {experiment!r} was deleted; bring it back with `{restore}`.")
    return str(found.experiment_id)


def _place_of_files(experiment: str) -> str | None:
    """Return where an experiment's files are to lie; None where MLflow chooses well: not in a copy that DVC deletes."""
    by_client = tracking_uri().startswith(("sqlite:", "postgresql", "mysql", "mssql"))
    return location(project_folder() / FILES / experiment) if by_client and is_copy() else None


def store_client() -> MlflowClient:
    """Return what speaks to the store; what it answers instead of doing as told must be `answering`'s."""
    from mlflow import MlflowClient

    as_it_lies()
    return MlflowClient(tracking_uri())


def as_it_lies() -> None:
    """See that a store in the project's folder names the files there, if that was moved or copied, without MLflow."""
    file, project = file_of(tracking_uri()), Path.cwd() / project_folder()
    if file and file.is_file():
        follow(file.parent.resolve() / file.name, project)
