"""A tracking server (MLflow on PostgreSQL) and S3 storage (SeaweedFS) for one team, on one workstation.

See docs/team_server.md for what it is, and docs/team_server.py for the command.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from filelock import FileLock

from micromime.mistakes import Mistake
from team_server.servers import mlflow, postgresql, s3, s3_client
from team_server.service import Service, Site, said

__all__ = ["Mistake", "Site", "add_user", "s3", "s3_client", "said", "start", "status", "stop"]

ALL = (postgresql, s3, mlflow)
WAIT_S = 180

REFUSED = {
    "RESOURCE_ALREADY_EXISTS": "There is a user {name} already: --new-password gives {name} a new password.",
    "RESOURCE_DOES_NOT_EXIST": "There is no user {name}: leave --new-password out.",
}
"""What MLflow calls it when it refuses to make or change a user -> what that is."""


def start(site: Site, kinds: Sequence[Callable[[Site], Service]] = ALL) -> list[str]:
    """Start what does not run, wait until everything answers, and return a line for each server.

    Raises Mistake where the folder is not a site's, servers run with other settings, or something is not installed.
    """
    site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (site.folder / "settings.json").exists():
        if any(site.folder.iterdir()):
            raise Mistake(f"{site.folder} holds other things: choose a folder that is new or empty.")
        site.folder.chmod(0o700)
    elif (before := Site.read(site.folder)) != site and any(kind(before).process() for kind in ALL):
        raise Mistake("It runs with other settings: `stop` it first.")
    with _lock(site.folder):
        site.write()
        services = [kind(site) for kind in kinds]
        if missing := [service.needs for service in services if service.needs]:
            raise Mistake(f"Not everything is installed: {'; '.join(missing)}.")
        states = []
        for group in (services[:2], services[2:]):  # MLflow needs the other two
            states += ["started" if each.begin() else "runs already" for each in group]
            for service in group:
                service.wait(WAIT_S)
    return [f"{each.name} {state}: {each.address}" for each, state in zip(services, states, strict=True)]


def stop(folder: Path, patience_s: float = 40) -> list[str]:  # SeaweedFS takes about 20 s to end
    """End what runs, kill what has not ended when patience is at an end, and return a line for each server."""
    services = [kind(Site.read(folder)) for kind in reversed(ALL)]
    with _lock(folder):
        ran = [service.process() for service in services]
        for service, process in zip(services, ran, strict=True):
            if process:
                process.send_signal(service.ending)
        for service in services:
            service.end(patience_s)
    return [f"{each.name} {'stopped' if one else 'did not run'}" for each, one in zip(services, ran, strict=True)]


def status(folder: Path) -> tuple[list[str], bool]:
    """Return a line for each server, and whether all of them answer."""
    services = [kind(Site.read(folder)) for kind in ALL]
    well = [bool(service.process() and service.answers()) for service in services]
    states = ["answers" if one else "does not answer" for one in well]
    return [f"{each.name} {state}: {each.address}" for each, state in zip(services, states, strict=True)], all(well)


def add_user(folder: Path, name: str, new_password: bool = False) -> list[str]:
    """Make a user of MLflow, or give one a new password, and return the lines of shell that make somebody this user."""
    site = Site.read(folder)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]*", name):
        raise Mistake("A user's name has letters without accents, digits, dots, dashes, underscores and @.")
    password, pair = secrets.token_urlsafe(18), site.secrets["s3"]["dvc"]
    path, method = ("update-password", "PATCH") if new_password else ("create", "POST")
    url = f"http://{site.local}:{site.port}/api/2.0/mlflow/users/{path}"
    try:
        said(url, ("admin", site.secrets["mlflow_admin"]), method, {"username": name, "password": password})
    except HTTPError as error:
        with error:
            answer = error.read().decode(errors="replace")
        known = [sentence.format(name=name) for code, sentence in REFUSED.items() if code in answer]
        raise Mistake((known or [f"MLflow refused ({error.code}): {answer or error.reason}"])[0]) from None
    except (OSError, HTTPException):
        raise Mistake(f"MLflow does not answer at {site.local}:{site.port}: `start` it first.") from None
    values = {
        "MLFLOW_TRACKING_URI": f"http://{site.public}:{site.port}",
        "MLFLOW_TRACKING_USERNAME": name,
        "MLFLOW_TRACKING_PASSWORD": password,
        "AWS_ACCESS_KEY_ID": pair["access_key"],
        "AWS_SECRET_ACCESS_KEY": pair["secret_key"],
    }
    return [f"export {variable}={value}" for variable, value in values.items()]


def _lock(folder: Path) -> FileLock:
    """Return what keeps two commands from starting or ending the same server at once."""
    return FileLock(folder.absolute() / "lock", mode=0o600)
