"""How MLflow writes down where a data set comes from when DVC keeps it. Importing this module imports MLflow."""

import tempfile
from dataclasses import asdict, dataclass
from typing import Any

from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source

from micromime.mistakes import Mistake


@dataclass
class DvcSource(DatasetSource):
    """A file or folder of this project, by its DVC hash; MLflow calls the type `dvc`."""

    path: str
    """As dvc.yaml has it."""
    md5: str
    """DVC's hash of the content."""
    rev: str
    """The commit that was checked out at that time."""

    def load(self, dst_path: str | None = None) -> str:
        """Fetch this very version from DVC's cache or remote, and return the path it was written to.

        It is looked for at the recorded commit and in the dvc.lock of the working directory: a run starts before its
        dvc.lock is committed. Raises Mistake where neither has it.
        """
        from dvc.api import DVCFileSystem

        for rev in (self.rev, None):
            files = DVCFileSystem(rev=rev)
            if files.exists(self.path) and files.info(self.path).get("dvc_info", {}).get("md5") == self.md5:
                target = dst_path or tempfile.mkdtemp()
                files.get(self.path, target, recursive=True)
                return target
        raise Mistake(f"{self.path} has other content than {self.md5} here and at {self.rev}; check out its commit.")

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


register_dataset_source(DvcSource)  # type: ignore[arg-type]  # annotated as an object, meant as a class
