"""Where a remote is stands in git, how a person gets in does not; what is wrong is said before anything is written."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from micromime.mistakes import Mistake
from micromime.team.remote import PASSWORD, Login, add_remote, brought, default_remote, log_in, transfer

CONFIG, LOCAL = Path(".dvc/config"), Path(".dvc/config.local")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in (PASSWORD, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    Repo.init(no_scm=True).close()
    return tmp_path


def unchecked(url: str, endpoint: str = "", **login) -> None:
    add_remote(url, "team", endpoint, Login(**login), check=False)


def test_a_folder_is_tried_and_written_down_whole(project):
    add_remote("shared", "team", "", Login())
    assert default_remote() == "team"
    assert f"url = {project}/shared" in CONFIG.read_text()
    assert not [file for file in (project / "shared").rglob("*") if file.is_file()]


def test_a_folder_that_cannot_be_written_to_changes_nothing(project):
    (project / "file").write_text("no folder")
    before = CONFIG.read_bytes()
    with pytest.raises(Mistake, match=r"'team' at .*/file does not answer as it should \(\w+Error"):
        add_remote("file", "team", "", Login())
    assert CONFIG.read_bytes() == before
    assert not LOCAL.exists()


def test_a_folder_that_is_gone_is_told_and_a_run_goes_on_without_it(project, capfd):
    add_remote("shared", "team", "", Login())
    (project / "shared" / "files" / "md5").rmdir()
    (project / "shared" / "files").rmdir()
    (project / "shared").rmdir()
    with pytest.raises(Mistake, match=r"'team' at .*/shared does not answer as it should \(.*/shared is not there\)"):
        transfer("push")
    assert not brought()
    assert "What it holds is computed here." in capfd.readouterr().err


def test_a_kind_of_remote_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("micromime.team.remote.find_spec", lambda _: None)
    with pytest.raises(Mistake, match=r"^dvc-webdav is not installed; pip install 'micromime\[remotes\]' brings it\.$"):
        add_remote("webdavs://lab/data", "team", "", Login())
    assert default_remote() == ""


@pytest.mark.parametrize("scheme", ["s3", "ssh", "webdavs"])
def test_no_request_is_waited_for_as_long_as_dvc_would(scheme):
    unchecked(f"{scheme}://lab/data")
    assert "timeout = 20" in CONFIG.read_text()


@pytest.mark.parametrize("url", ["webdavs://ann:s%40cret@lab:8443/data", "ssh://ann:s%40cret@lab:2222/data"])
def test_what_an_address_says_of_a_person_is_kept_apart(url):
    unchecked(url)
    assert "ann" not in CONFIG.read_text()
    assert "lab:" in CONFIG.read_text()
    assert "user = ann" in LOCAL.read_text()
    assert "password = s@cret" in LOCAL.read_text()
    assert LOCAL.stat().st_mode & 0o077 == 0


def test_keys_are_saved_only_when_that_is_asked_for(monkeypatch):
    with pytest.raises(Mistake, match="AWS_ACCESS_KEY_ID is not set"):
        unchecked("s3://lab/data", save_keys=True)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    unchecked("s3://lab/data", "http://lab:8333")
    assert "secret" not in CONFIG.read_text() + LOCAL.read_text()
    unchecked("s3://lab/data", "http://lab:8333", save_keys=True)
    assert "secret" not in CONFIG.read_text()
    assert "secret_access_key = secret" in LOCAL.read_text()


def test_a_password_comes_from_the_environment_where_nobody_can_be_asked(monkeypatch):
    with pytest.raises(Mistake, match=f"set {PASSWORD}"):
        unchecked("webdav://lab/data", user="ann")
    monkeypatch.setenv(PASSWORD, "secret")
    unchecked("webdav://lab/data", user="ann")
    assert "password = secret" in LOCAL.read_text()


def test_a_key_is_a_file_of_one_person(project):
    with pytest.raises(Mistake, match=r"key is no file; --keyfile is the private key"):
        unchecked("ssh://lab/data", keyfile=project / "key")
    (project / "key").touch()
    unchecked("ssh://lab/data", keyfile=Path("key"))
    assert f"keyfile = {project}/key" in LOCAL.read_text()
    assert "key" not in CONFIG.read_text()


@pytest.mark.parametrize(
    ("url", "endpoint", "said"),
    [
        ("gopher://lab/data", "", "is no folder, ssh://, s3://"),
        ("s3:///data", "", "names no host or bucket; write it as s3://host-or-bucket/folder"),
        ("nowhere/shared", "", "nowhere is not there; mount or make it first"),
        ("ssh://lab/data", "http://lab:1", "--endpoint is for S3-compatible servers, and ssh://lab/data is none"),
        ("ssh://lab/other", "", "'team' is ssh://lab/data already; give the new one another --name"),
    ],
)
def test_addresses_that_are_none(url, endpoint, said):
    unchecked("ssh://lab/data")
    with pytest.raises(Mistake, match=said):
        unchecked(url, endpoint)


@pytest.mark.parametrize("do", [lambda: log_in(Login(user="ann")), lambda: transfer("push")])
def test_without_a_remote_there_is_nothing_to_push_to(do):
    with pytest.raises(Mistake, match="no shared storage yet; add it with `micromime remote add URL`"):
        do()
    assert not brought()
