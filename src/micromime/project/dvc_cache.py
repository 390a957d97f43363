"""What DVC keeps on this machine, looked up without starting DVC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from micromime.mistakes import Mistake

if TYPE_CHECKING:
    from dvc.config import Config


def dvc_settings() -> Config:
    """Return DVC's settings in a project's folder, the working directory; Mistake where they cannot be read."""
    from dvc.config import Config, ConfigError

    try:
        return Config(".dvc")
    except ConfigError as error:
        raise Mistake(f"DVC's settings in .dvc cannot be read ({error}); correct them.") from None


def cached_file(md5: str) -> Path | None:
    """Return the file with this MD5 (of a folder: `<md5>.dir`, its listing) in DVC's cache, if it is there."""
    if not Path(".dvc").is_dir():
        return None
    cache = Path(dvc_settings()["cache"].get("dir") or ".dvc/cache")
    file = cache / "files" / "md5" / md5[:2] / md5[2:]
    return file if file.is_file() else None
