"""The store of a project that was moved or copied: MLflow keeps whole paths, and would go on in the old folder."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

FILES = "mlruns"
"""Folder of a store's files in the folder where its first run was logged: MLflow's choice."""

PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "trace_tags": ("value",),
}
"""Columns in which MLflow 3.17 keeps paths of files, table by table; tables of older versions may lack some."""


def location(folder: Path) -> str:
    """Return a folder as MLflow writes it down: its path, or an address where MLflow would take a % for more."""
    return folder.as_uri() if "%" in str(folder) else str(folder)


def follow(database: Path, project: Path) -> None:
    """Let the store of a project, an SQLite file in its folder, name the files that lie there now, and say so.

    Nothing is changed where it does already, where it lies elsewhere, or where its files were put elsewhere on purpose:
    they are there, and that is no folder with a store of the same name. Raises OSError where it cannot be written.
    """
    if not database.is_relative_to(project):
        return
    try:
        with closing(sqlite3.connect(database, timeout=20)) as db:
            left = sorted(_left(db, database, project))
            if left:
                _rewrite(db, left, project)
    except sqlite3.DatabaseError as error:
        raise OSError(f"{database} still names files of the folder that it was moved or copied from: {error}") from None
    for old in left:
        if old != project and not old.is_relative_to(project / ".dvc"):  # a copy that DVC makes for an experiment
            left_behind = (old / FILES).is_dir() and not (project / FILES).is_dir()
            missing = f", but there is no {FILES} here: bring it, too" if left_behind else ""
            told = f"this project was moved or copied from {old}; MLflow's store now names the files in {project}"
            print(f"micromime: {told}{missing}.", file=sys.stderr, flush=True)


def _left(db: sqlite3.Connection, database: Path, project: Path) -> Iterator[Path]:
    """Yield each folder that this one was moved or copied from, by what experiments say of their files."""
    if not _columns(db, "experiments"):
        return
    wanted, named = location(project / FILES), dict[Path, list[str]]()
    for (text,) in db.execute("SELECT artifact_location FROM experiments WHERE artifact_location IS NOT NULL"):
        root, _, name = text.rpartition("/")
        folder = Path(unquote(urlsplit(root).path) if root.startswith("file:") else root)
        if root != wanted and folder.is_absolute() and folder.name == FILES:
            named.setdefault(folder.parent, []).append(name)
    for old, names in named.items():
        brought = any((project / FILES / name).is_dir() for name in names)
        theirs = old / database.relative_to(project)
        copied = theirs.is_file() and (old == project or not theirs.samefile(database))
        if brought or copied or not old.exists() or old.is_relative_to(project / ".dvc"):
            yield old


def _rewrite(db: sqlite3.Connection, left: list[Path], project: Path) -> None:
    """Put this folder in the place of those, in one transaction."""
    new = f"{location(project)}/"
    olds = [f"{each}/" for folder in left for each in (folder, folder.as_uri())]

    def moved(text: str | None) -> str | None:
        for old in olds:
            if text is None or (new.startswith(old) and text.startswith(new)):  # the project was moved further down
                return text
            if text.startswith(old):
                return new + text.removeprefix(old)
        return text

    db.create_function("moved", 1, moved)
    with db:
        db.execute("BEGIN IMMEDIATE")
        for table, columns in PLACES.items():
            for column in set(columns) & set(_columns(db, table)):
                db.execute(f"UPDATE {table} SET {column} = moved({column}) WHERE {column} != moved({column})")


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
