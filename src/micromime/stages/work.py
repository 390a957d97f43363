"""Where unfinished work lives: outside of DVC's outs, under a hash of all that it depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import micromime

WORK = Path(".micromime") / "work"


def fingerprint(*parts: Any) -> str:
    """Return 32 hex digits that change with any part: values that JSON can hold, or files by their content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def source_files(*names: str) -> list[Path]:
    """Return source files of micromime by their paths within the package, without `.py`, in order."""
    root = Path(micromime.__file__).parent
    return [root / f"{name}.py" for name in sorted(names)]


def work_folder(stage: str, *parts: Any) -> Path:
    """Return the folder of a stage's unfinished work for these inputs; other inputs have another folder."""
    return WORK / stage / fingerprint(*parts)
