"""The records of one arm in MLflow: a parent run, and below it a child run for each seed, all found by their tags."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pydantic import TypeAdapter

from micromime.mistakes import Mistake
from micromime.project.versions import DataVersion, Revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Entry = TypeVar("Entry")

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""

LARGEST_BATCH = 100
"""Parameters that MLflow takes in one call; it would take more metrics."""

TEST_SETS = {"real": "real", "surrogate": "surrogate, not real"}
"""How a tag names each kind of test set."""

TAKEN = "Trained earlier: what stands here was taken from the run's record in metrics/."

RESTORED = "Trained elsewhere: DVC restored the network, so there are no learning curves here."


class Point(NamedTuple):
    """One number of a run at one moment."""

    key: str
    value: float
    at_ms: int
    step: int


@dataclass(frozen=True)
class RunDescription:
    """What is said of an arm and of each of its runs, besides their numbers."""

    use_case: str
    """Also the name of the MLflow experiment."""
    arm: str
    profile: str
    fingerprint: str
    """Hash of all that the arm's runs depend on: runs with the same fingerprint, arm and seed are one run."""
    params: Mapping[str, Any]
    """Validated settings, nested as they are: `{"train": {"phases": [{"epochs": 3}]}}`."""
    data: tuple[DataVersion, ...]
    revision: Revision
    base: str = ""
    """Fingerprint of the arm whose networks this one goes on with; empty for an arm that begins with ImageNet's."""
    test_set: Literal["", "real", "surrogate"] = ""
    """What the networks are judged on; empty as long as they are not."""
    test_set_reason: str = ""

    def dumped(self) -> dict[str, Any]:
        """Return what JSON can hold, for `loaded`."""
        content: dict[str, Any] = TypeAdapter(RunDescription).dump_python(self, mode="json")
        return content

    @classmethod
    def loaded(cls, content: Mapping[str, Any]) -> RunDescription:
        """Return the description that `dumped` has given."""
        return TypeAdapter(RunDescription).validate_python(content)

    def tags(self) -> dict[str, str]:
        """Return the tags of the arm and of each of its runs.

        `micromime.comparison` is the same for an arm and for all that go on with its networks: one filter shows them
        side by side.
        """
        said = {
            "use_case": self.use_case,
            "arm": self.arm,
            "profile": self.profile,
            "fingerprint": self.fingerprint,
            "comparison": self.base or self.fingerprint,
            "git_commit": self.revision.commit,
            "git_dirty": str(self.revision.dirty).lower(),
            **{f"data.{each.name}": each.digest for each in self.data},
        }
        if self.test_set:
            said |= {"test_set": TEST_SETS[self.test_set], "test_set_reason": self.test_set_reason}
        return {f"micromime.{key}": value for key, value in said.items()}


@dataclass(frozen=True)
class ArmRecords:
    """One arm's place in the store. Failures of the store come out as MLflow raises them."""

    client: MlflowClient
    experiment_id: str
    described: RunDescription

    @classmethod
    def open(cls, client: MlflowClient, described: RunDescription) -> ArmRecords:
        """Return the place of the described arm, in the experiment of its use case."""
        return cls(client, experiment_id(client, described.use_case), described)

    def arm(self) -> Run:
        """Return the parent run; it is made if there is none."""
        found = self._find(level="arm")
        return self._completed(found[0]) if found else self._made(self.described.arm, {"micromime.level": "arm"})

    def make_run(self, seed: int, arm_id: str, note: str = "", attempt: str = "") -> Run:
        """Return a new child run; it is found again by its attempt, where that is named."""
        tags = {"micromime.level": "run", "micromime.seed": str(seed), "mlflow.parentRunId": arm_id}
        said = {"mlflow.note.content": note, "micromime.attempt": attempt}
        return self._made(f"{self.described.arm} {seed}", tags | {key: text for key, text in said.items() if text})

    def attempted_run(self, attempt: str) -> Run | None:
        """Return the child run that an attempt has made, whole though it may have been cut off over it."""
        runs = self._find(level="run", attempt=attempt) if attempt else []
        return self._completed(runs[0]) if runs else None

    def finished_run(self, seed: int) -> Run | None:
        """Return the child run of a seed that came to its end, if there is one."""
        runs = self._find(level="run", seed=str(seed))
        return next((self._completed(run) for run in runs if run.info.status == "FINISHED"), None)

    def end_abandoned(self, **tags: str) -> None:
        """Mark child runs (of one seed, or all) as killed if nobody has ended them."""
        for run in self._find(level="run", **tags):
            if run.info.status == "RUNNING":
                self.client.set_terminated(run.info.run_id, "KILLED")

    def add_verdict(self, run: Run, numbers: Mapping[str, Any]) -> None:
        """Add numbers on the test set under its kind (`real.mean_iou.mean`), tag the run, and mark it as finished.

        Numbers that stand there already are left as they are, so that adding them again changes nothing.
        """
        named = {f"{self.described.test_set}.{key}": value for key, value in finite(numbers).items()}
        new = {key: value for key, value in named.items() if run.data.metrics.get(key) != value}
        log_points(self.client, run.info.run_id, points(new))
        if run.info.status != "FINISHED":
            self.client.set_terminated(run.info.run_id, "FINISHED")

    def _find(self, **tags: str) -> list[Run]:
        wanted = {"fingerprint": self.described.fingerprint, "arm": self.described.arm, **tags}
        query = " and ".join(f"tags.`micromime.{key}` = '{value}'" for key, value in wanted.items())
        return list(self.client.search_runs([self.experiment_id], query, order_by=["attributes.start_time ASC"]))

    def _made(self, name: str, tags: Mapping[str, str]) -> Run:
        from mlflow.tracking.context.registry import resolve_tags

        origin = {"mlflow.source.name": "micromime", "mlflow.source.git.commit": self.described.revision.commit}
        all_tags = resolve_tags(origin | self.described.tags() | dict(tags))  # adds who runs it, and on what
        return self._completed(self.client.create_run(self.experiment_id, tags=all_tags, run_name=name))

    def _completed(self, run: Run) -> Run:
        """Add what the run does not say yet, and what is new of its test set; settings and commit stay the first."""
        from mlflow.entities import Param, RunTag

        described = {key: str(value)[:LONGEST_PARAM] for key, value in flat(self.described.params).items()}
        params = [Param(key, value) for key, value in described.items() if key not in run.data.params]
        for batch in _batches(params):
            self.client.log_batch(run.info.run_id, params=batch)
        tags = {key: value for key, value in self.described.tags().items() if not key.startswith("micromime.git_")}
        changed = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
        if changed:
            self.client.log_batch(run.info.run_id, tags=changed)
        self._add_inputs(run)
        return run

    def _add_inputs(self, run: Run) -> None:
        """Link the run to its data sets; MLflow keeps one link to each."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        from micromime.tracking.dvc_source import DvcSource

        inputs = []
        for each in self.described.data:
            source = DvcSource(each.path, each.digest, self.described.revision.commit).to_json()
            dataset = Dataset(each.name, each.digest, source_type="dvc", source=source)
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", each.context)]))
        self.client.log_inputs(run.info.run_id, inputs)


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, which is made if there is none."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        restore = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise Mistake(f"The MLflow experiment {name!r} was deleted; bring it back with `{restore}`.")
    return str(found.experiment_id)


def flat(tree: Any, where: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings and lists by dotted path: `{"phases.0.epochs": 3}`."""
    parts = tree if isinstance(tree, Mapping) else dict(enumerate(tree)) if isinstance(tree, (list, tuple)) else {}
    if not parts:
        return {where: tree} if where else {}
    inner = (flat(part, f"{where}.{key}" if where else str(key)) for key, part in parts.items())
    return {path: leaf for leaves in inner for path, leaf in leaves.items()}


def points(values: Mapping[str, float], step: int = 0) -> list[Point]:
    """Return numbers as points of this moment."""
    return [Point(key, float(value), now_ms(), step) for key, value in values.items()]


def now_ms() -> int:
    """Return the time as MLflow counts it."""
    return time.time_ns() // 1_000_000


def log_points(client: MlflowClient, run_id: str, new: Sequence[Point]) -> None:
    """Add points to a run's metrics; MLflow keeps one of each, so adding them again changes nothing."""
    from mlflow.entities import Metric

    for batch in _batches([Metric(*point) for point in new]):
        client.log_batch(run_id, metrics=batch)


def _batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    return (entries[first : first + LARGEST_BATCH] for first in range(0, len(entries), LARGEST_BATCH))


def finite(tree: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of nested mappings by dotted path."""
    return {path: float(leaf) for path, leaf in flat(tree).items() if _is_number(leaf) and math.isfinite(leaf)}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
