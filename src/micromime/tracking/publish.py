"""MLflow is told of arms and their runs from their records. Nothing is ever read back from it as a result.

An arm is a parent run, and each of its runs with one seed a child. Both are found by their tags, so that what is told
again, or was cut off over it, is gone on with and never doubled. Everywhere below `said` is what arm.json says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml  # type: ignore[import-untyped]

from micromime.project.versions import revision
from micromime.tracking.logged import MOST, log_file, log_table, tagged
from micromime.tracking.registry import Registered, register
from micromime.tracking.settings import settings_of
from micromime.tracking.store import answering, prepare_store, store_client
from micromime.tracking.views import LAYOUT

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

AT_ONCE = 900
"""Numbers in one call; MLflow takes 1000, whole or not at all."""

EPOCHS_AT_ONCE = 50
"""They have fewer than that, as an epoch must not be told in halves: its speed says that it is known."""

TEST_SETS = {"real": "real", "surrogate": "surrogate, not real"}
"""How a tag names each kind of test set."""

CURVES = ("train_loss", "valid_loss", "images_per_second", "system/gpu_")
"""Numbers of an epoch that MLflow is told under their names, or how these begin. Of the load of the machine it is that
of its GPU; metrics of the validation are told as `valid_mean_iou`, as `mean_iou` is that on the test set."""

OTHER_LOAD = "system/"

SPEED = "images_per_second"
"""A number of every epoch that is never twice the same: it tells one attempt at a run from another."""


class Kept(NamedTuple):
    """What an arm keeps beside its numbers."""

    files: Sequence[Path] = ()
    tables: Mapping[str, pd.DataFrame] = {}
    """By the name of the file, which ends with .json."""
    pictures: Sequence[Path] = ()
    """PNG files, for the folder `pictures`."""


class ScoredOn(NamedTuple):
    """What a network scored on one data set: a test set, or what comes from one source in it."""

    name: str
    digest: str
    scores: Mapping[str, float]


@answering("to take an arm")
def publish_arm(said: Mapping[str, Any], runs: Mapping[int, Mapping[str, Any]]) -> str:
    """Tell MLflow of an arm and of runs of it (number -> what run.json says); return the parent run's id.

    A run without `seconds` is still going on: RUNNING, with the epochs that it has so far. One that MLflow knows as
    finished stays as it is, and what an abandoned attempt has left is KILLED. The arm is FINISHED once as many runs are
    as its settings ask for, until then RUNNING. Then it has the means over these of speed and time, and all of what it
    was made from as the file scenario.yaml.
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
        whole = {number: run for number, run in runs.items() if "seconds" in run}
        arm.add_scores(parent, effort(list(whole.values())) if whole.keys() >= finished else {})
        arm.end("FINISHED", parent)
        with TemporaryDirectory() as folder:
            file = Path(folder, "scenario.yaml")
            file.write_text(yaml.safe_dump(said["params"], sort_keys=False))
            log_file(parent.info.run_id, file)
    elif parent.info.status != "RUNNING":
        arm.client.update_run(parent.info.run_id, status="RUNNING")
    return str(parent.info.run_id)


@answering("to take a verdict")
def publish_verdict(
    said: Mapping[str, Any],
    test_set: Mapping[str, Any],
    by_run: Mapping[int, Mapping[str, Any]],
    of_arm: Mapping[str, Any],
    kept: Kept,
) -> None:
    """Add the scores on a test set to each run and to the arm, and to the arm files, tables and PNG pictures.

    `test_set` says its kind (real or surrogate), the reason, and of its data name, path, digest and context. A score
    that is no finite number is left out; where an earlier test set gave one, NaN takes its place. Runs that are missing
    (a new store) are made.
    """
    arm = ArmInMlflow.open(said, test_set)
    parent, known = arm.parent(), arm.children()
    for number, scores in by_run.items():
        run = _finished(known.get(number, []))
        run = arm.completed(run) if run else arm.made_child(parent, number)
        arm.add_scores(run, scores)
        arm.end("FINISHED", run)
    arm.add_scores(parent, of_arm)
    arm.end("FINISHED", parent)
    for file in kept.files:
        log_file(parent.info.run_id, file)
    for name, table in kept.tables.items():
        log_table(parent, name, table)
    for picture in kept.pictures:
        log_file(parent.info.run_id, picture, "pictures")


def publish_file(said: Mapping[str, Any], path: Path) -> None:
    """Keep a file with an arm, under its name; told again it takes the place of what was there."""
    with answering(f"to take {path}"):
        log_file(ArmInMlflow.open(said).parent().info.run_id, path)


def publish_model(
    said: Mapping[str, Any], test_set: Mapping[str, Any], network: Path, scored: Sequence[ScoredOn] = ()
) -> Registered:
    """Register the network that stands for an arm, as `register` does; `network` is the folder of its run.

    What it `scored`, the whole test set last, goes to the model and to that run: MLflow keeps the numbers of a model by
    data set, but of a run the last one only, so that the run's are those on the whole test set.
    """
    with answering(f"to register {network}"):
        arm = ArmInMlflow.open(said, test_set)
        made = register(arm.client, arm.parent(), arm.tags, network)
        run = _finished(arm.children().get(int(network.name.rpartition("-")[2]), []))
        if run:
            arm.add_model_scores(run, made.model_id, scored)
        return made


def effort(runs: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return what finished runs took: means of seconds and of the last epoch's speed, and the largest GPU memory."""
    speeds = [run["epochs"][-1][SPEED] for run in runs if run["epochs"]]
    memory = [run["peak_gpu_memory_mib"] for run in runs if run.get("peak_gpu_memory_mib") is not None]
    known = {SPEED: speeds, "seconds": [run["seconds"] for run in runs]}
    return {key: fmean(values) for key, values in known.items() if values} | {
        "peak_gpu_memory_mib": max(memory, default=None)
    }


def curve_points(epoch: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the names and finite numbers of an epoch that MLflow is told."""
    for key, value in epoch.items():
        if isinstance(value, (int, float)) and math.isfinite(value) and key != "phase":
            if key.startswith(CURVES):
                yield key, value
            elif not key.startswith(OTHER_LOAD):
                yield f"valid_{key}", value


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
        side by side. `micromime.path.NAME` is where a data set lay: MLflow keeps that of the first run on it alone.
        """
        revision, test_set = self.said["revision"], self.said["test_set"]
        own = {key: str(self.said[key]) for key in ("use_case", "arm", "profile", "fingerprint")} | {"layout": LAYOUT}
        own["comparison"] = self.said["base"] or self.said["fingerprint"]
        own |= {"git_commit": revision["commit"], "git_dirty": str(revision["dirty"]).lower()}
        own |= {f"data.{each['name']}": each["digest"] for each in self.said["data"] if each["context"] != "testing"}
        own |= {f"path.{each['name']}": each["path"] for each in self.said["data"]}
        if test_set:
            own |= {"data.test_set": test_set["data"]["digest"]}
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
        for first in range(len(told[same[0]]) if same else 0, len(run["epochs"]), EPOCHS_AT_ONCE):
            some = enumerate(run["epochs"][first : first + EPOCHS_AT_ONCE], first + 1)
            self._log(child, [(key, value, step) for step, epoch in some for key, value in curve_points(epoch)])
        if "seconds" in run:
            self.add_scores(child, {key: run.get(key) for key in ("seconds", "peak_gpu_memory_mib")})
            self.end("FINISHED", child)

    def add_scores(self, run: Run, scores: Mapping[str, Any]) -> None:
        """Add what a run or an arm has not, and NaN for what it once had and is no number any more."""
        known, new = run.data.metrics, dict[str, float]()
        for key, value in scores.items():
            if value is not None and math.isfinite(value):
                new |= {key: float(value)} if known.get(key) != value else {}
            elif math.isfinite(known.get(key, math.nan)):
                new[key] = math.nan
        self._log(run, [(key, value, 0) for key, value in new.items()])

    def add_model_scores(self, run: Run, model_id: str, scored: Sequence[ScoredOn]) -> None:
        """Add what a model scored on each data set; the last of them, once more, after any that is new."""
        from mlflow.entities import Metric

        logged = sorted(self.client.get_logged_model(model_id).metrics or (), key=lambda each: each.timestamp)
        known = {(each.dataset_name, each.dataset_digest, each.key): each.value for each in logged}
        every = [(each, key, value) for each in scored for key, value in each.scores.items() if math.isfinite(value)]
        new = [each for each in every if known.get((*each[0][:2], each[1])) != each[2]]
        if new:
            new = [each for each in new if each[0] is not scored[-1]] + [
                each for each in every if each[0] is scored[-1]
            ]
        now_ms = time.time_ns() // 1_000_000
        points = [  # a model has one number of a name in a millisecond: each data set has one to itself
            Metric(key, value, now_ms + scored.index(on), 0, model_id, on.name, on.digest) for on, key, value in new
        ]
        self._send(run, points)

    def end(self, status: str, *runs: Run) -> None:
        """Mark runs as finished or killed; one that was finished stays so."""
        for run in runs:
            if run.info.status not in (status, "FINISHED"):
                self.client.set_terminated(run.info.run_id, status)

    def _find(self, level: str) -> list[Run]:
        wanted, order = tagged(self.said, level=level, layout=LAYOUT), ["attributes.start_time ASC"]
        return list(self.client.search_runs([self.experiment_id], wanted, order_by=order, max_results=MOST))

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

        settings = settings_of(self.said)
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

    def _log(self, run: Run, points: Sequence[tuple[str, float, int]]) -> None:
        """Add numbers (key, value, step) to a run's metrics."""
        from mlflow.entities import Metric

        now_ms = time.time_ns() // 1_000_000
        self._send(run, [Metric(key, value, now_ms, step) for key, value, step in points])

    def _send(self, run: Run, metrics: Sequence[Metric]) -> None:
        for first in range(0, len(metrics), AT_ONCE):
            self.client.log_batch(run.info.run_id, metrics[first : first + AT_ONCE])
