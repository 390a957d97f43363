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


def source_files(*packages: str) -> list[Path]:
    """Return the source files of sub-packages or modules of micromime, in order."""
    root = Path(micromime.__file__).parent
    found = {file for name in packages for file in root.glob(f"{name}*/**/*.py")}
    return sorted(found | {file for name in packages for file in root.glob(f"{name}.py")})


def work_folder(stage: str, *parts: Any) -> Path:
    """Return the folder of a stage's unfinished work for these inputs; other inputs have another folder."""
    return WORK / stage / fingerprint(*parts)
