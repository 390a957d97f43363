"""MLflow's tracking server with users and passwords."""

import importlib.util
import sys

from team_server.postgresql import database_uri
from team_server.service import Service, is_well
from team_server.site import Site, write_private

MLFLOW_WORKERS = 2

AUTH = """[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = admin
auth_cache_ttl_seconds = 60
"""
"""EDIT: everybody reads and logs everywhere; only who made an experiment or a model, or the admin, deletes in it.
The cache spares most requests the slow check of a password; that long an old password may still work."""

PRIVATE_HOSTS = ["localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "10.*", "192.168.*"]
PRIVATE_HOSTS += [f"172.{n}.*" for n in range(16, 32)]


def mlflow(site: Site) -> Service:
    """Return the tracking server, which alone has the keys to its database and its bucket."""
    hosts = sorted({site.public, site.host})
    origins = [f"http://{host}:{site.port}" for host in hosts] + [f"https://{site.public}"]
    options = {
        "app-name": "basic-auth",
        "workers": MLFLOW_WORKERS,
        "host": site.host,
        "port": site.port,
        "artifacts-destination": "s3://mlflow",
        # The page is served to, and its requests taken from, no other names: MLflow's guard against foreign pages.
        "allowed-hosts": ",".join([*PRIVATE_HOSTS, *hosts, *(f"{host}:*" for host in hosts)]),
        "cors-allowed-origins": ",".join(origins),
    }
    return Service(
        site,
        "mlflow",
        f"http://{site.public}:{site.port}",
        [sys.executable, "-m", "mlflow", "server", *(f"--{name}={value}" for name, value in options.items())],
        [(site.host, site.port)],
        answers=lambda: is_well(f"http://{site.local}:{site.port}/health"),
        obstacle=_obstacle(),
        env=_environment(site),
        prepare=lambda: write_private(
            site.folder / "auth.ini", AUTH.format(database=database_uri(site, "mlflow_auth"))
        ),
    )


def _obstacle() -> str:
    needed = {"boto3": "boto3", "psycopg2": "psycopg2-binary", "flask_wtf": "Flask-WTF", "mlflow": "mlflow"}
    missing = [package for module, package in needed.items() if not importlib.util.find_spec(module)]
    return f"The tracking server needs more packages: `pip install {' '.join(missing)}`." if missing else ""


def _write_auth(site: Site) -> None:
    write_private(site.folder / "auth.ini", AUTH.format(database=database_uri(site, "mlflow_auth")))


def _environment(site: Site) -> dict[str, str]:
    pair = site.secrets["s3"]["mlflow"]
    return {
        "MLFLOW_BACKEND_STORE_URI": database_uri(site, "mlflow"),
        "MLFLOW_AUTH_CONFIG_PATH": str(site.folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": site.secrets["mlflow_admin"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": site.secrets["flask_secret_key"],
        "MLFLOW_S3_ENDPOINT_URL": f"http://{site.local}:{site.s3_port}",
        "AWS_ACCESS_KEY_ID": pair["access_key"],
        "AWS_SECRET_ACCESS_KEY": pair["secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
