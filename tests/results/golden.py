"""What numbers.json holds, and what is said where a number has changed."""

import importlib
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

from micromime.project import results

KINDS = ("rendered", "fitted", "learnt", "answered", "measured", "proposed")
"""A file beside this one each: VERSION, the integer that must be raised, RTOL, `numbers()` and `members()`."""

FILE = Path(__file__).with_name("numbers.json")
WRITE = "python tests/results/write.py"


def kind(name: str) -> ModuleType:
    return importlib.import_module(f"results.{name}")


def written() -> dict[str, Any]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def version(name: str) -> int:
    return int(getattr(results, kind(name).VERSION))


def changed(name: str, numbers: dict[str, Any]) -> list[str]:
    """What differs from what is written, as `item: quantity was a, is b`; what nothing is written of is left out."""
    before, rtol = written().get(name, {}).get("numbers", {}), kind(name).RTOL
    return [
        f"{item}: {key} was {before[item].get(key)}, is {value}"
        for item, quantities in numbers.items()
        if item in before
        for key, value in (dict.fromkeys(before[item]) | quantities).items()
        if not alike(before[item].get(key), value, rtol)
    ]


def alike(one: Any, two: Any, rtol: float) -> bool:
    if isinstance(one, int | float) and isinstance(two, int | float):
        return math.isclose(one, two, rel_tol=rtol, abs_tol=1e-9)
    return bool(one == two)


def wrong(name: str, numbers: dict[str, Any], members: set[str]) -> str:
    """One sentence of what is wrong and what to do; nothing where all is as it should be."""
    content, integer = written().get(name, {}), kind(name).VERSION
    if content.get("version") != version(name):
        return f"{integer} is {version(name)}, the numbers are of {content.get('version')}: write them by `{WRITE}`."
    if moved := changed(name, numbers):
        return (
            f"The same inputs give other numbers ({'; '.join(moved[:6])}). If that is meant, raise {integer} in "
            f"src/micromime/project/results.py, after which no finished run counts any more, and write them by "
            f"`{WRITE}`; if not, something has changed that should not."
        )
    known = content.get("numbers", {})
    if new := sorted((members | numbers.keys()) - known.keys()):
        return f"{', '.join(new)} has no golden number; write it by `{WRITE}`."
    return ""
