"""The address of MLflow's store: whether one can be there, and whether its file can be used. Nothing imports MLflow.

MLflow finds most of this out itself, but some of it after minutes, and in words that name no remedy.
"""

import os
import re
import sqlite3
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote, unquote, urlsplit

SERVER, DATABASE = "http://lab:5000", "sqlite:///mlflow.db"
"""Such addresses as there are, for the words of those that are none."""

EITHER = f"write {DATABASE} for a file in this folder, or the address of a server, such as {SERVER}"

KNOWN = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "file", "databricks", "databricks-uc", "uc")
"""What an address of MLflow's may begin with, beside what plug-ins of it bring."""

DRIVERS = {"postgresql": "psycopg2", "mysql": "pymysql"}
"""Packages that speak to a database where SQLAlchemy's first choice is not installed."""

AROUND = " \t\r\n\"'`<>,;\u00a0\u200b\u200e\u2060\ufeff\u2018\u2019\u201c\u201d\u201e"
"""What is copied along with an address from a page, a mail or a list: some of it is not seen."""

PACKAGES = {"MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary", "psycopg": "psycopg[binary]"}
"""What brings a database's module where the package has another name, or would have to be compiled."""

LOCKED_S = 5.0
"""How long a file may be locked by another process, in seconds."""


def shown(address: str) -> str:
    """Return an address without its password, however it is written."""
    return re.sub(r"^(\s*['\"]?(?:[\w+.-]+:/*|\w+//)?[^:@/]*):.*@", r"\1:***@", address, flags=re.DOTALL)


def wrong(address: str) -> str:
    """Return why no store can be at an address, and what to write instead; nothing where one may be."""
    checks = (_wrapped, _server, _page, _sqlite, _database, _databricks, _folder, _kind)
    return next(filter(None, (check(address) for check in checks)), "")


def file_of(address: str) -> Path | None:
    """Return the SQLite file that an address names; None where it names something else."""
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", address)
    return Path(unquote(found[1])) if found else None


def unusable(address: str, writing: bool) -> str:
    """Return why the SQLite file of an address cannot be read, or written to, and what to do; nothing where it can.

    A file that is not there yet is not made, but its folder must be one that it can be made in.
    """
    file = file_of(address)
    if file is None:
        return ""
    if file.is_dir():
        return f"{file} is a folder; name a file in it, such as sqlite:///{file / 'mlflow.db'}"
    if not file.parent.is_dir():
        return f"the folder {file.parent} is not there; make it first, or name another file"
    if not file.exists():
        return _cannot_be_made(file) if writing else ""
    return _cannot_be_used(file, writing) if file.is_file() else f"{file} is no file; name another one"


@lru_cache
def reach_database(address: str) -> None:
    """Connect to a database server once: SQLAlchemyError where it does not answer, or does not let in.

    MLflow tries ten times, which takes two minutes, or for ever where it is silent.
    """
    if address.startswith(("postgresql", "mysql", "mssql")):
        from sqlalchemy import NullPool, create_engine

        with create_engine(address, poolclass=NullPool).connect():
            pass


def _wrapped(address: str) -> str:
    bare = address.strip(AROUND)
    if not bare:
        return f"it is blank; unset it, or {EITHER}"
    if bare != address:
        return f"blanks, quotes, commas or the like, seen or not, stand around it; write {shown(bare)}"
    if re.search(r"[\0-\x1f]|^https?:.* ", address):
        return f"there is a blank or an end of a line within it; {EITHER}"
    kind = address.partition(":")[0]
    if ":" in address and kind.lower() in KNOWN and kind != kind.lower():
        return f"what it begins with is written in small letters; write {shown(kind.lower() + address[len(kind) :])}"
    return ""


def _server(address: str) -> str:
    """Look at what is meant as the address of a server, also where something of http:// is missing."""
    found = re.match(r"(https?)(:?/+|:)(.*)", address)
    if not found and (found := re.match(r"()()((?:[^/]*@)?(?:[\w.-]+|\[[\da-f:]+\]):\d+(?:/.*)?)$", address)):
        return f"it has no http:// before it; write {shown(f'http://{found[3]}')}"
    if not found:
        return ""
    scheme, between, rest = found.groups()
    if rest and between != "://":
        return f"between {scheme} and the host there must be ://; write {shown(f'{scheme}://{rest}')}"
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - fails where it is none
    except ValueError:
        if "@" in rest:
            return "it cannot be read; in a password / is written %2F, # %23, ? %3F and @ %40, and a port is a number"
        return f"what stands behind its host is no port, which is a number up to 65535; write it as in {SERVER}"
    return "" if parts.hostname else f"it names no host; write it as in {SERVER}"


def _page(address: str) -> str:
    server = re.match(r"(https?://[^#]+?)/*(#|/ajax-api/|/api/2\.0/)", address)
    return f"it is the address of a page, not of the server; write {shown(server[1])}" if server else ""


def _sqlite(address: str) -> str:
    found = re.match(r"(sqlite(?:\+\w+)?):(/*)(.*)", address)
    if not found:
        return ""
    scheme, slashes, rest = found.groups()
    if re.match(r"$|\?|:memory:|file:.*(memory|mode=)", rest) and len(slashes) < 4:
        return f"it names no file, so that runs would be gone with the process; {EITHER}"
    if len(slashes) not in (3, 4):
        absolute = f"{scheme}:////{rest}"
        return f"a file of this folder needs three slashes, any other four; write {scheme}:///{rest} or {absolute}"
    if rest.startswith("~") and len(slashes) == 3:
        return f"~ is not read as your folder there; write {scheme}:///{Path(rest).expanduser()}"
    return ""


def _database(address: str) -> str:
    dialect = re.match(r"\w*", address)[0]  # type: ignore[index]  # the empty text matches, too
    if dialect == "postgres":
        driven = f"postgresql+{DRIVERS['postgresql']}{address.removeprefix(dialect)}"
        return f"MLflow knows it as postgresql; write {shown(driven)}"
    if dialect not in ("postgresql", "mysql", "mssql") or not find_spec("sqlalchemy"):
        return ""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        make_url(address).get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):
        return f"it is no address of a database; write it as in {dialect}+{DRIVERS.get(dialect, 'driver')}://user@host/name"
    except ImportError as error:
        other = DRIVERS.get(dialect, "")
        if not isinstance(error, ModuleNotFoundError):  # a library of the system that it needs is missing
            return f"its Python package cannot be loaded ({str(error).strip().partition(chr(10))[0]}); install it anew"
        lacks = f"it needs the Python package {PACKAGES.get(str(error.name), error.name)}, which is not installed"
        there = other and find_spec(other)
        return f"{lacks}; {f'write {dialect}+{other}:// instead, for which {other} is' if there else 'install it'}"
    return ""


def _databricks(address: str) -> str:
    if not re.match(r"databricks($|:)", address) or Path("~/.databrickscfg").expanduser().is_file():
        return ""
    known = any(name.startswith("DATABRICKS_") for name in os.environ)
    return (
        ""
        if known
        else f"nothing says how to get into Databricks; set DATABRICKS_HOST and DATABRICKS_TOKEN, or {EITHER}"
    )


def _folder(address: str) -> str:
    if re.match(r"[\w+.-]+:", address) and not address.startswith("file:"):
        return ""
    if address in ("databricks", "databricks-uc", "uc") or os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in (
        "1",
        "true",
    ):
        return ""
    path = re.sub("^file:(//)?", "", address)
    if Path(path).suffix in (".db", ".sqlite", ".sqlite3"):
        return f"sqlite:/// is missing before the file; write sqlite:///{path}"
    return f"it names a folder, and in folders MLflow keeps no runs any more; {EITHER}"


def _kind(address: str) -> str:
    kind = re.split(r"[:+]", address)[0]
    if ":" not in address or kind in KNOWN or entry_points(group="mlflow.tracking_store", name=kind):
        return ""
    return f"MLflow knows no store whose address begins with {kind}; {EITHER}"


def _cannot_be_made(file: Path) -> str:
    try:
        with TemporaryFile(dir=file.parent):
            return ""
    except OSError as error:
        return f"{file} cannot be made ({error.strerror}); let yourself write to its folder, or name another file"


def _cannot_be_used(file: Path, writing: bool) -> str:
    """Ask the file something, or change it and take that back: what makes a journal beside it, if anything does."""
    uri, other = f"file:{quote(str(file))}?mode={'rw' if writing else 'ro'}", "or name another file"
    try:
        opened = sqlite3.connect(uri, timeout=LOCKED_S, isolation_level=None, uri=True)
        try:
            opened.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            (version,) = opened.execute("PRAGMA user_version").fetchone()
            if writing:
                opened.execute(f"PRAGMA user_version = {version}")
            opened.execute("ROLLBACK")
        finally:
            opened.close()
    except sqlite3.Error as error:
        if error.sqlite_errorname.startswith("SQLITE_NOTADB"):
            return f"{file} is no SQLite database; name another file"
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            return f"{file} is locked by another process; end that, {other}"
        said = "written to" if writing else "read"
        return f"{file} cannot be {said} ({error}); let yourself do that, {other}"
    return ""
