"""Real servers that DVC can push to, on this machine only: OpenSSH and WebDAV (WsgiDAV); and what cuts lines to them.

Each listens on 127.0.0.1 alone, keeps all its files in the folder that it is given, and ends when the context is left,
or when the process that started it dies in whatever way. S3 is that of docs/team_server.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
PATIENCE_S = 60

WATCHED = 'exec 3<&0; (read _ <&3; kill -9 0) & exec "$@" 3<&- </dev/null'
"""Becomes the command, beside a watch that kills its process group when the pipe from the starter breaks."""


class ServerError(RuntimeError):
    """A server is not installed, or does not answer."""


class Server(NamedTuple):
    """Where a server is, and how somebody gets in: the options of the DVC remote beside its url."""

    port: int
    url: str
    settings: dict[str, str]
    files: Path


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[Server]:
    """Run sshd with internal-sftp and keys of its own, for the user that runs it."""
    sshd, port, user = installed("sshd", "the Debian package openssh-server"), free_port(), pwd.getpwuid(os.geteuid())
    (folder / "files").mkdir(parents=True)
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    content = f"""
        Port {port}
        ListenAddress {HOST}
        HostKey "{folder}/host_key"
        PidFile none
        AuthorizedKeysFile "{folder}/user_key.pub"
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin prohibit-password
        UsePAM no
        # A temporary folder that others may write to is no reason to refuse the key in it.
        StrictModes no
        Subsystem sftp internal-sftp
    """
    (folder / "sshd_config").write_text(content)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks itself in; a service would have made it
    url = f"ssh://{user.pw_name}@{HOST}:{port}{folder / 'files'}"
    with _running([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], folder, port):
        yield Server(port, url, {"keyfile": str(folder / "user_key")}, folder / "files")


@contextlib.contextmanager
def webdav_server(folder: Path) -> Iterator[Server]:
    """Run WsgiDAV on Cheroot, with a user and a password."""
    (folder / "files").mkdir(parents=True)
    port, secret = free_port(), {"user": "micromime", "password": "only-on-loopback"}
    config = {
        "server": "cheroot",
        "host": HOST,
        "port": port,
        "provider_mapping": {"/": str(folder / "files")},
        "http_authenticator": {"domain_controller": None},
        "simple_dc": {"user_mapping": {"*": {secret["user"]: {"password": secret["password"]}}}},
    }
    (folder / "wsgidav.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(folder / "wsgidav.json")]
    with _running(command, folder, port):
        yield Server(port, f"webdav://{HOST}:{port}/", secret, folder / "files")


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    """Start a server, wait until it takes connections, and kill it after; ServerError where it does not."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", WATCHED, "sh", *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                raise ServerError(f"{command[0]} does not answer: {(folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((HOST, port)) == 0


class Line:
    """A port that leads to a server until so many bytes went there; from then on it takes all, and says nothing.

    `mended` it leads there again.
    """

    def __init__(self, target: int, limit: int) -> None:
        self.target, self.left, self.dead = target, limit, threading.Event()
        self.listener = socket.create_server((HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.ends.append(near)
                if not self.dead.is_set():
                    far = socket.create_connection((HOST, self.target))
                    self.ends.append(far)
                    for way in ((near, far), (far, near)):
                        threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and not self.dead.is_set():
                self.left -= len(data) * (to.getpeername()[1] == self.target)
                if self.left < 0:
                    self.dead.set()
                else:
                    to.sendall(data)
            if not self.dead.is_set():
                to.shutdown(socket.SHUT_WR)

    def mended(self, limit: int = sys.maxsize) -> None:
        """Let through so many bytes more."""
        self.hang_up()
        self.left = limit
        self.dead.clear()

    def hang_up(self) -> None:
        """End all connections."""
        for each in self.ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self) -> None:
        """End all connections, and take no more: as if the server were gone."""
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for one
        self.listener.close()
        self.hang_up()


def installed(program: str, package: str) -> str:
    """Return the path of a program; ServerError if it is not there."""
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise ServerError(f"{program} is not installed; it comes with {package}.")
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
