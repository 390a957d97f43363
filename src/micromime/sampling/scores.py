"""The table of scores: a row a sample of the scoring set, with every parameter and what every run scored on it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from micromime.judging.metrics import LOWER_IS_BETTER, SCORED
from micromime.mistakes import Mistake
from micromime.sampling.sampler import Scored
from micromime.use_cases import instance_kind

ORIGIN = b"micromime"
"""Key under which the file says what was scored by which networks."""


class ScoreTable(NamedTuple):
    """A table of scores, what its file says of what was scored by which networks, and where it was found."""

    rows: pd.DataFrame
    origin: dict[str, Any]
    place: str

    @classmethod
    def read(cls, file: Path, place: str = "") -> Self:
        """Return the table in a file; Mistake where it is none."""
        place = place or file.as_posix()
        try:
            table = pq.read_table(file)
            return cls(table.to_pandas(), json.loads(table.schema.metadata[ORIGIN]), place)
        except FileNotFoundError:
            advice = "bring it with `micromime pull`, make it with `make run`, or name the run that logged it"
            raise Mistake(f"{place} is not there; {advice}.") from None
        except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
            raise Mistake(f"{place} is no table of scores; make it anew with `make run`.") from None

    def known(self, pattern: str) -> list[str]:
        """Return what matches the group of a pattern in the names of the columns of scores: metrics, or runs."""
        found = (re.fullmatch(rf"score\.{pattern}", str(name)) for name in self.rows)
        return list(dict.fromkeys(each[1] for each in found if each))


def joined(samples: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return the samples' rows with `score.<metric>`, a mean over runs, and `score.<metric>.run-001` and so on.

    `given` has a row for every run and picture, the sample's id, with a column for each metric.
    """
    columns: dict[str, Any] = {}
    for metric in SCORED:
        by_run = given.pivot(index="picture", columns="run", values=metric).loc[samples["id"]]
        columns[f"score.{metric}"] = by_run.mean(axis=1).to_numpy()
        columns |= {f"score.{metric}.run-{run:03d}": by_run[run].to_numpy() for run in by_run}
    return pd.concat([samples, pd.DataFrame(columns, index=samples.index)], axis=1)


def scores_before(table: Path, ids: Sequence[str]) -> pd.DataFrame:
    """Return the scores in another arm's table of the same samples, as `before.<metric>`, in the order of the ids."""
    rows = pd.read_parquet(table).set_index("id").loc[list(ids)].reset_index()
    return pd.DataFrame({f"before.{metric}": rows[f"score.{metric}"] for metric in SCORED})


def write_scores(table: Path, rows: pd.DataFrame, origin: Mapping[str, Any]) -> None:
    """Write the rows as Parquet, with their origin in the file's own metadata."""
    table.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    said = {**(arrow.schema.metadata or {}), ORIGIN: json.dumps(origin).encode()}
    pq.write_table(arrow.replace_schema_metadata(said), table)


def read_scores(table: Path, use_case: str, score: str) -> tuple[Scored, dict[str, Any]]:
    """Return the scored instances, less being worse whatever the metric, and what the table says of its origin."""
    read = ScoreTable.read(table)
    rows, origin, _ = read
    if origin["use_case"] != use_case:
        raise Mistake(f"{table} has scores of {origin['use_case']}, not of {use_case}; give that use case's table.")
    if f"score.{score}" not in rows:
        known = ", ".join(sorted(read.known(r"(\w+)")))
        raise Mistake(f"{use_case}.resample.score: {score!r} is not in {table}; use one of: {known}.")
    kind = instance_kind(use_case)
    try:
        instances = [kind.from_row({str(key): value for key, value in row.items()}) for _, row in rows.iterrows()]
    except KeyError as error:
        raise Mistake(f"{table} has no column {error.args[0]}: another version wrote it; make it anew.") from None
    sign = -1.0 if score in LOWER_IS_BETTER else 1.0
    values = sign * rows[f"score.{score}"].to_numpy(dtype=np.float64)
    before = sign * rows[f"before.{score}"].to_numpy(dtype=np.float64) if f"before.{score}" in rows else None
    return Scored(rows["id"].tolist(), instances, values, before), origin
