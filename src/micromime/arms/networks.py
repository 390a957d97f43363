"""Where the network of a run is: in its arm, in DVC's cache, or trained on demand where only its record is left."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from micromime.arms.arm import Arm, run_folder, trained
from micromime.arms.fit import Fit, Tracked, fit_missing
from micromime.engines.local import alone
from micromime.mistakes import Mistake
from micromime.project.dvc_cache import cached_file
from micromime.project.work import OURS

KEPT = OURS / "networks"
"""Networks by the hash of their inputs: those that are trained just now, and those trained on demand."""


class Wanted(NamedTuple):
    """Runs of an arm that are to be trained."""

    arm: Arm
    records: Mapping[int, Path | None]
    """The runs, each with the file that its record is to be written to."""
    tracked: Tracked | None = None


def networks_of(arm: Path, runs: Iterable[int]) -> dict[int, Path]:
    """Return run -> folder of its network, for runs of an arm that was trained before.

    What was taken from a record alone is trained now, with the same inputs, under `.micromime/networks/`.
    """
    places = {run: _place(arm, run) for run in runs}
    missing = [run for run in places if network_here(arm, run) is None]
    described = Arm.read(arm)
    if any(places[run] != KEPT / described.inputs(run) for run in missing):
        raise Mistake(f"{arm} was trained by other code or on other data than are here now; train it anew: `make run`.")
    fit_runs([Wanted(described, dict.fromkeys(missing))])
    return places


def network_here(arm: Path, run: int) -> Path | None:
    """Return the folder of a run's network, or None where it would have to be trained first."""
    place = _place(arm, run)
    return place if (place / "weights.safetensors").exists() else None


def fit_runs(wanted: Sequence[Wanted]) -> list[dict[int, Path]]:
    """Train runs that are not trained yet, those of all arms in one queue.

    Returns for each arm run -> folder of its network under `.micromime/networks/`. Raises Mistake where another
    process trains.
    """
    fits = []
    for arm, records, tracked in wanted:
        starts = networks_of(arm.start, records) if arm.start and records else {}
        inputs = {run: arm.inputs(run) for run in records}
        fits.append(
            [
                Fit(arm, run, inputs[run], KEPT / inputs[run], starts.get(run), tracked, file)
                for run, file in records.items()
            ]
        )
    if any(fits):
        with alone(KEPT):
            fit_missing([fit for of_arm in fits for fit in of_arm])
    return [{each.run: each.folder for each in of_arm} for of_arm in fits]


def bring(arm: Path, run: int, said: dict[str, object]) -> None:
    """Fill the folder of a run in its arm: run.json, and the network where this machine has it."""
    folder = run_folder(arm, run)
    folder.parent.mkdir(parents=True, exist_ok=True)  # else the first network would be copied, not moved
    kept = KEPT / str(said["inputs"])
    if kept.exists():
        shutil.move(kept, folder)
        return
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(said, indent=1) + "\n")
    _restore(folder)


def put_back(arm: Path) -> None:
    """Take an arm apart that a process was killed over while it filled it: its whole networks go to where they were."""
    for folder in arm.glob("run-*"):
        if (folder / "model.json").exists():  # the last of its files
            kept = KEPT / str(json.loads((folder / "run.json").read_text())["inputs"])
            if not kept.exists():
                folder.rename(kept)
    shutil.rmtree(arm, ignore_errors=True)


def _place(arm: Path, run: int) -> Path:
    """Return the folder that has the network, or that will have it when it is trained."""
    folder = run_folder(arm, run)
    if (folder / "weights.safetensors").exists():
        return folder
    return KEPT / str(trained(arm, run)["inputs"])


def _restore(folder: Path) -> None:
    """Bring a network back from DVC's cache, by the hash that run.json has of its weights."""
    said = json.loads((folder / "run.json").read_text())
    if stored := cached_file(said["weights_md5"]):
        shutil.copyfile(stored, folder / "weights.safetensors")
        (folder / "model.json").write_text(json.dumps(said["network"], indent=1) + "\n")
