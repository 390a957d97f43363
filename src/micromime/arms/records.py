"""Records of finished runs: how each was trained, and how its network did.

A record is the truth about a run: MLflow is told from it, tables are made of it, and it outlives the network. A run
whose record has the same inputs is taken from it as it is; only what no record tells is computed. A run that ends
writes a file of its own, `<records>/<arm>/run-001.json`, whole or not at all; `pack` moves them into one to commit,
`<records>.parquet`, a row a run. Of a run that stands in both, its own file counts.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from micromime.mistakes import Mistake
from micromime.project.work import OURS, is_copy, project_folder

DIGITS = 6
"""Decimals of a score that are kept; every use of it goes through the record, so that none sees more."""

TEXT = pa.string()
COLUMNS = pa.schema([("arm", TEXT), ("run", pa.int64()), ("inputs", TEXT), ("training", TEXT), ("answers", TEXT)])
DUMPED = {"training", "answers"}
"""Columns of a packed file, and those of them that hold JSON."""

TRIED = OURS / "records"
"""Records of runs that DVC's experiments have made in copies of the project, a file each by its inputs."""


class Answers(BaseModel):
    """How a run's network did on a set of pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: str
    """Hash of all that the numbers depend on: network, pictures, and the versions of asking and measuring."""
    table: dict[str, list[Any]]
    """Column -> a value for each picture: `picture`, its name, and numbers, None where there is none."""

    @classmethod
    def of(cls, inputs: str, rows: Sequence[dict[str, Any]]) -> Self:
        """Return the answers that one row a picture makes."""
        table = {key: [row[key] for row in rows] for key in rows[0]}
        rounded = {k: [round(v, DIGITS) if isinstance(v, float) else v for v in each] for k, each in table.items()}
        return cls(inputs=inputs, table=rounded)


class RunRecord(BaseModel):
    """What is known of one finished run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: str
    """Hash of all that decides the network: settings, identity of the data, run number, version of the learner."""
    training: dict[str, Any]
    """What run.json beside the network says."""
    answers: dict[str, Answers] = {}
    """By what the pictures are for."""

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


def read_record(records: Path, arm: str, run: int) -> RunRecord | None:
    """Return the record of a run in a folder of records or its packed file, or None; Mistake where it is damaged."""
    return _read_whole(_file(records, arm, run)) or _packed(records).get((arm, run))


def fitting_record(records: Path, arm: str, run: int, inputs: str) -> RunRecord | None:
    """Return the record of a run with these inputs, from wherever in the project it lies, or None.

    One that was found elsewhere has its place among `records` from then on: an experiment that DVC tries in a copy
    takes the project's, and the project those that experiments have left.
    """
    own = read_record(records, arm, run)
    if own and own.inputs == inputs:
        return own
    elsewhere = _read_whole(TRIED / f"{inputs}.json")
    if is_copy() and elsewhere is None:
        elsewhere = read_record(project_folder() / records, arm, run)
    if elsewhere is None or elsewhere.inputs != inputs:
        return None
    write_record(records, arm, run, elsewhere)
    return elsewhere


def write_record(records: Path, arm: str, run: int, record: RunRecord) -> None:
    """Write the record of a run as a file of its own, whole or not at all; an experiment in a copy leaves another."""
    text = record.model_dump_json(indent=1) + "\n"
    _write_whole(_file(records, arm, run), text)
    if is_copy():
        _write_whole(TRIED / f"{record.inputs}.json", text)


def _read_whole(file: Path) -> RunRecord | None:
    try:
        return RunRecord.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError):
        raise Mistake(f"{file} is damaged; delete it and have its run anew.") from None


def _write_whole(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}")
    unfinished.write_text(text)
    unfinished.replace(file)


def pack(records: Path) -> Path:
    """Move every record of a folder into its packed file, beside those that are there, and return that file."""
    known = dict(_packed(records))
    loose = sorted(records.glob("*/run-*.json"))
    for file in loose:
        arm, run = file.parent.name, int(file.stem.removeprefix("run-"))
        if record := read_record(records, arm, run):
            known[arm, run] = record
    target, unfinished = packed_file(records), records.with_name(f".{records.name}.parquet")
    rows = [
        {"arm": arm, "run": run, "inputs": record.inputs}
        | {key: json.dumps(said, separators=(",", ":")) for key, said in record.model_dump(include=DUMPED).items()}
        for (arm, run), record in sorted(known.items())
    ]
    pq.write_table(pa.Table.from_pylist(rows, COLUMNS), unfinished, compression="zstd", compression_level=19)
    unfinished.replace(target)
    for file in loose:
        file.unlink()
    for folder in {file.parent for file in loose}:
        if not any(folder.iterdir()):
            folder.rmdir()
    return target


def packed_file(records: Path) -> Path:
    """Return where a folder's records are packed."""
    return records.with_name(f"{records.name}.parquet")


def _file(records: Path, arm: str, run: int) -> Path:
    return records / arm / f"run-{run:03d}.json"


def _packed(records: Path) -> dict[tuple[str, int], RunRecord]:
    file = packed_file(records)
    if not file.is_file():
        return {}
    told = file.stat()  # of the inode, too: within a tick of the clock it is another file
    return _read_packed(file.absolute(), (told.st_mtime_ns, told.st_ino))


@lru_cache(maxsize=4)  # many arms ask, for one run at a time
def _read_packed(file: Path, _version: tuple[int, int]) -> dict[tuple[str, int], RunRecord]:
    try:
        rows = pq.read_table(file).select(COLUMNS.names).to_pylist()
        said = [{key: json.loads(row[key]) for key in DUMPED} | {"inputs": row["inputs"]} for row in rows]
        return {(row["arm"], row["run"]): RunRecord(**each) for row, each in zip(rows, said, strict=True)}
    except (OSError, TypeError, LookupError, ValueError):  # pyarrow's and pydantic's are kinds of these
        raise Mistake(f"{file} is damaged; restore it from git.") from None


def machines(told: Sequence[RunRecord]) -> str:
    """Return every kind of machine that runs were trained on."""
    kinds = (
        f"{each.training['device']} ({each.training['processor']}), PyTorch {each.training['torch']}" for each in told
    )
    return "; ".join(dict.fromkeys(kinds))
