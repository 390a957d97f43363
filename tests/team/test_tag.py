"""Linking runs to the commit made after them, on a small project with a real store."""

import subprocess
from pathlib import Path

import pytest
from team.conftest import ARM, BASE_ARM, MIXED, SYNTHETIC, git

from micromime.mistakes import Mistake
from micromime.project.versions import lock_at
from micromime.team.tag import tag
from micromime.tracking.store import store_client

LINKING = ("micromime.commit", "micromime.dvc.model", "micromime.git_tag")


def found(arm, mark):
    """The runs of an arm, its own first."""
    query = f"tags.`micromime.arm` = '{arm}' and tags.`micromime.fingerprint` = '{mark * 32}'"
    runs = store_client().search_runs([each.experiment_id for each in store_client().search_experiments()], query)
    return sorted(runs, key=lambda run: run.data.tags.get("micromime.seed", ""))


def links(arm="base", mark="f"):
    """The tags that link each run of an arm."""
    return [{key: run.data.tags[key] for key in LINKING if key in run.data.tags} for run in found(arm, mark)]


def test_runs_are_linked_to_the_commit_that_has_their_networks(project_with_runs):
    head, client = project_with_runs.commits["base"], store_client()
    (arm, *_) = found("base", "f")
    for seed, status in (("3", "FINISHED"), ("2", "KILLED")):  # one of elsewhere, and one that was given up
        tags = {**arm.data.tags, "micromime.level": "run", "micromime.seed": seed, "extra": "1"}
        client.set_terminated(client.create_run(arm.info.experiment_id, tags=tags).info.run_id, status)
    assert tag() == f"{head[:7]}: 12 runs and 0 registered models linked."
    assert git("tag") == "v1\nv2"
    extra = client.search_runs([arm.info.experiment_id], "tags.extra = '1'")
    assert [run.data.tags.get("micromime.commit") for run in extra] == [None, None]
    for run in extra:
        client.delete_run(run.info.run_id)
    arms = {("base", "f"): BASE_ARM, ("adaptive", "e"): ARM, ("synthetic_32", "c"): SYNTHETIC, ("mixed_32", "d"): MIXED}
    for which, folder in arms.items():
        assert links(*which) == 3 * [{"micromime.commit": head, "micromime.dvc.model": lock_at("HEAD").outs[folder]}]
    assert links("base", "a") == [{}, {}, {}]  # networks of earlier commits


def test_linked_again_the_first_link_stays(project_with_runs):
    first, head = project_with_runs.commits["first"], project_with_runs.commits["base"]
    git("checkout", "--quiet", first)
    assert tag("v1").startswith(f"{first[:7]}: 12 runs and 1 registered model linked.")
    model = store_client().get_model_version("grains-tiny", "1").tags
    assert [model[key] for key in LINKING] == [first, lock_at("HEAD").outs[BASE_ARM], "v1"]
    git("checkout", "--quiet", "main")
    assert tag() == f"{head[:7]}: 6 runs and 0 registered models linked, 6 were linked before."
    assert [links(*which)[1]["micromime.commit"] for which in (("mixed_32", "d"), ("base", "f"))] == [first, head]


def test_what_was_stopped_is_completed_and_a_name_is_an_annotated_tag(project_with_runs, monkeypatch):
    from mlflow import MlflowClient

    head, set_tag, calls = project_with_runs.commits["base"], MlflowClient.set_tag, []

    def fails_at_the_tenth(*given, **named):
        calls.append(given)
        if len(calls) == 10:
            raise OSError("the network is down")
        return set_tag(*given, **named)

    monkeypatch.setattr(MlflowClient, "set_tag", fails_at_the_tenth)
    with pytest.raises(Mistake, match=r"failed to link runs \(the network is down\)"):
        tag("v3")
    assert "v3" not in git("tag").split()
    said = tag("v3")
    assert said.startswith(f"{head[:7]}: 9 runs and 0 registered models linked, 3 were linked before.")
    assert said.endswith("The tag v3 was made; `git push origin v3` shares it.")
    assert git("cat-file", "-t", "v3") == "tag"
    assert git("rev-parse", "v3^{commit}") == head
    assert [each["micromime.git_tag"] for each in links()] == ["v3", "v3", "v3"]
    before = git("rev-parse", "v3")
    assert tag("v3").endswith("12 were linked before.\nThe tag v3 is at this commit already.")
    assert git("rev-parse", "v3") == before


@pytest.mark.usefixtures("project_with_runs")
@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
def test_what_is_not_committed_is_a_mistake(name):
    with Path(name).open("a") as file:
        file.write("\n")
    with pytest.raises(Mistake, match=f"{name} differs from what is committed; commit it first"):
        tag("v3")
    assert links() == [{}, {}, {}]


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v1", r"The tag v1 is at the commit [0-9a-f]{7}, not at HEAD; choose another name"),
        ("a b", "'a b' cannot be the name of a tag"),
        ("-d", "'-d' cannot be the name of a tag"),
    ],
)
def test_a_name_that_git_would_not_take_stops_it_before_anything_is_done(name, said):
    with pytest.raises(Mistake, match=said):
        tag(name)
    assert links() == [{}, {}, {}]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("address", "said"), [("", "There is no MLflow store at"), ("http://127.0.0.1:9", "failed")])
def test_without_a_store_no_tag_is_made(address, said, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Mistake, match=said):
        tag("v3")
    assert not Path("mlflow.db").exists()
    assert git("tag") == "v1\nv2"


@pytest.mark.usefixtures("project_with_runs")
def test_arms_without_runs_are_named_and_a_store_without_any_is_a_mistake():
    for run in found("adaptive", "e"):
        store_client().delete_run(run.info.run_id)
    assert f"{ARM}: MLflow has no run of it." in tag()
    for which in (("base", "f"), ("synthetic_32", "c"), ("mixed_32", "d")):
        for run in found(*which):
            store_client().delete_run(run.info.run_id)
    with pytest.raises(Mistake, match=r"has no run of the arms in dvc\.lock"):
        tag("v3")


def test_a_folder_without_commits_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    with pytest.raises(Mistake, match="cannot be linked to a commit: nothing is committed yet; `git add"):
        tag()
