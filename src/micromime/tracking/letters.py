"""What MLflow is told besides the numbers of runs: sent at once, or kept as a letter while its store is silent."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from micromime.tracking.logged_files import log_file, log_pictures
from micromime.tracking.mlflow_arm import ArmRecords, RunDescription, finite, log_points
from micromime.tracking.outbox import go_offline, new_letter, offline, read_letter, told
from micromime.tracking.registry import Registered, register
from micromime.tracking.run_log import RunLog
from micromime.tracking.store import Unreachable, answering, store_client
from micromime.tracking.tracking import arm_run_id, begin_in_store, log_judged

Files = Mapping[str, Path]


def tell_judged(
    described: RunDescription,
    by_seed: Mapping[int, Mapping[str, Any]],
    of_arm: Mapping[str, Any],
    files: Sequence[Path] = (),
) -> None:
    """Tell what `log_judged` logs."""
    seeds = {str(seed): finite(numbers) for seed, numbers in by_seed.items()}
    _tell("judged", described, {"by_seed": seeds, "of_arm": finite(of_arm)}, {file.name: file for file in files})


def tell_file(described: RunDescription, path: Path) -> None:
    """Keep a file with an arm, as `log_file` does."""
    _tell("file", described, {}, {path.name: path})


def tell_pictures(described: RunDescription, pictures: Mapping[str, Path]) -> None:
    """Keep PNG pictures with an arm, as `log_pictures` does."""
    _tell("pictures", described, {}, {f"{name}.png": path for name, path in pictures.items()})


def tell_model(described: RunDescription, network: Path) -> Registered | None:
    """Register the network that stands for an arm, as `register` does; None where that is kept for later."""
    made = _tell("model", described, {}, {network.name: network})
    return made if isinstance(made, Registered) else None


def send(folder: Path) -> None:
    """Send a letter; sent again it has no further effect. Raises Unreachable where the store does not take it."""
    content = read_letter(folder)
    described = RunDescription.loaded(content["described"])
    if content["kind"] == "run":
        _send_run(described, content, folder)
    else:
        SENDERS[content["kind"]](described, content, {name: folder / name for name in content["files"]})


def _tell(kind: str, described: RunDescription, said: Mapping[str, Any], files: Files) -> object:
    if not offline():
        try:
            return SENDERS[kind](described, said, files)
        except Unreachable as why:
            go_offline(why)
    new_letter(kind, {"described": described.dumped(), "files": list(files), **said}, files)
    return None


def _send_judged(described: RunDescription, said: Mapping[str, Any], files: Files) -> None:
    by_seed = {int(seed): numbers for seed, numbers in said["by_seed"].items()}
    log_judged(described, by_seed, said["of_arm"], list(files.values()))


def _send_file(described: RunDescription, _said: Mapping[str, Any], files: Files) -> None:
    for path in files.values():
        log_file(arm_run_id(described), path)


def _send_pictures(described: RunDescription, _said: Mapping[str, Any], files: Files) -> None:
    log_pictures(arm_run_id(described), {name.removesuffix(".png"): path for name, path in files.items()})


def _send_model(described: RunDescription, _said: Mapping[str, Any], files: Files) -> Registered:
    (network,) = files.values()
    return register(described, network)


SENDERS: dict[str, Callable[[RunDescription, Mapping[str, Any], Files], object]] = {
    "judged": _send_judged,
    "file": _send_file,
    "pictures": _send_pictures,
    "model": _send_model,
}


@answering("to take a run that was kept")
def _send_run(described: RunDescription, content: Mapping[str, Any], folder: Path) -> None:
    """Send a diary: the run is found or made, gets its numbers, and ends as it did; without an end it was killed."""
    log = RunLog(described, content["seed"], content["taken"], content["attempt"], run_id=content["run_id"])
    client = store_client()
    if log.seed is None:
        log.run_id = ArmRecords.open(client, described).arm().info.run_id
    elif not log.run_id:
        begin_in_store(log)
    if log.complete:
        return
    points, ended = told(folder)
    log_points(client, log.run_id, points)
    last_ms = points[-1].at_ms if points else content["begun_ms"]
    status, at_ms = (ended["status"], ended["at_ms"]) if ended else ("KILLED", last_ms)
    client.set_terminated(log.run_id, status, end_time=at_ms)
