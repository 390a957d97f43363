"""The numbers of one run on their way to MLflow, or into its diary as soon as the store does not take them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from micromime.tracking.mlflow_arm import Point, RunDescription, log_points, points
from micromime.tracking.outbox import Diary, go_offline
from micromime.tracking.store import Unreachable, answering, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

POINTS_KEPT = 100
"""Points of a run that wait for one another before they are sent."""

SYSTEM_INTERVAL_S = 5.0

Status = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass
class RunLog:
    """Takes the numbers of one run and sends them in batches: a call for each would cost more than some steps."""

    described: RunDescription
    seed: int | None = None
    """None for an arm's parent run."""
    taken: bool = False
    """Whether it is told from its record, and costs this machine nothing."""
    attempt: str = ""
    """Names this attempt at the run, so that it is found again where the store's answer was lost."""
    client: MlflowClient | None = None
    """None where the store is not asked."""
    run_id: str = ""
    complete: bool = False
    """Whether the run was finished before: numbers are passed over."""
    diary: Diary | None = None
    _waiting: list[Point] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _load: Load | None = None

    def begin(self) -> None:
        """Write down that the run has begun, where the store has not been told; record the machine's load."""
        if self.client is None:
            self._go_offline("")
        if self.seed is not None and not (self.complete or self.taken):
            self._load = Load(self)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers by name, at one step of the training; now and then this sends what has gathered."""
        if self.complete:
            return
        with self._lock:
            self._waiting += points(values, step)
        if len(self._waiting) >= POINTS_KEPT:
            self.flush()

    def flush(self) -> None:
        """Send the numbers that wait; what the store does not take goes into the diary."""
        with self._lock:
            new, self._waiting = self._waiting, []
            if new and not self._sent(lambda client: log_points(client, self.run_id, new)) and self.diary:
                self.diary.write(new)

    def end(self, status: Status) -> None:
        """Send what waits, and mark the run as ended."""
        if self.complete:
            return
        if self._load:
            self._load.end()
        self.flush()
        if not self._sent(lambda client: client.set_terminated(self.run_id, status)) and self.diary:
            self.diary.end(status)

    def _sent(self, tell: Callable[[MlflowClient], object]) -> bool:
        """Return whether the store was told; if not, the diary takes all from now on."""
        if self.client is None:
            return False
        try:
            with answering():
                tell(self.client)
        except Unreachable as why:
            self._go_offline(why)
            return False
        return True

    def _go_offline(self, why: object) -> None:
        """Begin the diary; it goes on with what the store already has of this run."""
        if why:
            go_offline(why)
        self.client = None
        self.diary = Diary.begin("run", run_letter(self))


def run_letter(log: RunLog) -> dict[str, Any]:
    """Return what the letter of a run says besides its numbers."""
    own = {key: getattr(log, key) for key in ("seed", "taken", "attempt", "run_id")}
    return own | {"described": log.described.dumped()}


class Load:
    """Records the load of the machine beside a run's own numbers, until it is ended."""

    def __init__(self, log: RunLog) -> None:
        """Begin to record into the log of a run."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        # MLflow's own loop asks the server about the run at every sample, and stops for good when it is silent.
        self._monitor = SystemMetricsMonitor("", sampling_interval=SYSTEM_INTERVAL_S, tracking_uri=tracking_uri())
        self._monitor.mlflow_logger = self  # type: ignore[assignment]  # it calls nothing but record_metrics
        self._log = log
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name="machine load", daemon=True)
        self._thread.start()

    def record_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Take means over some samples: what MLflow's monitor calls when it publishes."""
        self._log.metrics(metrics, step)

    def end(self) -> None:
        """Stop, and add the mean since the last sample."""
        self._ended.set()
        self._thread.join()
        self._publish()

    def _record(self) -> None:
        while not self._ended.wait(self._monitor.sampling_interval):
            self._publish()

    def _publish(self) -> None:
        self._monitor.collect_metrics()
        self._monitor.publish_metrics(self._monitor.aggregate_metrics())
