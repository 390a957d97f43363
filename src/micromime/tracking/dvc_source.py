"""How MLflow writes down where a data set comes from when DVC keeps it. Importing this module imports MLflow."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import dvc_settings
from micromime.project.versions import HERE, LOCK, git, lock_at


@dataclass
class DvcSource(DatasetSource):
    """A file or folder of this project, by its DVC hash; MLflow calls the type `dvc`.

    Of data sets with one name and hash MLflow keeps what it was told first in an experiment, for all runs on them: path
    and commit may be those of another run. The hash is that of each.
    """

    path: str
    """As dvc.yaml had it."""
    md5: str
    """DVC's hash of the content, or of that of a folder above that DVC keeps as one."""
    rev: str
    """The commit that was checked out at that time; its dvc.lock may not have the hash yet."""

    def load(self, dst_path: str | None = None) -> str:
        """Fetch this very version from DVC's cache or remote, and return the path it was written to.

        That is `dst_path`, or a path in it where it is a folder that is there. The version is looked for by its hash in
        the dvc.lock of every commit, and in the one of the working directory: it may have moved, and a run begins
        before its dvc.lock is committed. Raises Mistake where none of these has it, or where its files are gone.
        """
        path, commit = self._kept()
        place = Path(dst_path or tempfile.mkdtemp())
        target = place / Path(path).name if place.is_dir() else place
        try:
            _files(commit).get(path, str(target), recursive=True)
        except Exception as error:  # each kind of remote raises errors of its own
            raise Mistake(f"{path} ({self.md5}) is neither in DVC's cache nor to be had from its remote.") from error
        return str(target)

    def _kept(self) -> tuple[str, str]:
        """Return the path and a commit by which DVC has this version; the commit is empty for what is checked out."""
        found = git("log", "--all", "--format=%H", f"-S{self.md5}", "--", LOCK).split()
        for commit in dict.fromkeys([*filter(None, [self.rev]), *found, HERE]):
            outs = [out for out, md5 in lock_at(commit).outs.items() if md5 == self.md5]
            if any(PurePosixPath(self.path).is_relative_to(out) for out in outs):
                return self.path, commit
            if outs:
                return self._moved(outs[0], commit), commit
        what = f"{self.path} with the hash {self.md5}"
        raise Mistake(f"No dvc.lock, here or in a commit, has {what}; fetch the branch that has it.")

    def _moved(self, out: str, commit: str) -> str:
        """Return the path within an out that had another name: it ends as the path did."""
        parts = PurePosixPath(self.path).parts
        ends = (PurePosixPath(out, *parts[first:]).as_posix() for first in range(1, len(parts)))
        return next(filter(_files(commit).exists, ends), out)

    def to_dict(self) -> dict[str, Any]:
        """Return path, md5 and rev."""
        return asdict(self)

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> "DvcSource":
        """Return the source that `to_dict` has described."""
        return cls(**source_dict)

    @staticmethod
    def _get_source_type() -> str:
        return "dvc"

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004 - MLflow gives anything; no plain text is a DVC source
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> "DvcSource":
        raise NotImplementedError(f"{raw_source!r} does not name a version.")


def _files(commit: str) -> Any:
    """Return what DVC keeps at a commit, or as dvc.lock is here; not what is checked out: that may be edited."""
    from dvc.api import DVCFileSystem

    remote = dvc_settings()["core"].get("remote")  # it may be younger than the commit
    return DVCFileSystem(url=".", rev=commit or None, remote=remote).repo.datafs


register_dataset_source(DvcSource)  # type: ignore[arg-type]  # annotated as an object, meant as a class
