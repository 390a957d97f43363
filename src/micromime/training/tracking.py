"""What MLflow is told of arms and their runs. Nothing is ever read back from it as a result.

An arm is a parent run, and each of its runs with one seed a child. Both are found by their tags, so a stage that is
resumed or repeated goes on with the runs that are there. `import mlflow` takes seconds and stands inside functions.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from micromime.mistakes import Mistake
from micromime.training.mlflow_arm import (
    RESTORED,
    TAKEN,
    ArmRecords,
    RunDescription,
    experiment_id,
    log_points,
    points,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

UNLESS_SET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines a run
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # also shown for two files on this disk
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds, instead of 120
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # instead of 7: a server that is silent is given up within a minute
}
"""Environment variables that are given a value where the user has given none."""

POINTS_KEPT = 100
"""Points of a run that wait for one another before they are sent."""

SYSTEM_INTERVAL_S = 5.0


def tracking_uri() -> str:
    """Return where runs are kept: MLFLOW_TRACKING_URI, or else mlflow.db in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"


@contextmanager
def answering(asked: str = "") -> Iterator[None]:
    """Set MLflow up, and turn what the store answers instead of doing as `asked` ("to take it") into one sentence."""
    for name, value in UNLESS_SET.items():
        os.environ.setdefault(name, value)
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError) as error:
        advice = "see that it can be reached and written to, or set MLFLOW_TRACKING_URI to another store"
        failed = f"MLflow's store at {tracking_uri()} failed{asked and ' ' + asked} ({_reason(error)}); {advice}."
        raise Mistake(without_password(failed)) from error


def without_password(text: str) -> str:
    """Return a text about the store without the password that its address may hold."""
    password = urlsplit(tracking_uri()).password
    return text.replace(password, "***") if password else text


def _reason(error: Exception) -> str:
    """Return the first sentence of an error, of its innermost cause where the network failed."""
    text = str(error)
    if "(Caused by " in text:
        text = text.rpartition(": ")[2].partition('")')[0]
    return text.strip().partition("\n")[0].partition(". ")[0].rstrip(".")


@answering()
def prepare_store(experiment: str) -> None:
    """Make the store and the experiment, or bring an older store up to date.

    To be called once before several processes log at the same time: those that meet a store without tables all start
    to make them, and all but one fail.
    """
    from mlflow.exceptions import MlflowException

    try:
        client = store_client()
    except MlflowException as error:
        if "out-of-date" not in str(error) or not tracking_uri().startswith("sqlite:"):
            raise  # a database that others use too is theirs to upgrade
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", tracking_uri()]
        subprocess.run(command, check=False, capture_output=True)
        client = store_client()
    experiment_id(client, experiment)


@contextmanager
def tracked_arm(described: RunDescription) -> Iterator[str]:
    """Begin an arm, or go on with one that was begun, and give the id under which its runs stand.

    At the end it is marked FINISHED, FAILED (any error) or KILLED (interrupted). Runs that an earlier process was
    killed in are marked KILLED at the start.
    """
    with _ended(_begun_arm(described)) as log:
        yield log.run_id


@contextmanager
def tracked_run(arm_id: str, seed: int, described: RunDescription, taken: bool = False) -> Iterator[RunLog]:
    """Begin the run with one seed of an arm, and give what takes its numbers; may be used in any process.

    It ends as `tracked_arm` does. The machine's load is recorded beside it, unless the run is `taken` from its record
    and costs this machine nothing. Where the same run has been finished before, that one stays as it is and the
    numbers given now are passed over.
    """
    with _ended(_begun_run(arm_id, seed, described, taken)) as log:
        yield log


@answering()
def log_judged(
    described: RunDescription,
    by_seed: Mapping[int, Mapping[str, Any]],
    of_arm: Mapping[str, Any],
    files: Sequence[Path] = (),
) -> None:
    """Add the numbers on the test set to each run and to the arm, and the files to the arm as artifacts.

    Numbers may be nested; `{"mean_iou": {"mean": 0.7}}` becomes `real.mean_iou.mean`, or `surrogate.` on a surrogate.
    What is no finite number is left out. Missing runs (a new store, or a network that DVC has restored) are made.
    Called again it doubles nothing.
    """
    if not described.test_set:
        raise ValueError("what has been judged must say on which kind of test set")
    records = ArmRecords.open(store_client(), described)
    arm = records.arm()
    for seed, numbers in by_seed.items():
        records.end_abandoned(seed=str(seed))
        run = records.finished_run(seed) or records.make_run(seed, arm.info.run_id, RESTORED)
        records.add_verdict(run, numbers)
    records.add_verdict(arm, of_arm)
    for file in files:
        records.client.log_artifact(arm.info.run_id, str(file))


@answering()
def arm_run_id(described: RunDescription) -> str:
    """Return the id of an arm's parent run, which is made if there is none (a new store)."""
    return str(ArmRecords.open(store_client(), described).arm().info.run_id)


@dataclass
class RunLog:
    """Takes the numbers of one run and sends them in batches: a call for each would cost more than some steps."""

    client: MlflowClient
    run_id: str
    monitor: SystemMetricsMonitor | None = None
    complete: bool = False
    """Whether the run was finished before."""
    _waiting: list[Metric] = field(default_factory=list)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers by name, at one step of the training; now and then this sends what has gathered."""
        if not self.complete:
            self._waiting += points(values, step)
        if len(self._waiting) >= POINTS_KEPT:
            self.flush()

    @answering()
    def flush(self) -> None:
        """Send the numbers that wait."""
        log_points(self.client, self.run_id, self._waiting)
        self._waiting = []

    @answering()
    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Send what waits, and mark the run as ended."""
        if self.complete:
            return
        if self.monitor:
            _finish(self.monitor)
        self.flush()
        self.client.set_terminated(self.run_id, status)


@contextmanager
def _ended(log: RunLog) -> Iterator[RunLog]:
    try:
        yield log
    except BaseException as error:
        with suppress(Mistake):  # the first failure is the one to tell
            log.end("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    log.end("FINISHED")


@answering()
def _begun_arm(described: RunDescription) -> RunLog:
    records = ArmRecords.open(store_client(), described)
    records.end_abandoned()
    run_id = records.arm().info.run_id
    records.client.update_run(run_id, status="RUNNING")
    return RunLog(records.client, run_id)


@answering()
def _begun_run(arm_id: str, seed: int, described: RunDescription, taken: bool) -> RunLog:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    records = ArmRecords.open(store_client(), described)
    records.end_abandoned(seed=str(seed))
    if finished := records.finished_run(seed):
        return RunLog(records.client, finished.info.run_id, complete=True)
    run_id = records.make_run(seed, arm_id, TAKEN if taken else "").info.run_id
    if taken:
        return RunLog(records.client, run_id)
    monitor = SystemMetricsMonitor(run_id, sampling_interval=SYSTEM_INTERVAL_S, tracking_uri=tracking_uri())
    monitor.start()
    return RunLog(records.client, run_id, monitor)


def _finish(monitor: SystemMetricsMonitor) -> None:
    """Stop recording the machine's load, and add its mean since the last sample: MLflow's own end leaves that out."""
    monitor.finish()
    for part in monitor.monitors:
        part.clear_metrics()
    monitor.collect_metrics()
    monitor.publish_metrics(monitor.aggregate_metrics())
    monitor.mlflow_logger.flush()


def store_client() -> MlflowClient:
    """Return what speaks to the store; what it answers instead of doing as told must be `answering`'s."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri())
