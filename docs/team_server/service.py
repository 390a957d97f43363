"""A site, the folder with the servers of one team, and one server of it: how it is begun, found again and ended.

A server's process gets a session of its own and a pid file. What it leaves behind when it is killed (workers that hold
a port) bears its mark in the environment, and is ended before it is begun again.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from errno import EADDRNOTAVAIL
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil

from micromime.mistakes import Mistake

ANY_HOST = ("0.0.0.0", "::", "")

INNER_PORTS = ("postgresql", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3.grpc")
"""What listens on the inner ports, in this order."""

PASSWORDS = ("mlflow_admin", "flask_secret_key", "postgresql", "database", "weed_volume", "weed_filer")

S3_USERS = ("admin", "mlflow", "dvc")
"""`admin` makes the buckets; each of the others may use the bucket of its name, and nothing else."""

KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH")
"""Environment that a server inherits: an admin's own AWS_*, MLFLOW_* and proxies are none of its business."""

MARK = "MICROMIME_TEAM_SERVER"

BEGINNINGS = 5
"""How often a server is begun that ends at once: after a `kill -9` the rest of it may need a moment to go."""

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

BEGUN: list[subprocess.Popen[bytes]] = []
"""Servers begun by this process: a Popen that is forgotten while its process runs makes Python warn."""


@dataclass(frozen=True)
class Site:
    """The folder of a team's servers, and where they listen."""

    folder: Path
    """An absolute path."""
    host: str = "127.0.0.1"
    """Where MLflow and S3 listen; nothing else is meant for other machines."""
    name: str = ""
    """Under which teammates reach this machine; where it is empty, `host`, or else this machine's own name."""
    port: int = 5000
    s3_port: int = 8333
    inner_port: int = 21000
    """First of the ports in a row that only this machine uses."""

    @classmethod
    def read(cls, folder: Path) -> "Site":
        """Return the site that was started in a folder."""
        file = folder.absolute() / "settings.json"
        if not file.is_file():
            raise Mistake(f"There is no team server in {folder}: `start` makes one.")
        return cls(folder.absolute(), **json.loads(file.read_text()))

    @classmethod
    def on_free_ports(cls, folder: Path) -> "Site":
        """Return a site on ports that nobody listens on now, below those that the system gives to clients."""
        while True:
            first = 10_000 + secrets.randbelow(20_000)
            if all(is_free("127.0.0.1", first + n) for n in range(len(INNER_PORTS) + 2)):
                return cls(folder.absolute(), port=first, s3_port=first + 1, inner_port=first + 2)

    def write(self) -> None:
        """Keep where the servers listen, and make the folder of logs and the secrets, if there are none."""
        (self.folder / "logs").mkdir(mode=0o700, exist_ok=True)
        kept = {key: value for key, value in asdict(self).items() if key != "folder"}
        write_private(self.folder / "settings.json", json.dumps(kept, indent=2))
        if not (self.folder / "secrets.json").exists():
            pair = {"access_key": 10, "secret_key": 20}
            pairs = {user: {key: secrets.token_hex(size) for key, size in pair.items()} for user in S3_USERS}
            new = {name: secrets.token_hex(20) for name in PASSWORDS} | {"s3": pairs}
            write_private(self.folder / "secrets.json", json.dumps(new, indent=2))

    @cached_property
    def secrets(self) -> dict[str, Any]:
        """The passwords by name, and under `s3` the key pair of each user."""
        return dict(json.loads((self.folder / "secrets.json").read_text()))

    @property
    def local(self) -> str:
        """The host under which this machine reaches MLflow and S3."""
        return "127.0.0.1" if self.host in ANY_HOST else self.host

    @property
    def public(self) -> str:
        """The host under which teammates reach them."""
        return self.name or (socket.gethostname() if self.host in ANY_HOST else self.host)

    def inner(self, name: str) -> int:
        """The port of an inner server."""
        return self.inner_port + INNER_PORTS.index(name)


@dataclass(frozen=True)
class Service:
    """One server of a site."""

    site: Site
    name: str
    address: str
    command: list[str]
    ports: list[tuple[str, int]]
    """Hosts and ports that must be free before it is begun."""
    answers: Callable[[], bool]
    needs: str = ""
    """What is to be installed first, in a sentence, if anything is missing."""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    """The system's user that runs it, where that is not who starts it."""
    ending: signal.Signals = signal.SIGTERM
    prepare: Callable[[], None] = lambda: None
    """Done before it is begun."""
    complete: Callable[[], None] = lambda: None
    """Done as soon as it answers; again at every start."""

    @property
    def pid_file(self) -> Path:
        """Its process id, and when that process began: an id alone is given again."""
        return self.site.folder / f"{self.name}.pid"

    def process(self) -> psutil.Process | None:
        """Return its process, if it runs."""
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            pid, began = self.pid_file.read_text().split()
            process = psutil.Process(int(pid))
            if process.status() != psutil.STATUS_ZOMBIE and str(process.create_time()) == began:
                return process
        return None

    def begin(self) -> bool:
        """Begin it, unless it runs; return whether it has been begun."""
        if self.process():
            return False
        self._end_what_is_left()
        for host, port in self.ports:
            if not is_free(host, port):
                raise Mistake(f"{self.name} needs port {port}, which another program has: choose another.")
        self.prepare()
        env = {key: os.environ[key] for key in KEPT if key in os.environ} | dict(self.env) | {MARK: self._mark}
        with (self.site.folder / "logs" / f"{self.name}.log").open("ab") as log:
            how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "umask": 0o077}
            how |= {"cwd": self.site.folder, "env": env, "start_new_session": True}
            process = subprocess.Popen(self.command, **how, **as_user(self.user))
        BEGUN.append(process)
        write_private(self.pid_file, f"{process.pid} {psutil.Process(process.pid).create_time()}")
        return True

    def wait(self, seconds: float) -> None:
        """Wait until it answers; Mistake where it does not."""
        end, beginnings = time.monotonic() + seconds, 1
        while time.monotonic() < end and beginnings <= BEGINNINGS:
            if not self.process():
                beginnings += 1
                time.sleep(1)
                self.begin()
            elif self.answers():
                return self.complete()
            time.sleep(0.2)
        raise Mistake(f"{self.name} does not answer: {self.site.folder / 'logs' / self.name}.log may say why.")

    def end(self, patience_s: float) -> None:
        """Wait until it has ended, and kill what is left when patience is at an end."""
        if process := self.process():
            psutil.wait_procs([process], patience_s)
        self._end_what_is_left()
        self.pid_file.unlink(missing_ok=True)
        BEGUN[:] = [each for each in BEGUN if each.poll() is None]

    @property
    def _mark(self) -> str:
        return f"{self.site.folder}:{self.name}"

    def _end_what_is_left(self) -> None:
        every = psutil.process_iter(["environ"])
        left = [each for each in every if (each.info["environ"] or {}).get(MARK) == self._mark]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)


def as_user(name: str | None) -> dict[str, Any]:
    """Return what makes subprocess run a program as a user; nothing for who runs this."""
    return {"user": name, "group": name, "extra_groups": []} if name else {}


def said(url: str, user: tuple[str, str] | None = None, method: str = "GET", content: object = None) -> bytes:
    """Return what a server says to a user of it; raises OSError or HTTPException."""
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    if user:
        request.add_header("Authorization", f"Basic {b64encode(':'.join(user).encode()).decode()}")
    with DIRECTLY.open(request, timeout=60) as answer:
        return bytes(answer.read())


def heard(url: str) -> bytes | None:
    """Return what a server says to anybody, None where it does not answer or is not well."""
    try:
        return said(url)
    except (OSError, HTTPException):
        return None


def is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port; Mistake where nobody here may."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise Mistake(f"Port {port} may only be used by root: choose one from 1024 on.") from None
        except OSError as error:
            if error.errno == EADDRNOTAVAIL:
                raise Mistake(f"This machine has no address {host}: --host takes one of its own, or 0.0.0.0.") from None
            return False
    return True


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_text(text)
    new.replace(file)
