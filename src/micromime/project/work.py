"""Where unfinished work lives: outside of DVC's outs, under a hash of all that it depends on."""

import ast
import hashlib
import json
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import micromime
from micromime.engines.local import alone

OURS = Path(".micromime")
WORK = OURS / "work"


def fingerprint(*parts: Any) -> str:
    """Return 32 hex digits that change with any part: values that JSON can hold, or files by their content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def code_of(*names: str) -> list[str]:
    """Return what source files of micromime (paths within the package, without `.py`) do: their code alone, in order.

    Comments, docstrings and layout are left out: what was computed stays valid when only they change.
    """
    root = Path(micromime.__file__).parent
    return [_without_words((root / f"{name}.py").read_text()) for name in sorted(names)]


def work_folder(stage: str, *parts: Any) -> Path:
    """Return the folder of a stage's unfinished work for these inputs; other inputs have another folder."""
    return WORK / stage / fingerprint(*parts)


def sole_maker(out: Path) -> AbstractContextManager[None]:
    """Hold an out for this process only, until it ends, however it ends.

    A killed `dvc repro` leaves the stage that it had started alive: a second one must not work beside it. Raises
    Mistake where another process makes the same out.
    """
    return alone(OURS / "locks" / out.as_posix().replace("/", "-"))


@cache  # an arm asks for the same files for each of its runs
def _without_words(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            words = [each for each in body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
            node.body = [each for each in body if each not in words] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)
