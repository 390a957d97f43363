"""One server process: how it is begun, found again from another shell, and ended.

It gets a session of its own and a pid file. What it leaves behind when it is killed (workers that hold a port) bears
its mark in the environment, and is ended before it is begun again.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil

from team_server.site import Mistake, Site, is_free, write_private

KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH")
"""Environment that a server inherits: an admin's own AWS_*, MLFLOW_* and proxies are none of its business."""

MARK = "MICROMIME_TEAM_SERVER"

BEGINNINGS = 5
"""How often a server is begun that ends at once: after a `kill -9` the rest of it may need a moment to go."""

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

BEGUN: list[subprocess.Popen[bytes]] = []
"""Servers begun by this process: a Popen that is forgotten while its process runs makes Python warn."""


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
        try:
            pid, began = self.pid_file.read_text().split()
            process = psutil.Process(int(pid))
            alive = process.status() != psutil.STATUS_ZOMBIE and str(process.create_time()) == began
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process if alive else None

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
            process = subprocess.Popen(
                self.command,
                cwd=self.site.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                **as_user(self.user),
            )
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


def is_well(url: str) -> bool:
    """Return whether a server says that it is well."""
    try:
        said(url)
    except (OSError, HTTPException):
        return False
    return True
