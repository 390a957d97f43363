"""PostgreSQL with MLflow's two databases, in a site's folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from team_server.service import Service, as_user
from team_server.site import Mistake, Site

DEBIAN = Path("/usr/lib/postgresql")


def postgresql(site: Site) -> Service:
    """Return the server of the databases `mlflow` and `mlflow_auth`; it uses no socket but that of its port."""
    port = site.inner("postgresql")
    return Service(
        site,
        "postgresql",
        f"127.0.0.1:{port}",
        [_program(site, "postgres"), f"-D{_cluster(site)}", f"-p{port}", "-h127.0.0.1", "--unix_socket_directories="],
        [("127.0.0.1", port)],
        answers=lambda: _answers(site),
        obstacle=_obstacle(site),
        user=_user(),
        ending=signal.SIGINT,  # ends what clients still do; SIGTERM would wait for them
        prepare=lambda: _make_cluster(site),
        complete=lambda: _make_databases(site),
    )


def database_uri(site: Site, name: str) -> str:
    """Return the address of a database for MLflow: its plain form would ask for psycopg 3."""
    password, port = site.secrets["database"], site.inner("postgresql")
    return f"postgresql+psycopg2://mlflow:{password}@127.0.0.1:{port}/{name}"


def _program(site: Site, name: str) -> str:
    """Return a program of the PostgreSQL that made the site's data; at first of that on the path, or the newest."""
    version = _cluster(site) / "PG_VERSION"
    if version.is_file() and (same := DEBIAN / version.read_text().strip() / "bin" / name).exists():
        return str(same)
    newest = max(DEBIAN.glob(f"*/bin/{name}"), key=lambda file: float(file.parts[-3]), default=name)
    return shutil.which(name) or str(newest)


def _obstacle(site: Site) -> str:
    return "" if shutil.which(_program(site, "initdb")) else "PostgreSQL is not installed: install Debian's postgresql."


def _user() -> str | None:
    """PostgreSQL refuses to be run by root."""
    return "postgres" if os.getuid() == 0 else None


def _cluster(site: Site) -> Path:
    return site.folder / "postgresql"


def _make_cluster(site: Site) -> None:
    """Make PostgreSQL's data folder, if there is none; a half-made one of an interrupted start is thrown away."""
    user, cluster = _user(), _cluster(site)
    if user:
        _let_in(site.folder, user)
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
        command = [_program(site, "initdb"), "-D", str(new), "-U", "postgres", "--pwfile", password.name]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        ended = subprocess.run(command, cwd=site.folder, capture_output=True, text=True, check=False, **as_user(user))
    if ended.returncode:
        raise Mistake(f"PostgreSQL's initdb failed: {ended.stderr.strip()}")
    new.rename(cluster)


def _let_in(folder: Path, user: str) -> None:
    """Let PostgreSQL's user through the folder, which it cannot list, to its own."""
    os.chown(folder, -1, pwd.getpwnam(user).pw_gid)
    folder.chmod(0o710)
    if subprocess.run(["test", "-x", str(folder)], check=False, **as_user(user)).returncode:
        raise Mistake(f"The user {user} cannot get into {folder}: choose a folder below one that is open to all.")


def _connection(site: Site) -> Any:
    import psycopg2

    port, password = site.inner("postgresql"), site.secrets["postgresql"]
    server = {"host": "127.0.0.1", "port": port, "connect_timeout": 5}
    return psycopg2.connect(**server, user="postgres", password=password, dbname="postgres")


def _answers(site: Site) -> bool:
    import psycopg2

    try:
        _connection(site).close()
    except psycopg2.OperationalError:
        return False
    return True


def _make_databases(site: Site) -> None:
    """Make MLflow's user, which has no rights but in its own two databases, and these."""
    from psycopg2.extensions import encrypt_password

    with closing(_connection(site)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mlflow'")
            if not cursor.fetchone():
                hashed = encrypt_password(site.secrets["database"], "mlflow", connection, "scram-sha-256")
                cursor.execute("CREATE ROLE mlflow LOGIN PASSWORD %s", (hashed,))
            for name in ("mlflow", "mlflow_auth"):
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if not cursor.fetchone():
                    cursor.execute(f"CREATE DATABASE {name} OWNER mlflow")
