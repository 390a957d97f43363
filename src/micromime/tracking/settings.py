"""The settings of an arm as MLflow's tables show them: few, those in which one arm may differ from another."""

import json
from collections.abc import Mapping
from typing import Any

from micromime.project.work import fingerprint

LONGEST = 6000
"""Characters of a parameter that MLflow keeps."""


def settings_of(said: Mapping[str, Any]) -> dict[str, str]:
    """Return at most 40 parameters of the arm that arm.json describes, by the names that params.yaml has.

    Phases stand in one parameter for each of their settings, with a value for each phase: `train.phases.size_px` is
    "128, 256". Of what samples are drawn from there is a hash alone: `scenario.yaml` of the arm has it in full.
    """
    data, train = (dict(said["params"].get(part, {})) for part in ("data", "train"))
    phases, scenario = train.pop("phases", ()), data.pop("scenario", None)
    sampler, options = next(iter((data.pop("sampler", None) or {"": None}).items()))
    found: dict[str, Any] = {"train": train, "goes_on_with": said.get("start"), "beside": said.get("beside")}
    found["train.phases"] = {key: [phase.get(key) for phase in phases] for key in dict.fromkeys(_keys(phases))}
    found["train.found_rates"] = said.get("rates")
    found["data"] = data | {"parent": (data.get("parent") or {}).get("path")}
    found["data.scenario"] = fingerprint(scenario)[:12] if scenario else None
    found["data.sampler"], found["data.sampler.settings"] = sampler, json.dumps(options) if options else None
    return {key: _text(value)[:LONGEST] for key, value in _flat(found).items() if value not in (None, "", [], ())}


def _keys(phases: Any) -> list[str]:
    return [key for phase in phases for key in phase]


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted path; lists are leaves."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{above}.{key}" if above else str(key)
        found |= _flat(value, path) if isinstance(value, Mapping) else {path: value}
    return found


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
