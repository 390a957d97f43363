"""MLflow is told of arms and their runs from their records. Nothing is ever read back from it as a result.

An arm is a parent run, and each of its runs with one seed a child. Both are found by their tags, so that what is told
again, or was cut off over it, is gone on with and never doubled. Everywhere below `said` is what arm.json says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from operator import eq
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from micromime.project.versions import revision
from micromime.tracking.logged import log_file, tagged
from micromime.tracking.registry import Registered, register
from micromime.tracking.store import answering, prepare_store, store_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""

EPOCHS_AT_ONCE = 20
"""They have fewer than the 1000 numbers that MLflow takes in one call, whole or not at all."""

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
        arm.end("KILLED", *(each for number, tries in known.items() if number not in told for each in tries))
        arm.end("FINISHED", parent)
    elif parent.info.status != "RUNNING":
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
    no finite number is left out. Runs that are missing (a new store) are made. Pictures (name -> <name>.png) stand in
    the folder `pictures`.
    """
    arm = ArmInMlflow.open(said, test_set)
    parent, known = arm.parent(), arm.children()
    for number, numbers in by_run.items():
        run = _finished(known.get(number, []))
        arm.add_verdict(arm.completed(run) if run else arm.made_child(parent, number), numbers)
    arm.add_verdict(parent, of_arm)
    for file in files:
        log_file(parent.info.run_id, file)
    for picture in pictures.values():
        log_file(parent.info.run_id, picture, "pictures")


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
    return next((run for run in tries if run.info.status == "FINISHED"), None)


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
        return self.completed(found[0]) if found else self._made(self.said["arm"], {"micromime.level": "arm"})

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
        speeds = [epoch[SPEED] for epoch in run["epochs"]]
        going_on = [each for each in known if each.info.status == "RUNNING"]
        told = [self._speeds(each) for each in going_on]
        same = [n for n, has in enumerate(told) if all(map(eq, has, speeds))]  # as far as both go
        self.end("KILLED", *(each for n, each in enumerate(going_on) if n not in same[:1]))
        child = self.completed(going_on[same[0]]) if same else self.made_child(parent, number)
        epochs = [finite(epoch) for epoch in run["epochs"]]
        for first in range(len(told[same[0]]) if same else 0, len(epochs), EPOCHS_AT_ONCE):
            some = enumerate(epochs[first : first + EPOCHS_AT_ONCE], first + 1)
            self._log(child, [(key, each[key], step) for step, each in some for key in each if key != "phase"])
        if "seconds" in run:
            rates = {f"peak_rate.phase_{number}": rate for number, rate in enumerate(run["rates"], 1)}
            facts = {key: run.get(key) for key in ("seconds", "peak_gpu_memory_mib")}
            self._log_missing(child, finite(rates | facts))
            self.end("FINISHED", child)

    def add_verdict(self, run: Run, numbers: Mapping[str, Any]) -> None:
        """Add numbers on the test set under its kind (`real.mean_iou.mean`), and mark the run as finished."""
        kind = self.said["test_set"]["kind"]
        self._log_missing(run, {f"{kind}.{key}": value for key, value in finite(numbers).items()})
        self.end("FINISHED", run)

    def end(self, status: str, *runs: Run) -> None:
        """Mark runs as finished or killed; one that was finished stays so."""
        for run in runs:
            if run.info.status not in (status, "FINISHED"):
                self.client.set_terminated(run.info.run_id, status)

    def _find(self, level: str) -> list[Run]:
        wanted, order = tagged(self.said, level=level), ["attributes.start_time ASC"]
        return list(self.client.search_runs([self.experiment_id], wanted, order_by=order))

    def _speeds(self, run: Run) -> list[float]:
        """Return the speed of every epoch that MLflow has of a run: the number of epochs, and whose they are."""
        history = self.client.get_metric_history(run.info.run_id, SPEED)
        return [point.value for point in sorted(history, key=lambda point: point.step)]

    def _made(self, name: str, tags: Mapping[str, str]) -> Run:
        from mlflow.tracking.context.registry import resolve_tags

        origin = {"mlflow.source.name": "micromime", "mlflow.source.git.commit": self.said["revision"]["commit"]}
        all_tags = resolve_tags(origin | self.tags | dict(tags))  # adds who runs it, and on what
        return self.completed(self.client.create_run(self.experiment_id, tags=all_tags, run_name=name))

    def completed(self, run: Run) -> Run:
        """Add what the run does not say yet, and what is new of its test set; settings and commit stay the first."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Param, RunTag

        from micromime.tracking.dvc_source import DvcSource

        settings = {key: str(value)[:LONGEST_PARAM] for key, value in flat(self.said["params"]).items()}
        params = [Param(key, value) for key, value in settings.items() if key not in run.data.params]
        tags = {key: value for key, value in self.tags.items() if not key.startswith("micromime.git_")}
        changed = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
        self.client.log_batch(run.info.run_id, params=params, tags=changed)
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

        now_ms = time.time_ns() // 1_000_000
        self.client.log_batch(run.info.run_id, [Metric(key, value, now_ms, step) for key, value, step in points])


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
