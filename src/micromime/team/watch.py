"""Watch whether a remote answers, from a process of its own: what hangs there hangs nobody else."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import dvc_settings

PATIENCE_S = 35.0
"""A remote that has not answered for so long is dead: with all that is around it, a person waits less than a minute."""

EVERY_S = 5.0

REFUSALS = ("PermissionError", "PermissionDenied", "AccessDenied", "Forbidden", "Credentials", "401", "403")
"""What is in the messages of servers that answer, but let nobody in."""


class Watch:
    """A process that asks a remote every few seconds whether it is there, by DVC's own means."""

    def __init__(self, name: str, writing: bool = False) -> None:
        """Watch the remote of this name; before that, write something there where that is asked for."""
        self.name = name
        self._command = [sys.executable, "-m", "micromime.team.probe", name, *(["--write"] if writing else [])]

    def __enter__(self) -> Self:
        """Begin to watch."""
        none = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdin=none, stdout=subprocess.PIPE, stderr=none, text=True)
        self._heard = threading.Event()
        self._alive_s = time.monotonic()
        self.said = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Watch no longer."""
        self._process.kill()
        self._process.wait()
        self._listener.join()

    @property
    def silent_s(self) -> float:
        """Seconds since the remote was alive, or since the watch began."""
        return time.monotonic() - self._alive_s

    def expect_life(self) -> None:
        """Wait for the first answer; Mistake where that is a failure, or where none comes."""
        self._heard.wait(PATIENCE_S)
        if self.said or not self._heard.is_set():
            raise Mistake(f"{self.dead()}; {self._advice()}.")

    def dead(self) -> str:
        """Say that the remote does not answer, and what it said last."""
        why = self.said or f"nothing came for {PATIENCE_S:g} s"
        return f"The remote {self.name!r} at {address(self.name)} does not answer as it should ({why})"

    def guard(self, running: "subprocess.Popen[bytes]", busy: Callable[[], bool] = lambda: False) -> bool:
        """Wait for a process; end it and return False where the remote is dead, and the process not `busy` either."""
        well_s = time.monotonic()
        while running.poll() is None:
            if self.silent_s < 2 * EVERY_S or busy():
                well_s = time.monotonic()
            if time.monotonic() - well_s > PATIENCE_S:
                end_all(running.pid)
                running.wait()
                return False
            time.sleep(0.1)
        return True

    def _advice(self) -> str:
        if any(word in self.said for word in REFUSALS):
            return "say how you get in by `micromime remote login`, with the keys or password its admin gave you"
        return "see that its server runs and can be reached from here, then do this again"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.said = "" if line == "alive\n" else line.strip()
                if not self.said:
                    self._alive_s = time.monotonic()
                self._heard.set()
        self._heard.set()


def address(name: str) -> str:
    """Return where a remote is, without user or password."""
    url = str(dvc_settings(Path())["remote"][name]["url"])
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else url


def end_all(pid: int) -> None:
    """End a process and all that it has started, as Ctrl-C does; those that do not go within seconds are killed."""
    try:
        process = psutil.Process(pid)
        all_of_it = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for each in all_of_it:
        each.send_signal(signal.SIGINT)  # so DVC gives back its locks
    for each in psutil.wait_procs(all_of_it, timeout=5)[1]:
        each.kill()
