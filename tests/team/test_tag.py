"""Linking runs to the commit made after them, on a small project with a real store."""

import subprocess
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.team.history import lock_at
from micromime.team.tag import tag


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def tags_in_store(arm, fingerprint="f" * 32):
    """Return the tags that link each run of an arm: by seed, empty for the arm's own."""
    from micromime.tracking.store import store_client

    query = f"tags.`micromime.arm` = '{arm}' and tags.`micromime.fingerprint` = '{fingerprint}'"
    client = store_client()
    experiments = [each.experiment_id for each in client.search_experiments()]
    linking = ("micromime.commit", "micromime.dvc.model", "micromime.git_tag")
    return {
        run.data.tags.get("micromime.seed", ""): {key: run.data.tags[key] for key in linking if key in run.data.tags}
        for run in client.search_runs(experiments, query)
    }


def test_runs_are_linked_to_the_commit_that_has_their_networks(project_with_runs):
    head = project_with_runs.commits["base"]
    assert tag() == f"{head[:7]}: 12 runs and 0 registered models linked."
    for arm, mark in (("base", "f"), ("adaptive", "e"), ("synthetic_32", "c"), ("mixed_32", "d")):
        folder = "models/chip_cracks/" + arm.partition("_")[0] if "_32" in arm else f"models/grain_boundaries/{arm}"
        expected = {"micromime.commit": head, "micromime.dvc.model": lock_at("HEAD").outs[folder]}
        assert tags_in_store(arm, mark * 32) == {"": expected, "1": expected, "2": expected}
    assert tags_in_store("base", "a" * 32) == {"": {}, "1": {}, "2": {}}  # networks of earlier commits
    assert git("tag") == "v1\nv2"


def test_linked_again_the_first_link_stays(project_with_runs):
    first, head = project_with_runs.commits["first"], project_with_runs.commits["base"]
    git("checkout", "--quiet", first)
    assert tag() == f"{first[:7]}: 12 runs and 1 registered model linked."
    git("checkout", "--quiet", "main")
    assert tag() == f"{head[:7]}: 6 runs and 0 registered models linked, 6 were linked before."
    assert tags_in_store("mixed_32", "d" * 32)["1"]["micromime.commit"] == first
    assert tags_in_store("base")["1"]["micromime.commit"] == head
    assert tag() == f"{head[:7]}: 0 runs and 0 registered models linked, 12 were linked before."


def test_a_registered_network_has_the_link_too(project_with_runs):
    from micromime.tracking.store import store_client

    git("checkout", "--quiet", "v1")
    tag("release")
    said = store_client().get_model_version("micromime-grain_boundaries-tiny", "1").tags
    assert said["micromime.commit"] == project_with_runs.commits["first"]
    assert said["micromime.dvc.model"] == lock_at("HEAD").outs["models/grain_boundaries/base"]
    assert said["micromime.git_tag"] == "release"


def test_a_name_is_an_annotated_tag_and_a_rerun_changes_nothing(project_with_runs):
    head = project_with_runs.commits["base"]
    assert tag("v3").endswith("The tag v3 was made; `git push origin v3` shares it.")
    assert git("cat-file", "-t", "v3") == "tag"
    assert git("rev-parse", "v3^{commit}") == head
    assert tags_in_store("adaptive", "e" * 32)["2"]["micromime.git_tag"] == "v3"
    before = git("rev-parse", "v3")
    assert tag("v3").endswith("12 were linked before.\nThe tag v3 is at this commit already.")
    assert git("rev-parse", "v3") == before


@pytest.mark.usefixtures("project_with_runs")
def test_a_name_given_later_is_added_to_runs_that_were_linked():
    tag()
    tag("v3")
    assert tags_in_store("base")["1"]["micromime.git_tag"] == "v3"


def test_what_was_stopped_is_completed(project_with_runs, monkeypatch):
    from mlflow import MlflowClient

    head, log_batch, calls = project_with_runs.commits["base"], MlflowClient.log_batch, []

    def fails_at_the_fifth(*given, **named):
        calls.append(given)
        if len(calls) == 5:
            raise OSError("the network is down")
        return log_batch(*given, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", fails_at_the_fifth)
    with pytest.raises(Mistake, match=r"failed to link runs \(the network is down\)"):
        tag("v3")
    assert "v3" not in git("tag").split()
    assert tag("v3").startswith(f"{head[:7]}: 8 runs and 0 registered models linked, 4 were linked before.")
    assert git("rev-parse", "v3^{commit}") == head


@pytest.mark.usefixtures("project_with_runs")
def test_runs_with_other_seeds_and_such_that_failed_are_left_alone():
    from micromime.tracking.store import store_client

    client = store_client()
    (arm,) = client.search_runs(
        ["1"], f"tags.`micromime.fingerprint` = '{'f' * 32}' and tags.`micromime.level` = 'arm'"
    )
    for seed, status in (("3", "FINISHED"), ("2", "KILLED")):
        tags = {**arm.data.tags, "micromime.level": "run", "micromime.seed": seed, "extra": "1"}
        client.set_terminated(client.create_run("1", tags=tags).info.run_id, status)
    tag()
    extra = client.search_runs(["1"], "tags.extra = '1'")
    assert [("micromime.commit" in run.data.tags) for run in extra] == [False, False]


@pytest.mark.usefixtures("project_with_runs")
@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
def test_what_is_not_committed_is_a_mistake(name):
    with Path(name).open("a") as file:
        file.write("\n")
    with pytest.raises(Mistake, match=f"{name} differs from what is committed; commit it first"):
        tag("v3")
    assert tags_in_store("base")["1"] == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v1", r"The tag v1 is at the commit [0-9a-f]{7}, not at HEAD; choose another name"),
        ("a b", "'a b' cannot be the name of a tag"),
        ("-d", "'-d' cannot be the name of a tag"),
        ("a..b", r"'a\.\.b' cannot be the name"),
    ],
)
@pytest.mark.usefixtures("project_with_runs")
def test_a_name_that_git_would_not_take_stops_it_before_anything_is_done(name, said):
    with pytest.raises(Mistake, match=said):
        tag(name)
    assert tags_in_store("base")["1"] == {}


@pytest.mark.usefixtures("project_copy")
def test_without_a_store_nothing_is_made():
    with pytest.raises(Mistake, match=r"There is no MLflow store at .*; set MLFLOW_TRACKING_URI"):
        tag("v3")
    assert not Path("mlflow.db").exists()
    assert git("tag") == "v1\nv2"


@pytest.mark.usefixtures("project_copy")
def test_a_server_that_is_down_is_a_mistake_and_no_tag_is_made(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Mistake, match=r"http://127\.0\.0\.1:9 failed to link runs"):
        tag("v3")
    assert git("tag") == "v1\nv2"


@pytest.mark.usefixtures("project_with_runs")
def test_a_store_that_knows_none_of_the_runs_is_a_mistake():
    from micromime.tracking.store import store_client

    client = store_client()
    for run in client.search_runs([each.experiment_id for each in client.search_experiments()]):
        client.delete_run(run.info.run_id)
    with pytest.raises(Mistake, match=r"has no run of the 4 arms in dvc\.lock; .* `micromime sync`"):
        tag("v3")


@pytest.mark.usefixtures("project_with_runs")
def test_arms_without_runs_are_named():
    from micromime.tracking.store import store_client

    client = store_client()
    for run in client.search_runs(["1"], "tags.`micromime.arm` = 'adaptive'"):
        client.delete_run(run.info.run_id)
    assert "models/grain_boundaries/adaptive: MLflow has no run of it." in tag()


def test_a_folder_without_commits_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Mistake, match="has no commit that runs could be linked to"):
        tag()
    git("init", "--quiet")
    with pytest.raises(Mistake, match="has no commit that runs could be linked to"):
        tag()
