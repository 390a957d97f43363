"""What DVC keeps on this machine, looked up without starting DVC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from micromime.mistakes import Mistake
from micromime.project.versions import BEGIN, git

if TYPE_CHECKING:
    from dvc.config import Config


def dvc_settings() -> Config:
    """Return DVC's settings in a project's folder, the working directory; Mistake where they cannot be read."""
    from dvc.config import Config, ConfigError

    try:
        return Config(".dvc")
    except ConfigError as error:
        raise Mistake(f"DVC's settings in .dvc cannot be read ({error}); correct them.") from None


def expect_repository() -> None:
    """Raise Mistake where DVC would end for want of a repository: there is none, or it ignores this folder.

    DVC needs none where `core.no_scm` is set.
    """
    if not Path(".dvc").is_dir() or dvc_settings()["core"].get("no_scm"):
        return
    inside = any((each / ".git").exists() for each in (Path.cwd(), *Path.cwd().parents))
    if not inside or git("check-ignore", "dvc.yaml"):
        whose = f" (the one of {git('rev-parse', '--show-toplevel')} ignores it)" if inside else ""
        raise Mistake(f"DVC needs this folder to be in a repository of git{whose}; {BEGIN} here makes one.")


def cached_file(md5: str) -> Path | None:
    """Return the file with this MD5 (of a folder: `<md5>.dir`, its listing) in DVC's cache, if it is there."""
    if not Path(".dvc").is_dir():
        return None
    cache = Path(dvc_settings()["cache"].get("dir") or ".dvc/cache")
    file = cache / "files" / "md5" / md5[:2] / md5[2:]
    return file if file.is_file() else None
