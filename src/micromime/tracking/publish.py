"""MLflow is told of arms and their runs from their records. Nothing is ever read back from it as a result.

An arm is a parent run, and each of its runs with one seed a child. Both are found by their tags, so that what is told
again, or was cut off over it, is gone on with and never doubled. Everywhere below `said` is what arm.json says.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from operator import eq
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeVar

from micromime.project.versions import revision
from micromime.tracking.logged_files import log_file
from micromime.tracking.registry import Registered, register
from micromime.tracking.store import answering, prepare_store, store_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""

PARAMS_AT_ONCE, EPOCHS_AT_ONCE = 100, 20
"""What MLflow takes in one call, whole or not at all: 100 parameters, and 1000 numbers, more than 20 epochs have."""

TEST_SETS = {"real": "real", "surrogate": "surrogate, not real"}
"""How a tag names each kind of test set."""

SPEED = "images_per_second"
"""A number of every epoch that is never twice the same: it tells one attempt at a run from another."""


@answering("to take an arm")
def publish_arm(said: Mapping[str, Any], runs: Mapping[int, Mapping[str, Any]]) -> str:
    """Tell MLflow of an arm and of runs of it (number -> what run.json says); return the parent run's id.

    A run without `seconds` is still going on: RUNNING, with the epochs that it has so far. One that MLflow knows as
    finished stays as it is, and what an abandoned attempt has left is KILLED. The arm is FINISHED once as many runs are
    as its settings ask for, until then RUNNING.
    """
    arm = ArmInMlflow.open(said)
    parent, known = arm.parent(), arm.children()
    finished = {number for number, tries in known.items() if _finished(tries)}
    told = runs.keys() - finished
    for number in sorted(told):
        arm.tell_run(parent, number, runs[number], known.get(number, []))
    finished |= {number for number in told if "seconds" in runs[number]}
    if told <= finished and len(finished) >= said["params"].get("train", {}).get("runs", 0):
        arm.end_abandoned(each for number, tries in known.items() if number not in told for each in tries)
        arm.finish(parent)
    elif not _is(parent, "RUNNING"):
        arm.client.update_run(parent.info.run_id, status="RUNNING")
    return str(parent.info.run_id)


@answering("to take a verdict")
def publish_verdict(  # noqa: PLR0913 - it is told whole
    said: Mapping[str, Any],
    test_set: Mapping[str, Any],
    by_run: Mapping[int, Mapping[str, Any]],
    of_arm: Mapping[str, Any],
    files: Sequence[Path],
    pictures: Mapping[str, Path],
) -> None:
    """Add the numbers on a test set to each run and to the arm, and to the arm the files and PNG pictures.

    `test_set` says its kind (real or surrogate), the reason, and of its data name, path, digest and context. Numbers
    may be nested; `{"mean_iou": {"mean": 0.7}}` becomes `real.mean_iou.mean`, or `surrogate.` on a surrogate. What is
    no finite number is left out. Runs that are missing (a new store) are made. Pictures are `pictures/<name>.png`.
    """
    arm = ArmInMlflow.open(said, test_set)
    parent, known = arm.parent(), arm.children()
    for number, numbers in by_run.items():
        arm.add_verdict(_finished(known.get(number, [])) or arm.made_child(parent, number), numbers)
    arm.add_verdict(parent, of_arm)
    for file in files:
        log_file(parent.info.run_id, file)
    with TemporaryDirectory() as folder:
        for name, picture in pictures.items():
            named = Path(shutil.copyfile(picture, Path(folder, f"{name}.png")))
            log_file(parent.info.run_id, named, "pictures")


def publish_file(said: Mapping[str, Any], path: Path) -> None:
    """Keep a file with an arm, under its name; told again it takes the place of what was there."""
    with answering(f"to take {path}"):
        log_file(ArmInMlflow.open(said).parent().info.run_id, path)


def publish_model(said: Mapping[str, Any], test_set: Mapping[str, Any], network: Path) -> Registered:
    """Register the network that stands for an arm, as `register` does; `network` is the folder of its run."""
    with answering(f"to register {network}"):
        arm = ArmInMlflow.open(said, test_set)
        return register(arm.client, arm.parent(), arm.tags, network)


def _finished(tries: Sequence[Run]) -> Run | None:
    """Return the first of the runs with one seed that came to its end, if there is one."""
    return next((run for run in tries if _is(run, "FINISHED")), None)


def _is(run: Run, status: str) -> bool:
    return bool(run.info.status == status)


@dataclass(frozen=True)
class ArmInMlflow:
    """One arm's place in the store. Failures of the store come out as MLflow raises them."""

    client: MlflowClient
    experiment_id: str
    said: Mapping[str, Any]
    """What arm.json says; and the test set, once the networks are judged."""

    @classmethod
    def open(cls, said: Mapping[str, Any], test_set: Mapping[str, Any] | None = None) -> Self:
        """Return the place of an arm in the experiment of its use case, which is made if there is none."""
        data = [*said["data"], *([test_set["data"]] if test_set else [])]
        known = {"revision": revision(), **said, "data": data, "test_set": test_set}
        experiment = prepare_store(said["use_case"])
        return cls(store_client(), experiment, known)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the arm and of each of its runs.

        `micromime.comparison` is the same for an arm and for all that go on with its networks: one filter shows them
        side by side.
        """
        revision, test_set = self.said["revision"], self.said["test_set"]
        own = {key: str(self.said[key]) for key in ("use_case", "arm", "profile", "fingerprint")}
        own["comparison"] = self.said["base"] or self.said["fingerprint"]
        own |= {"git_commit": revision["commit"], "git_dirty": str(revision["dirty"]).lower()}
        own |= {f"data.{each['name']}": each["digest"] for each in self.said["data"]}
        if test_set:
            own |= {"test_set": TEST_SETS[test_set["kind"]], "test_set_reason": test_set["reason"] or ""}
        return {f"micromime.{key}": value for key, value in own.items()}

    def parent(self) -> Run:
        """Return the arm's own run; it is made if there is none."""
        found = self._find("arm")
        return self._completed(found[0]) if found else self._made(self.said["arm"], {"micromime.level": "arm"})

    def children(self) -> dict[int, list[Run]]:
        """Return number -> the runs that were begun with that seed, the oldest first."""
        found: dict[int, list[Run]] = {}
        for run in self._find("run"):
            found.setdefault(int(run.data.tags["micromime.seed"]), []).append(run)
        return found

    def made_child(self, parent: Run, number: int) -> Run:
        """Return a run that is made for a seed."""
        tags = {"micromime.level": "run", "micromime.seed": str(number), "mlflow.parentRunId": parent.info.run_id}
        return self._made(f"{self.said['arm']} {number}", tags)

    def tell_run(self, parent: Run, number: int, run: Mapping[str, Any], known: Sequence[Run]) -> None:
        """Tell what run.json says of a run, beyond what MLflow has of it from the same attempt."""
        speeds, going_on = [epoch[SPEED] for epoch in run["epochs"]], [each for each in known if _is(each, "RUNNING")]
        told = [self._speeds(each) for each in going_on]
        same = [n for n, has in enumerate(told) if all(map(eq, has, speeds))]  # as far as both go
        self.end_abandoned(each for n, each in enumerate(going_on) if n not in same[:1])
        child = self._completed(going_on[same[0]]) if same else self.made_child(parent, number)
        left = list(enumerate(run["epochs"], 1))[len(told[same[0]]) if same else 0 :]
        for some in _batches(left, EPOCHS_AT_ONCE):
            self._log(child, [(key, value, step) for step, each in some for key, value in _numbers(each).items()])
        if "seconds" in run:
            self._log_missing(child, _facts(run))
            self.finish(child)

    def add_verdict(self, run: Run, numbers: Mapping[str, Any]) -> None:
        """Add numbers on the test set under its kind (`real.mean_iou.mean`), and mark the run as finished."""
        kind = self.said["test_set"]["kind"]
        self._completed(run)
        self._log_missing(run, {f"{kind}.{key}": value for key, value in finite(numbers).items()})
        self.finish(run)

    def finish(self, run: Run) -> None:
        """Mark a run as finished, unless it was."""
        if not _is(run, "FINISHED"):
            self.client.set_terminated(run.info.run_id, "FINISHED")

    def end_abandoned(self, runs: Iterable[Run]) -> None:
        """Mark as killed those of the runs that nobody has ended."""
        for run in runs:
            if _is(run, "RUNNING"):
                self.client.set_terminated(run.info.run_id, "KILLED")

    def _find(self, level: str) -> list[Run]:
        wanted = {"fingerprint": self.said["fingerprint"], "arm": self.said["arm"], "level": level}
        query = " and ".join(f"tags.`micromime.{key}` = '{value}'" for key, value in wanted.items())
        return list(self.client.search_runs([self.experiment_id], query, order_by=["attributes.start_time ASC"]))

    def _speeds(self, run: Run) -> list[float]:
        """Return the speed of every epoch that MLflow has of a run: the number of epochs, and whose they are."""
        history = self.client.get_metric_history(run.info.run_id, SPEED)
        return [point.value for point in sorted(history, key=lambda point: point.step)]

    def _made(self, name: str, tags: Mapping[str, str]) -> Run:
        from mlflow.tracking.context.registry import resolve_tags

        origin = {"mlflow.source.name": "micromime", "mlflow.source.git.commit": self.said["revision"]["commit"]}
        all_tags = resolve_tags(origin | self.tags | dict(tags))  # adds who runs it, and on what
        return self._completed(self.client.create_run(self.experiment_id, tags=all_tags, run_name=name))

    def _completed(self, run: Run) -> Run:
        """Add what the run does not say yet, and what is new of its test set; settings and commit stay the first."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Param, RunTag

        from micromime.tracking.dvc_source import DvcSource

        settings = {key: str(value)[:LONGEST_PARAM] for key, value in flat(self.said["params"]).items()}
        params = [Param(key, value) for key, value in settings.items() if key not in run.data.params]
        for some in _batches(params, PARAMS_AT_ONCE):
            self.client.log_batch(run.info.run_id, params=some)
        tags = {key: value for key, value in self.tags.items() if not key.startswith("micromime.git_")}
        if changed := [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]:
            self.client.log_batch(run.info.run_id, tags=changed)
        commit = self.said["revision"]["commit"]
        seen = {(used.dataset.name, used.dataset.digest) for used in (run.inputs.dataset_inputs if run.inputs else [])}
        inputs = [
            DatasetInput(
                Dataset(each["name"], each["digest"], "dvc", DvcSource(each["path"], each["digest"], commit).to_json()),
                [InputTag("mlflow.data.context", each["context"])],
            )
            for each in self.said["data"]
            if (each["name"], each["digest"]) not in seen
        ]
        if inputs:
            self.client.log_inputs(run.info.run_id, inputs)
        return run

    def _log_missing(self, run: Run, numbers: Mapping[str, float]) -> None:
        self._log(run, [(key, value, 0) for key, value in numbers.items() if run.data.metrics.get(key) != value])

    def _log(self, run: Run, points: Sequence[tuple[str, float, int]]) -> None:
        """Add numbers (key, value, step) to a run's metrics."""
        from mlflow.entities import Metric

        if points:
            now_ms = time.time_ns() // 1_000_000
            metrics = [Metric(key, value, now_ms, step) for key, value, step in points]
            self.client.log_batch(run.info.run_id, metrics=metrics)


def flat(tree: Any, where: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings and lists by dotted path: `{"phases.0.epochs": 3}`."""
    parts = tree if isinstance(tree, Mapping) else dict(enumerate(tree)) if isinstance(tree, (list, tuple)) else {}
    if not parts:
        return {where: tree} if where else {}
    inner = (flat(part, f"{where}.{key}" if where else str(key)) for key, part in parts.items())
    return {path: leaf for leaves in inner for path, leaf in leaves.items()}


def finite(tree: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of nested mappings by dotted path."""
    numbers = {path: leaf for path, leaf in flat(tree).items() if isinstance(leaf, Real) and not isinstance(leaf, bool)}
    return {path: float(number) for path, number in numbers.items() if math.isfinite(number)}


def _numbers(epoch: Mapping[str, Any]) -> dict[str, float]:
    return finite({key: value for key, value in epoch.items() if key != "phase"})


def _facts(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a whole run besides those of its epochs."""
    rates = {f"peak_rate.phase_{number}": rate for number, rate in enumerate(run["rates"], 1)}
    return finite(rates | {key: run.get(key) for key in ("seconds", "peak_gpu_memory_mib")})


def _batches(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (entries[first : first + size] for first in range(0, len(entries), size))
