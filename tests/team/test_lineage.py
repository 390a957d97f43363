"""The chain of a network, and the runs on a data version, on a small project with a real history."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from shlex import split

import pytest
from dvc.cli import main as dvc_main

from micromime.cli import main
from micromime.mistakes import Mistake
from micromime.team.contents import listing
from micromime.team.history import short, version_at
from micromime.team.lineage import lineage
from micromime.team.lineage_text import as_text, as_tree

BASE, ADAPTIVE = "data/synthetic/grain_boundaries/base", "data/synthetic/grain_boundaries/adaptive"
ARM, MIXED = "models/grain_boundaries/adaptive", "models/chip_cracks/mixed/mixed_32"


def links(report):
    """Return every link of the chains, those as above left out."""
    found, waiting = [], list(report.chains)
    while waiting:
        link = waiting.pop(0)
        found += [] if link.again else [link]
        waiting += link.made_from
    return found


def link_to(report, path):
    return next(link for link in links(report) if link.version.path == path)


@pytest.fixture
def here(made, monkeypatch):
    """The project without a store of MLflow; not to be changed."""
    monkeypatch.chdir(made.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return made


@pytest.fixture
def logged(here, filled_store, monkeypatch):
    """The same with its runs in MLflow."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{filled_store}")
    return here


@pytest.mark.usefixtures("project_copy")
@pytest.mark.parametrize("asked", [f"{ARM}/run-001", MIXED])
def test_every_command_of_a_chain_brings_back_the_very_bytes(asked):
    report = lineage(asked)
    printed = re.findall(r"(?:dvc get|git show) .*", as_text(report))
    given = {link.command: link.version for link in links(report)}
    assert sorted(printed) == sorted(given)
    for number, command in enumerate(printed):
        program, *words = split(command)
        out = Path("given", str(number))
        if program == "git":
            out.parent.mkdir(exist_ok=True)
            out.write_bytes(subprocess.run([program, *words], check=True, capture_output=True).stdout)
            assert hashlib.md5(out.read_bytes(), usedforsecurity=False).hexdigest() == given[command].digest
            continue
        assert dvc_main([*words, "--quiet", "--out", str(out)]) == 0, command
        for name, md5 in listing(given[command]).items():
            assert hashlib.md5((out / name).read_bytes(), usedforsecurity=False).hexdigest() == md5


def test_a_round_goes_back_to_the_base_it_was_made_from_and_not_to_the_newer_one(here):
    report = lineage(ARM)
    commits = {
        path: link_to(report, path).version.commit for path in (ARM, ADAPTIVE, BASE, "models/grain_boundaries/base")
    }
    first, again = here.commits["first"], here.commits["round"]
    assert commits == {ARM: again, ADAPTIVE: again, BASE: first, "models/grain_boundaries/base": first}
    assert [remark for link in links(report) for remark in link.remarks] == []


def test_an_older_round_is_found_by_its_tag(here):
    report = lineage(ARM, "v1")
    data = link_to(report, ADAPTIVE)
    assert (data.version.commit, data.facts["seed"], data.tags) == (here.commits["first"], 3, ["v1"])


@pytest.mark.usefixtures("here")
def test_the_text_says_each_thing_once():
    text = as_text(lineage(ARM))
    assert text.count("dvc get . data/synthetic/grain_boundaries/base ") == 1
    assert f"parent: {BASE}\n" in text
    assert f"made from: {BASE} (as above)\n" in text
    assert "goes on with: models/grain_boundaries/base (as above)" in text
    assert "8 samples, seed 4, scenario grain_boundaries with settings" in text
    assert "sampler worst_fraction: fraction 0.1, keep_seed false, within (white_noise (sd_grey 2))" in text
    assert all(len(line) <= 100 or "dvc get" in line for line in text.splitlines())


@pytest.mark.usefixtures("here")
def test_a_mixed_arm_goes_back_to_specimens_and_to_what_was_measured_on_them():
    report = lineage(MIXED)
    tiles, texture = "data/tiles/chip_cracks/32", "data/exemplars/chip_cracks/32"
    assert link_to(report, tiles).facts["specimens"] == ["kos01", "kos03"]
    assert [link.version.path for link in link_to(report, tiles).made_from] == ["data/photographs/chip_cracks"]
    assert {link.version.path for link in link_to(report, texture).made_from} == {"data/photographs/chip_cracks", tiles}
    assert link_to(report, "data/sources/chip_cracks.json").facts == {"kind": "real", "files": 1}
    assert "32 real tiles of 2 specimens: kos01, kos03" in as_text(report)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("asked", [f"{ARM}/run-001/weights.safetensors", f"{ARM}/run-001/", f"./{ARM}/run-001"])
def test_a_run_has_its_weights_and_goes_on_with_the_run_of_the_same_seed(asked):
    (weights,) = lineage(asked).chains
    content = Path(ARM, "run-001/weights.safetensors").read_bytes()
    assert weights.facts["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert weights.made_from[-1].version.path == "models/grain_boundaries/base/run-001/weights.safetensors"


@pytest.mark.usefixtures("here")
def test_a_run_of_which_only_the_record_was_kept_says_so():
    (record,) = lineage(f"{ARM}/run-002").chains
    assert (record.version.path, record.facts["kept"]) == (f"{ARM}/run-002", False)
    assert "not kept: its record is" in as_text(lineage(f"{ARM}/run-002"))


@pytest.mark.usefixtures("here")
def test_without_a_store_the_chain_stands_and_one_line_says_why():
    text = as_text(lineage(ARM))
    assert text.count("! MLflow's runs are left out: There is no MLflow store at") == 1
    assert ", MLflow " not in text
    assert not Path("mlflow.db").exists()


@pytest.mark.usefixtures("here")
def test_a_server_that_is_down_is_asked_once(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    report = lineage(ARM)
    assert len(links(report)) == 6
    (remark,) = report.remarks
    assert "MLflow's store at http://127.0.0.1:9 failed to find runs" in remark


@pytest.mark.usefixtures("logged")
def test_json_says_the_same_and_names_mlflows_runs(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["micromime", "lineage", ARM, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(as_tree(lineage(ARM))))
    (arm,) = said["chains"]
    assert [len(each["mlflow_runs"]) for each in arm["facts"]["runs"]] == [1, 1]
    assert len(arm["facts"]["mlflow_arms"]) == 1
    assert arm["made_from"][0]["made_from"][0]["path"] == BASE


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("seed", ["", "1"])
def test_a_run_in_mlflow_leads_to_its_networks(seed):
    (row,) = [row for row in lineage(ADAPTIVE, "v1").runs if row["seed"] == seed]
    report = lineage(row["mlflow_run"])
    old = version_at(ARM, "v1").commit
    path = f"{ARM}/run-001/weights.safetensors" if seed else ARM
    assert (report.chains[0].version.path, report.chains[0].version.commit) == (path, old)
    assert report.found == {"mlflow_run": row["mlflow_run"], "status": "FINISHED", "commit": ""}


def test_a_registered_network_leads_to_its_run_and_its_weights_are_compared(logged):
    for address in ("models:/micromime-grain_boundaries-tiny@base", "models:/micromime-grain_boundaries-tiny/1"):
        report = lineage(address)
        assert report.chains[0].version.path == "models/grain_boundaries/base/run-001/weights.safetensors"
        assert report.chains[0].version.commit == logged.commits["first"]
        assert report.found["weights"] == "those below"


@pytest.mark.usefixtures("project_with_runs")
def test_registered_weights_that_are_other_ones_are_told():
    from micromime.tracking.store import store_client

    address = ("micromime-grain_boundaries-tiny", "1")
    store_client().set_model_version_tag(*address, "micromime.weights_sha256", "0" * 64)
    assert lineage("models:/micromime-grain_boundaries-tiny@base").found["weights"].startswith("other than those below")


def test_a_run_whose_arm_no_commit_has_still_leads_to_its_data(project_with_runs):
    subprocess.run(["git", "checkout", "--quiet", "--force", "-B", "main", "v1"], check=True)
    subprocess.run(["git", "tag", "--delete", "v2"], check=True, capture_output=True)
    from micromime.tracking.store import store_client

    client = store_client()
    run = next(
        each for each in client.search_runs(["1"], "tags.`micromime.level` = 'arm'") if "e" * 32 in str(each.data.tags)
    )
    client.set_tag(run.info.run_id, "micromime.data.adaptive", version_at(ADAPTIVE).digest)
    report = lineage(run.info.run_id)
    assert "no dvc.lock here has an arm with its fingerprint" in report.remarks[0]
    assert report.chains[0].version[:1] + report.chains[0].version[3:] == (ADAPTIVE, project_with_runs.commits["first"])


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("by_hash", [False, True])
def test_a_data_version_has_its_runs_and_what_was_made_from_it(by_hash):
    digest = version_at(ADAPTIVE).digest
    report = lineage(digest.removesuffix(".dir") if by_hash else ADAPTIVE)
    assert [(row["arm"], row["seed"], row["for"]) for row in report.runs] == [
        ("adaptive", seed, "training") for seed in ("", "1", "2")
    ]
    assert {row["fingerprint"] for row in report.runs} == {"e" * 32}
    assert [row["judged"]["surrogate.mean_iou"] for row in report.runs] == [0.515, 0.51, 0.52]
    assert [each.path for each in report.derived] == [ARM]
    assert re.search(r"seed 1: [0-9a-f]{32}, surrogate\.mean_iou 0\.51\n", as_text(report))


@pytest.mark.usefixtures("logged")
def test_runs_on_one_set_of_several_in_a_folder_are_told_from_those_on_its_neighbour():
    assert {row["arm"] for row in lineage("data/synthetic/chip_cracks/32").runs} == {"synthetic_32"}
    assert lineage("data/synthetic/chip_cracks/all").runs == []
    assert {row["path"] for row in lineage("data/synthetic/chip_cracks").runs} == {"data/synthetic/chip_cracks/32"}


@pytest.mark.usefixtures("logged")
def test_runs_on_a_hash_that_no_commit_knows_are_found():
    report = lineage("0" * 32)  # the test set, which only MLflow knows
    assert len(report.runs) == 18
    assert "in no commit: dvc.lock was never committed with it" in as_text(report)


def test_a_parent_is_found_in_history_where_the_commit_has_another_version_of_it(project_copy):
    from dvc.repo import Repo

    file = Path(ADAPTIVE, "dataset.json")
    file.write_text(file.read_text().replace('"seed": 4', '"seed": 5'))  # made now, from the base of before
    with Repo() as repo:
        repo.commit("resample", force=True)
    parent = link_to(lineage(ADAPTIVE), BASE)
    assert version_at(BASE).commit == project_copy.commits["base"]
    assert (parent.version.commit, parent.remarks) == (project_copy.commits["first"], [])


@pytest.mark.usefixtures("project_copy")
def test_a_parent_that_no_commit_has_is_said():
    file = Path(ADAPTIVE, "dataset.json")
    file.write_text(
        file.read_text().replace(version_parent := json.loads(file.read_text())["parent"]["sha256"], "9" * 64)
    )
    from dvc.repo import Repo

    with Repo() as repo:
        repo.commit("resample", force=True)
    report = lineage(ADAPTIVE)
    (remark,) = link_to(report, BASE).remarks
    assert "not 999999999999... as named above; no commit has that one" in remark
    assert "not committed yet: commit dvc.lock" in as_text(report)
    assert version_parent not in remark


@pytest.mark.usefixtures("project_copy")
def test_what_cannot_be_read_goes_by_dvc_lock_alone():
    shutil.rmtree(".dvc/cache")
    report = lineage(ARM, "v1")
    assert "neither here nor in DVC's cache or remote" in report.chains[0].remarks[0]
    assert {link.version.path for link in links(report)} >= {ARM, ADAPTIVE, BASE}


def test_without_git_the_chain_has_hashes_alone(project_copy, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project_copy.folder.parent))
    shutil.rmtree(".git")
    text = as_text(lineage(ARM))
    assert "without a revision: this is no git repository" in text
    assert "dvc get" not in text


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([""], "Nothing is named; give a path such as models/"),
        (["nowhere"], "nowhere is nothing that DVC keeps here; give a path such as models/"),
        (["params.yaml"], "params.yaml is nothing that DVC keeps here"),
        (["models/chip_cracks/mixed"], "holds several arms; name one of them: mixed_32"),
        (["models"], "name one of them: chip_cracks/mixed/mixed_32"),
        ([f"{ARM}/run-009"], "run-009 is nothing that DVC keeps here"),
        ([ARM, "--rev", "nope"], "--rev nope: git knows no such commit, branch or tag"),
        (["models:/nope"], "write models:/NAME@ALIAS or models:/NAME/VERSION"),
        (["models:/nope@x"], "There is no MLflow store"),
        (["1" * 32], "neither a hash in dvc.lock or any commit of it, nor a run in MLflow (There is no MLflow store"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_is_none_of_all_that_is_one_sentence(words, said, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["micromime", "lineage", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


@pytest.mark.usefixtures("logged")
def test_a_model_that_is_not_registered_is_a_mistake():
    with pytest.raises(Mistake, match=r"has no models:/nope@x; its models are: micromime-grain_boundaries-tiny"):
        lineage("models:/nope@x")


def test_the_commit_is_as_short_as_git_has_it(here):
    assert short(here.commits["first"]) == here.commits["first"][:7]
