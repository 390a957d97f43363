"""One small JSON file for each finished run: how it was trained, and how its network did.

Records outlive the networks. In a fresh clone, without DVC's cache, a run whose record fits its inputs is taken as it
is; only what no record tells is computed. Evidence is committed that way.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from micromime.mistakes import Mistake

DIGITS = 6
"""Decimals of a score that are kept; every use of it goes through the record, so that none sees more."""


class Answers(BaseModel):
    """How a run's network did on a set of pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: str
    """Hash of all that the numbers depend on: network, pictures, and the code that asks and measures."""
    table: dict[str, list[Any]]
    """Column -> a value for each picture: `picture`, its name, and numbers, None where there is none."""

    @classmethod
    def of(cls, inputs: str, rows: Sequence[dict[str, Any]]) -> Self:
        """Return the answers that one row a picture makes."""
        return cls(inputs=inputs, table={key: [_rounded(row[key]) for row in rows] for key in rows[0]})


class RunRecord(BaseModel):
    """What is known of one finished run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: str
    """Hash of all that decides the network."""
    training: dict[str, Any]
    """What run.json beside the network says."""
    answers: dict[str, Answers] = {}
    """By what the pictures are for: `test`, `scoring`."""

    @classmethod
    def of_run(cls, folder: Path) -> Self:
        """Return the record of a run that has just been trained to a folder; nobody has asked its network yet."""
        said = json.loads((folder / "run.json").read_text())
        return cls(inputs=said["inputs"], training=said)

    @property
    def rates(self) -> tuple[float, ...]:
        """The peak learning rate of every phase."""
        return tuple(self.training["rates"])

    def fitting(self, purpose: str, inputs: str) -> Answers | None:
        """Return the answers for a purpose, if they were given for the same inputs."""
        found = self.answers.get(purpose)
        return found if found and found.inputs == inputs else None

    def with_answers(self, purpose: str, answers: Answers) -> Self:
        """Return the record with answers for one purpose in the place of earlier ones."""
        return self.model_copy(update={"answers": self.answers | {purpose: answers}})

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Return the record in a file, or None where there is none."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except (ValidationError, UnicodeDecodeError):
            raise Mistake(f"{file} is damaged; restore it from git, or delete it and have its run anew.") from None

    def write(self, file: Path) -> None:
        """Write the record, whole or not at all: a line for each part, so that git shows what has changed."""
        file.parent.mkdir(parents=True, exist_ok=True)
        dumped = self.model_dump()
        parts = [f'"inputs": {json.dumps(self.inputs)}', f'"training": {json.dumps(dumped["training"])}']
        answers = [f"{json.dumps(key)}: {json.dumps(each)}" for key, each in sorted(dumped["answers"].items())]
        parts.append('"answers": {\n  ' + ",\n  ".join(answers) + "\n}" if answers else '"answers": {}')
        unfinished = file.with_name(f".{file.name}")
        unfinished.write_text("{\n" + ",\n".join(parts) + "\n}\n")
        unfinished.replace(file)


def record_file(records: Path, arm: str, run: int) -> Path:
    """Return where the record of a run lies."""
    return records / arm / f"run-{run:03d}.json"


def machines(files: Iterable[Path]) -> str:
    """Return every kind of machine that the runs of some records were trained on."""
    told = [each.training for each in map(RunRecord.read, files) if each]
    return "; ".join(dict.fromkeys(f"{each['device']} ({each['processor']}), PyTorch {each['torch']}" for each in told))


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value
