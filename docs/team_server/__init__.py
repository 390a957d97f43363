"""A tracking server (MLflow on PostgreSQL) and S3 storage (SeaweedFS) for one team, on one workstation.

See docs/team_server.md for what it is, and docs/team_server.py for the command.
"""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from filelock import FileLock

from team_server.postgresql import postgresql
from team_server.seaweedfs import s3, s3_client
from team_server.service import Service, said
from team_server.site import Mistake, Site
from team_server.tracking import mlflow

__all__ = ["Mistake", "Service", "Site", "add_user", "s3_client", "said", "start", "start_s3", "status", "stop"]

WAIT_S = 180
PATIENCE_S = 40
"""SeaweedFS takes about 20 s to end."""


def start(site: Site, wait_s: float = WAIT_S) -> list[str]:
    """Start what does not run, wait until everything answers, and return a line for each server."""
    _prepare(site, [postgresql, s3, mlflow])
    return _started([postgresql(site), s3(site)], wait_s) + _started([mlflow(site)], wait_s)


def start_s3(site: Site, wait_s: float = WAIT_S) -> list[str]:
    """Start S3 storage alone, with its two buckets."""
    _prepare(site, [s3])
    return _started([s3(site)], wait_s)


def stop(folder: Path, patience_s: float = PATIENCE_S) -> list[str]:
    """End what runs, kill what has not ended when patience is at an end, and return a line for each server."""
    services = _services(Site.read(folder))
    with _lock(folder):
        ran = [service.ask_to_end() for service in reversed(services)]
        for service in reversed(services):
            service.end(patience_s)
    return [
        f"{each.name} {'stopped' if one else 'did not run'}" for each, one in zip(reversed(services), ran, strict=True)
    ]


def status(folder: Path) -> tuple[list[str], bool]:
    """Return a line for each server, and whether all of them answer."""
    services = _services(Site.read(folder))
    well = [bool(service.process() and service.answers()) for service in services]
    lines = [
        f"{each.name} {'answers' if one else 'runs, but does not answer' if each.process() else 'does not run'}: "
        f"{each.address}"
        for each, one in zip(services, well, strict=True)
    ]
    return lines, all(well)


def add_user(folder: Path, name: str, new_password: bool = False) -> list[str]:
    """Make a user of MLflow, or give one a new password, and return the lines of shell that make somebody this user."""
    site = Site.read(folder)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]*", name):
        raise Mistake("A user's name has letters without accents, digits, dots, dashes, underscores and @.")
    password = secrets.token_urlsafe(18)
    path, method = ("update-password", "PATCH") if new_password else ("create", "POST")
    admin = ("admin", site.secrets["mlflow_admin"])
    url = f"http://{site.local}:{site.port}/api/2.0/mlflow/users/{path}"
    try:
        said(url, admin, method, {"username": name, "password": password})
    except HTTPError as error:
        raise _refused(name, error) from None
    except (OSError, HTTPException):
        raise Mistake(f"MLflow does not answer at {site.local}:{site.port}: `start` it first.") from None
    pair = site.secrets["s3"]["dvc"]
    values = {
        "MLFLOW_TRACKING_URI": f"http://{site.public}:{site.port}",
        "MLFLOW_TRACKING_USERNAME": name,
        "MLFLOW_TRACKING_PASSWORD": password,
        "AWS_ACCESS_KEY_ID": pair["access_key"],
        "AWS_SECRET_ACCESS_KEY": pair["secret_key"],
    }
    return [f"export {variable}={value}" for variable, value in values.items()]


def _refused(name: str, error: HTTPError) -> Mistake:
    with error:
        try:
            answer = json.loads(error.read())
        except ValueError:
            answer = {}
    if answer.get("error_code") == "RESOURCE_ALREADY_EXISTS":
        return Mistake(f"There is a user {name} already: --new-password gives {name} a new password.")
    if answer.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return Mistake(f"There is no user {name}: leave --new-password out.")
    return Mistake(f"MLflow refused ({error.code}): {answer.get('message', error.reason)}")


def _prepare(site: Site, kinds: Sequence[Callable[[Site], Service]]) -> None:
    """Make the folder, and keep the settings, unless servers run with others or something is not installed."""
    site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (site.folder / "settings.json").exists():
        if any(site.folder.iterdir()):
            raise Mistake(f"{site.folder} holds other things: choose a folder that is new or empty.")
        site.folder.chmod(0o700)
    else:
        before = Site.read(site.folder)
        if before != site and any(service.process() for service in _services(before)):
            raise Mistake("It runs with other settings: `stop` it first.")
    with _lock(site.folder):
        site.write()
    for service in (kind(site) for kind in kinds):
        if service.obstacle:
            raise Mistake(service.obstacle)


def _services(site: Site) -> list[Service]:
    return [postgresql(site), s3(site), mlflow(site)]


def _started(services: Sequence[Service], wait_s: float) -> list[str]:
    """Start servers at the same time, and return a line for each."""
    with _lock(services[0].site.folder):
        begun = [service.begin() for service in services]
        for service in services:
            service.wait(wait_s)
    lines = zip(services, begun, strict=True)
    return [f"{each.name} {'started' if new else 'runs already'}: {each.address}" for each, new in lines]


def _lock(folder: Path) -> FileLock:
    """Return what keeps two commands from starting or ending the same server at once."""
    return FileLock(folder.absolute() / "lock", mode=0o600)
