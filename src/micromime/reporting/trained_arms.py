"""How arms were trained, as the reports tell it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from micromime.arms.arm import FIRST, Arm, said_of, trained


def phases(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for each arm and phase, with the learning rate that was used and how it came about."""
    rows = [
        {"arm": arm.name, "phase": number, **phase.model_dump(), "peak_rate": rate}
        | {"how": "found" if phase.peak_rate == "find" else "given"}
        for arm in arms
        for number, (phase, rate) in enumerate(
            zip(Arm.read(arm).settings.phases, trained(arm, FIRST)["rates"], strict=True), 1
        )
    ]
    return pd.DataFrame(rows)


def origin(arms: Sequence[Path], data_by: Literal["name", "path"] = "name") -> dict[str, str]:
    """Return how all of it was made: profile, settings and machine of the trainings, data by name or by path."""
    read = [Arm.read(arm) for arm in arms]
    said, settings = [said_of(arm) for arm in arms], read[0].settings
    runs = [trained(folder, number) for folder, arm in zip(arms, read, strict=True) for number in arm.runs]
    machines = [f"{each['device']} ({each['processor']}), threads of a run: {each['threads']}" for each in runs]
    data = [f"{each[data_by]} {each['digest']}" for arm in said for each in arm["data"]]
    return {
        "Profile": f"{said[0]['profile']} (`micromime profile {said[0]['profile']} && make run`)",
        "Network": f"{settings.architecture}, {settings.precision}, channels last: {settings.channels_last}",
        "Runs": ", ".join(f"{a.name} {arm.settings.runs}" for a, arm in zip(arms, read, strict=True))
        + "; run number = seed",
        "Data": ", ".join(dict.fromkeys(data)),
        "Trained on": "; ".join(dict.fromkeys(machines)),
        "PyTorch": ", ".join(dict.fromkeys(each["torch"] for each in runs)),
    }


def epochs(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for every arm, run and epoch: its phase, losses, metrics and speed, without the machine's load."""
    rows = [
        {"arm": arm.name, "run": run, "epoch": number}
        | {key: epoch[key] for key in epoch if not key.startswith("system/")}
        for arm in arms
        for run in Arm.read(arm).runs
        for number, epoch in enumerate(trained(arm, run)["epochs"], 1)
    ]
    return pd.DataFrame(rows)
