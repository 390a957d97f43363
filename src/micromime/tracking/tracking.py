"""What MLflow is told of arms and their runs. Nothing is ever read back from it as a result.

An arm is a parent run, and each of its runs with one seed a child. Both are found by their tags, so a stage that is
resumed or repeated goes on with the runs that are there. `import mlflow` takes seconds and stands inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from micromime.mistakes import Mistake
from micromime.tracking.mlflow_arm import RESTORED, TAKEN, ArmRecords, RunDescription
from micromime.tracking.outbox import go_offline, offline
from micromime.tracking.run_log import RunLog
from micromime.tracking.store import Unreachable, answering, store_client


@contextmanager
def tracked_arm(described: RunDescription) -> Iterator[str]:
    """Begin an arm, or go on with one that was begun, and give the id under which its runs stand.

    The id is empty where the store does not answer: then all that it would be told is kept.

    At the end it is marked FINISHED, FAILED (any error) or KILLED (interrupted). Runs that an earlier process was
    killed in are marked KILLED at the start.
    """
    with _ended(_begun(RunLog(described))) as log:
        yield log.run_id


@contextmanager
def tracked_run(arm_id: str, seed: int, described: RunDescription, taken: bool = False) -> Iterator[RunLog]:
    """Begin the run with one seed of an arm, and give what takes its numbers; may be used in any process.

    It ends as `tracked_arm` does; no failure of the store ends it, the numbers go into its diary then. The machine's
    load is recorded beside it, unless the run is `taken` from its record and costs this machine nothing. Where the same
    run has been finished before, that one stays as it is and the numbers given now are passed over.
    """
    with _ended(_begun(RunLog(described, seed, taken, uuid4().hex), arm_id)) as log:
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


@contextmanager
def _ended(log: RunLog) -> Iterator[RunLog]:
    try:
        yield log
    except BaseException as error:
        with suppress(Mistake):  # the first failure is the one to tell
            log.end("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    log.end("FINISHED")


def _begun(log: RunLog, arm_id: str = "") -> RunLog:
    """Return the log of an arm or of a run, begun in the store or, where that does not answer, without it."""
    if not offline():
        try:
            with answering():
                begin_in_store(log, arm_id)
        except Unreachable as why:
            go_offline(why)
    log.begin()
    return log


def begin_in_store(log: RunLog, arm_id: str = "") -> None:
    """Find or make in the store the arm or the run that a log is of; failures come out as MLflow raises them.

    A run that was begun by the same attempt is gone on with, and one that was finished by any other stays as it is.
    """
    records = ArmRecords.open(store_client(), log.described)
    if log.seed is None:
        records.end_abandoned()
        log.run_id = records.arm().info.run_id
        records.client.update_run(log.run_id, status="RUNNING")
    elif own := records.attempted_run(log.attempt):
        log.run_id = own.info.run_id
    else:
        records.end_abandoned(seed=str(log.seed))
        finished = records.finished_run(log.seed)
        log.complete = finished is not None
        parent = arm_id or records.arm().info.run_id
        run = finished or records.make_run(log.seed, parent, TAKEN if log.taken else "", log.attempt)
        log.run_id = run.info.run_id
    log.client = records.client
