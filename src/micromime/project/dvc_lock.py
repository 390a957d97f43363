"""What DVC has recorded in a dvc.lock: of every stage, its deps and outs."""

from typing import Any

import yaml  # type: ignore[import-untyped]  # libyaml reads a dvc.lock in a tenth of ruamel's time; every stage does

from micromime.mistakes import Mistake

LOCK = "dvc.lock"


def recorded_stages(text: str, where: str) -> dict[str, Any]:
    """Return the stages in the text of a dvc.lock by name; `where` says in an error which one it is."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        stages: dict[str, Any] = (yaml.load(text, loader) or {}).get("stages", {})
    except (yaml.YAMLError, AttributeError):
        raise Mistake(f"{LOCK} {where} is not what DVC writes; if two branches were merged, run `dvc repro`.") from None
    return stages
