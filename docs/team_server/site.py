"""A site: the folder with the servers of one team, where they listen, and their secrets."""

import json
import secrets
import socket
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ANY_HOST = ("0.0.0.0", "::", "")

INNER_PORTS = ("postgresql", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3.grpc")
"""What listens on the inner ports, in this order."""

PASSWORDS = ("mlflow_admin", "flask_secret_key", "postgresql", "database", "weed_volume", "weed_filer")

S3_USERS = ("admin", "mlflow", "dvc")
"""`admin` makes the buckets; each of the others may use the bucket of its name, and nothing else."""


class Mistake(Exception):
    """Something that the user can put right, said in one sentence."""


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
        """Keep where the servers listen, and make the folder and the secrets, if there are none."""
        (self.folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
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


def is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port; Mistake where nobody here may."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise Mistake(f"Port {port} may only be used by root: choose one from 1024 on.") from None
        except OSError as error:
            if error.errno == 99:  # no such address here
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
