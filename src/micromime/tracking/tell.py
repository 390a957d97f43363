"""Tell MLflow what has come out: beside the runs of each arm, by the fingerprint they were trained under."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from micromime.arms.arm import described
from micromime.arms.networks import network_here
from micromime.project.versions import data_version
from micromime.reporting.judged import Judged, Part
from micromime.tracking.delivery import open_store
from micromime.tracking.letters import tell_judged, tell_model, tell_pictures
from micromime.tracking.mlflow_arm import RunDescription


def tell(use_case: str, judged: Judged, test_set: Path, files: Sequence[Path], pictures: Mapping[str, Path]) -> None:
    """Log each run's means over the pictures, each arm's statistics with the files, and register the median runs.

    The pictures go to the first arm, whose network has predicted what they show. A median run that was taken from its
    record has no network here, and is not registered.
    """
    open_store(use_case)
    for arm, run in judged.representative.items():
        said = tested(arm, judged.verdict["test_set"], test_set)
        parts = judged.parts(arm)
        statistics = [_under(part.prefix, statistics_of(part.name, part.verdict)) for part in parts]
        tell_judged(
            said, means_of(parts, judged.metrics), {k: v for each in statistics for k, v in each.items()}, files
        )
        if arm == judged.arms[0]:
            tell_pictures(said, pictures)
        network = network_here(arm, run)
        if network is None:
            print(f"{arm.name}: run {run} was taken from its record; there is no network to register", flush=True)
        elif made := tell_model(said, network):
            print(f"{arm.name}: run {run} is registered as {made.uri}", flush=True)


def tested(arm: Path, on: Mapping[str, Any], test_set: Path) -> RunDescription:
    """Return the description of a trained arm, now with the test set it was judged on."""
    said = described(arm)
    data = (*said.data, data_version("test_set", test_set, "testing"))
    return replace(said, data=data, test_set=on["kind"], test_set_reason=on["reason"] or "")


def means_of(parts: Sequence[Part], metrics: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Return each run's means over the pictures, those of a part that has a prefix under it."""
    found: dict[int, dict[str, Any]] = {}
    for part in parts:
        for number, row in part.scores.groupby("run")[list(metrics)].mean().iterrows():
            means = {str(key): row[key] for key in row.index}
            found.setdefault(int(str(number)), {}).update(_under(part.prefix, means))
    return found


def _under(prefix: str, numbers: Mapping[str, Any]) -> Mapping[str, Any]:
    return {prefix: numbers} if prefix else numbers


def statistics_of(arm: str, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the verdict says of an arm alone, and of its comparison with each earlier one."""
    tests = [test for test in verdict["paired"].values() if test["a"] == arm]
    kept = ("mean_difference", "p_value", "p_holm", "effect_size", "n_pairs")
    against = {f"{test['metric']}.minus_{test['b']}": {key: test[key] for key in kept if key in test} for test in tests}
    return {**verdict["arms"][arm], **against}
