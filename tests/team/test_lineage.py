"""What a version was made from and what was made of it, on a small project with a real history; asserted as JSON."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from shlex import split

import pytest
from dvc.cli import main as dvc_main
from team.conftest import ADAPTIVE, ARM, BASE, BASE_ARM, MIXED, PHOTOGRAPHS, POOLS, SCORES, SCORING, SOURCE, TILES, git

from micromime.cli import main
from micromime.mistakes import Mistake
from micromime.project.versions import lock_at
from micromime.team.history import Version, command_for, names_in, read_json, tags_of, version_at, version_of
from micromime.team.lineage import as_text, lineage

TEXTURE, OF_32 = "data/exemplars/chip_cracks/32", f"{MIXED}/mixed_32"


def links(link):
    """Every link of a chain, path by path, those that stand further up left out."""
    own = {} if "as_above" in link else {link["path"]: link}
    return {path: each for part in link.get("made_from", []) for path, each in links(part).items()} | own


def chain(asked, revision=""):
    (found,) = lineage(asked, revision)["chains"]
    return links(found)


def test_a_round_goes_back_to_the_base_it_was_made_from_and_not_to_the_newer_one(here):
    found = chain(ARM)
    first, again = here.commits["first"], here.commits["round"]
    old = dict.fromkeys((BASE, BASE_ARM, SCORES, SCORING), first)
    assert {path: each["commit"] for path, each in found.items()} == {ARM: again, ADAPTIVE: again, **old}
    assert [each["facts"]["seed"] for each in (found[ADAPTIVE], found[BASE])] == [4, 0]
    assert [each["role"] for each in found[ARM]["made_from"]] == ["data", "goes on with"]
    assert [each["role"] for each in found[ADAPTIVE]["made_from"]] == ["parent", "scores"]
    assert [remark for each in found.values() for remark in each["remarks"]] == []
    assert version_at(BASE).commit == here.commits["base"]


def test_an_older_round_is_found_by_its_tag(here):
    data = chain(ARM, "v1")[ADAPTIVE]
    assert (data["commit"], data["facts"]["seed"], data["git_tags"]) == (here.commits["first"], 3, ["v1"])
    assert tags_of(version_at(BASE, "v1")) == ["v1", "v2"]


@pytest.mark.usefixtures("here")
def test_a_mixed_arm_goes_back_to_specimens_and_to_what_was_measured_on_them():
    found = chain(OF_32)
    assert found[f"{TILES}/32"]["facts"]["specimens"] == ["kos01", "kos03"]
    assert [each["path"] for each in found[f"{TILES}/32"]["made_from"]] == [PHOTOGRAPHS]
    assert [each["path"] for each in found[f"{POOLS}/32"]["made_from"]] == [TEXTURE]
    assert {each["path"] for each in found[TEXTURE]["made_from"]} == {PHOTOGRAPHS, f"{TILES}/32"}
    assert found[SOURCE]["facts"] == {"kind": "real", "files": 1}


@pytest.mark.parametrize("place", ["project_copy", "project_in_a_part"])
@pytest.mark.parametrize("asked", [f"{ARM}/run-001", OF_32])
def test_every_command_of_a_chain_brings_back_the_very_bytes(request, place, asked):
    """Wherever the project lies in its repository."""
    request.getfixturevalue(place)
    for number, link in enumerate(chain(asked).values()):
        program, *words = split(link["command"])
        out = Path("given", str(number))
        if program == "git":
            found = subprocess.run([program, *words], check=True, capture_output=True).stdout
            assert found == Path(link["path"]).read_bytes()
            continue
        assert dvc_main([*words, "--quiet", "--out", str(out)]) == 0
        if link["hash"].endswith(".dir") and link["path"] == link["kept_as"]:
            assert listing_md5(out) == link["hash"]
        elif link["kind"] == "run":
            assert hashlib.md5(out.read_bytes(), usedforsecurity=False).hexdigest() == link["facts"]["md5"]


def listing_md5(folder):
    """DVC's hash of a folder: that of its list of files as JSON, by their names."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    md5 = {name: hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() for name in files}
    listed = json.dumps([{"md5": md5[name], "relpath": name} for name in files])
    return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("asked", [f"{ARM}/run-001/weights.safetensors", f"./{ARM}/run-001/"])
def test_a_run_has_its_weights_and_goes_on_with_the_run_of_the_same_seed(asked):
    found = chain(asked)
    weights = Path(ARM, "run-001/weights.safetensors")
    assert found[str(weights)]["facts"]["md5"] == hashlib.md5(weights.read_bytes(), usedforsecurity=False).hexdigest()
    assert found[f"{BASE_ARM}/run-001/weights.safetensors"]["role"] == "goes on with"
    assert chain(f"{ARM}/run-002")[f"{ARM}/run-002"]["facts"]["kept"] is False


@pytest.mark.usefixtures("here")
def test_the_text_says_each_thing_once_and_why_mlflow_is_left_out(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    text = as_text(lineage(ARM))
    assert text.count(f"dvc get . {BASE} ") == 1
    assert f"parent: {BASE}\n" in text
    assert f"made from: {BASE} (as above)\n" in text
    assert "sampler (worst_fraction (fraction 0.1, keep_seed false, within (white_noise (sd_grey 2))))" in " ".join(
        text.replace("│", "").split()
    )
    assert all(len(line) <= 100 or "dvc get" in line for line in text.splitlines())
    assert text.count("! MLflow's runs are left out: MLflow's store at http://127.0.0.1:9 failed to find runs") == 1


@pytest.mark.usefixtures("logged")
def test_the_command_prints_json_with_mlflows_runs(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["micromime", "lineage", ARM, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = json.loads(capsys.readouterr().out)
    assert said == lineage(ARM)
    assert [len(each["mlflow_runs"]) for each in said["chains"][0]["facts"]["runs"]] == [1, 1]
    assert len(said["chains"][0]["facts"]["mlflow_arms"]) == 1


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("by_hash", [False, True])
def test_a_data_version_has_its_runs_and_what_was_made_from_it(by_hash):
    said = lineage(version_at(ADAPTIVE).digest.removesuffix(".dir") if by_hash else ADAPTIVE)
    runs = [(row["arm"], row["seed"], row["for"], row["fingerprint"]) for row in said["runs"]]
    assert runs == [("adaptive", seed, "training", "e" * 32) for seed in ("", "1", "2")]
    on = {"test_set": "surrogate, not real"}
    assert [row["judged"] for row in said["runs"]] == [on | {"mean_iou": score} for score in (0.5, 0.51, 0.52)]
    assert [each["path"] for each in said["made_from_it"]] == [ARM]
    assert "judged (test_set surrogate, not real, mean_iou 0.51)" in " ".join(as_text(said).split())


@pytest.mark.usefixtures("logged")
def test_what_was_made_from_an_older_version_is_found_in_every_commit(here):
    made = {(each["path"], each["commit"]) for each in lineage(BASE, "v1")["made_from_it"]}
    first, again = here.commits["first"], here.commits["round"]
    later = {(path, commit) for path in (ADAPTIVE, ARM) for commit in (first, again)}
    assert made == later | {(BASE_ARM, first), (SCORES, first)}


@pytest.mark.usefixtures("logged")
def test_runs_on_one_set_of_several_in_a_folder_are_told_from_those_on_its_neighbour():
    assert {row["arm"] for row in lineage(f"{POOLS}/32")["runs"]} == {"synthetic_32"}
    assert lineage(f"{POOLS}/all")["runs"] == []
    assert {row["path"] for row in lineage(POOLS)["runs"]} == {f"{POOLS}/32"}


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("seed", ["", "1"])
def test_a_run_in_mlflow_leads_to_its_networks(seed):
    (row,) = [row for row in lineage(ADAPTIVE, "v1")["runs"] if row["seed"] == seed]
    said = lineage(row["mlflow_run"])
    path = f"{ARM}/run-001/weights.safetensors" if seed else ARM
    assert (said["chains"][0]["path"], said["chains"][0]["commit"]) == (path, version_at(ARM, "v1").commit)
    assert said["found"] == {"mlflow_run": row["mlflow_run"], "status": "FINISHED", "commit": ""}


def test_a_registered_network_leads_to_its_run(logged):
    for address in ("models:/grains-tiny@base", "models:/grains-tiny/1"):
        said = lineage(address)
        assert said["chains"][0]["path"] == f"{BASE_ARM}/run-001/weights.safetensors"
        assert said["chains"][0]["commit"] == logged.commits["first"]
        assert (said["found"]["version"], said["found"]["aliases"]) == ("1", ["base"])
    with pytest.raises(Mistake, match=r"has no models:/nope@x; its models are: grains-tiny"):
        lineage("models:/nope@x")


@pytest.mark.usefixtures("project_with_runs")
def test_a_run_whose_arm_no_commit_has_names_its_data():
    (row,) = [row for row in lineage(ADAPTIVE)["runs"] if not row["seed"]]
    digest = version_at(ADAPTIVE).digest
    git("checkout", "--quiet", "--force", "-B", "main", "v1")
    with pytest.raises(Mistake, match=f"No dvc.lock up to HEAD has the networks of this run.*: {digest}"):
        lineage(row["mlflow_run"])


@pytest.mark.usefixtures("project_copy")
def test_what_is_checked_out_does_not_change_what_a_version_says():
    Path(ADAPTIVE, "dataset.json").write_text('{"seed": 77}')
    assert read_json(version_at(ADAPTIVE), "dataset.json")["seed"] == 4
    assert read_json(version_at(ADAPTIVE), "no.json") == {}


@pytest.mark.usefixtures("project_copy")
def test_what_is_not_committed_goes_back_to_what_is():
    from dvc.repo import Repo

    file = Path(ADAPTIVE, "dataset.json")
    file.write_text(file.read_text().replace('"seed": 4', '"seed": 5'))
    with Repo() as repo:
        repo.commit("resample", force=True)
    found = chain(ADAPTIVE)
    assert (found[ADAPTIVE]["commit"], found[ADAPTIVE]["command"], found[ADAPTIVE]["facts"]["seed"]) == ("", "", 5)
    assert found[BASE]["commit"] == version_at(BASE, "v1").commit


def test_files_that_only_the_remote_has_are_read_from_there(project_copy, tmp_path):
    """Also those of commits in which there was no such remote."""
    Path(".dvc/config").write_text(f"[core]\n    remote = team\n['remote \"team\"']\n    url = {tmp_path / 'remote'}\n")
    shutil.move(".dvc/cache", tmp_path / "remote")
    for folder in ("data/synthetic", "models"):
        shutil.rmtree(folder)
    old = version_at(ADAPTIVE, project_copy.commits["first"])
    assert command_for(old).endswith(" --remote team")
    assert read_json(old, "dataset.json")["seed"] == 3
    assert names_in(old) == {"dataset.json", "shard-00000/images.npy"}


@pytest.mark.usefixtures("project_copy")
def test_what_cannot_be_read_goes_by_dvc_lock_alone():
    shutil.rmtree(".dvc/cache")
    found = chain(ARM, "v1")
    assert "neither here nor in DVC's cache or remote" in found[ARM]["remarks"][0]
    assert {ARM, ADAPTIVE, BASE} <= found.keys()


@pytest.mark.usefixtures("project_copy")
def test_without_git_there_are_hashes_and_no_commits(monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path().absolute().parent))
    shutil.rmtree(".git")
    found = chain(ARM)
    assert {ARM, ADAPTIVE, BASE_ARM} <= found.keys()
    assert {(each["commit"], each["command"]) for each in found.values()} == {("", "")}


@pytest.mark.usefixtures("here")
def test_a_hash_that_stands_there_for_another_path_is_not_taken():
    assert version_of(ADAPTIVE, version_at(BASE).digest).commit == ""
    assert command_for(Version(BASE, BASE, "0" * 32, "")) == ""
    assert command_for(version_at(BASE)._replace(path=f"{BASE}/a b")).count(f"'{BASE}/a b'") == 1


@pytest.mark.usefixtures("project_copy")
def test_a_version_first_recorded_by_a_merge_is_found():
    old, digest = Path("dvc.lock").read_text(), version_at(BASE).digest
    git("checkout", "--quiet", "-b", "side")
    git("commit", "--allow-empty", "-qm", "Side")
    git("checkout", "-q", "main")
    git("merge", "--no-ff", "--no-commit", "--quiet", "side")
    Path("dvc.lock").write_text(old.replace(digest, "7" * 32 + ".dir"))
    git("commit", "-qam", "Merge")
    assert version_at(BASE).commit == git("rev-parse", "HEAD")
    Path("dvc.lock").write_text("stages:\n<<<<<<< HEAD\n")
    with pytest.raises(Mistake, match=r"dvc\.lock here is not what DVC writes"):
        lock_at()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("asked", "revision", "said"),
    [
        ("", "", "Nothing is named; give a path such as models/"),
        ("nowhere", "", "nowhere is nothing that DVC keeps here; give a path such as models/"),
        ("params.yaml", "", "params.yaml is nothing that DVC keeps here"),
        (MIXED, "", "holds several arms; name one of them: mixed_32"),
        ("models", "", "name one of them: chip_cracks/mixed/mixed_32"),
        (f"{ARM}/run-009", "", "run-009 is nothing that DVC keeps here"),
        (ARM, "nope", "--rev nope: git knows no such commit, branch or tag"),
        ("models:/nope", "", "write models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/nope@x", "", "There is no MLflow store"),
        ("1" * 32, "", "neither a hash in dvc.lock or its history, nor a run in MLflow (There is no MLflow store"),
    ],
)
def test_what_is_none_of_all_that_is_one_sentence(asked, revision, said):
    with pytest.raises(Mistake) as mistake:
        lineage(asked, revision)
    assert said in str(mistake.value)
    assert not Path("mlflow.db").exists()


@pytest.mark.usefixtures("project_in_a_part")
def test_files_of_another_commit_are_read_in_a_part_of_a_repository_too():
    """The data of the first round are neither here nor in the dvc.lock of the working directory."""
    assert read_json(version_at(ADAPTIVE, "v1"), "dataset.json")["seed"] == 3
    assert "dataset.json" in names_in(version_at(ADAPTIVE, "v1"))


@pytest.mark.usefixtures("project_copy")
def test_where_git_tells_no_commit_the_chain_goes_by_dvc_lock_and_says_why(capsys, monkeypatch):
    shutil.rmtree(".git")
    said = as_text(lineage(ARM))
    assert f"parent: {BASE}\n" in said
    assert "! No commit is known: this folder is in no git repository; `git init" in said
    for asked in (["tag"], ["lineage", ARM, "--rev", "v1"], ["push"], ["pull"], ["remote", "add", "/tmp/there"]):
        monkeypatch.setattr("sys.argv", ["micromime", *asked])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert "`git init && git add --all && git commit --message Begin`" in capsys.readouterr().err


@pytest.mark.usefixtures("project_copy")
def test_without_a_commit_what_is_not_here_goes_by_dvc_lock_too():
    """A ZIP file from a forge has neither git nor data."""
    shutil.rmtree(".git")
    shutil.rmtree("models")
    assert chain(ARM)[ARM]["hash"] == lock_at().outs[ARM]
