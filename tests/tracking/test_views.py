"""The page of an experiment that shows arms side by side: a view kept as a tag, a description, an address."""

import json
import sqlite3
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.tracking import views
from micromime.tracking.store import OFFLINE, store_client
from micromime.tracking.views import View, publish_view, remembered_address, server_address, view_address

CRACKS = View(("error_rate", "error_rate_all_tiles", "images_per_second", "seconds"), True, "What arms are.")

PAGE = "#/experiments/2/runs?viewStateShareKey=arms-{}&workflowType=machine_learning"


def tags() -> dict[str, str]:
    return dict(store_client().get_experiment_by_name("cracks").tags)


def test_a_view_has_scores_in_columns_and_the_first_three_in_charts(store):
    publish_view("cracks", "demo", CRACKS)
    shared = json.loads(tags()["mlflow.sharedViewState.arms-demo"])
    state = json.loads(shared["state"])
    columns = [f"metrics.`{name}`" for name in CRACKS.scores]
    assert state["selectedColumns"][:4] == columns
    assert "tags.`micromime.test_set`" in state["selectedColumns"]
    assert (state["orderByKey"], state["orderByAsc"]) == (columns[0], True)
    assert [(each["type"], each["metricKey"]) for each in state["compareRunCharts"]] == [
        ("BAR", name) for name in CRACKS.scores[:3]
    ]
    wanted = {"tags.`micromime.level` = 'arm'", "tags.`micromime.layout` = '2'", "tags.`micromime.profile` = 'demo'"}
    assert set(state["searchFilter"].split(" and ")) == wanted
    assert view_address("cracks", "demo") == PAGE.format("demo")
    assert store.is_file()


@pytest.mark.usefixtures("store")
def test_the_description_leads_to_the_view_of_each_profile_and_says_what_arms_are():
    for profile in ("tiny", "demo", "demo"):
        publish_view("cracks", profile, CRACKS, {"real_test_set": "0a.dir"} if profile == "tiny" else None)
        store_client().set_experiment_tag("2", "mlflow.sharedViewState.somebody-s", "{}")
    said = tags()["mlflow.note.content"]
    assert said.endswith("\n\nWhat arms are.")
    assert [said.count(f"]({PAGE.format(each)})") for each in ("demo", "tiny", "somebody-s")] == [1, 1, 0]
    assert f"[charts]({PAGE.format('demo')}&compareRunsMode=CHART)" in said
    assert json.loads(tags()["micromime.test_sets"]) == {"real_test_set": "0a.dir"}


def test_told_again_nothing_changes(store):
    dumps = []
    for _ in range(2):
        publish_view("cracks", "demo", CRACKS, {"a": "1"})
        with sqlite3.connect(store) as database:
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1]


def test_where_nothing_was_told_there_is_no_address_and_no_store_is_made(store):
    assert view_address("cracks", "demo") == ""
    publish_view("cracks", "", CRACKS)
    assert view_address("cracks", "demo") == ""
    assert view_address("cracks", "") == PAGE.format("").replace("arms-", "arms")
    store_client().delete_experiment("2")
    assert view_address("cracks", "") == ""
    store.unlink()
    assert view_address("cracks", "") == ""
    assert not Path("mlflow.db").exists()


def test_an_address_is_remembered_for_its_store_as_long_as_there_is_one(store, monkeypatch):
    publish_view("cracks", "demo", CRACKS)
    monkeypatch.setenv(OFFLINE, "1")  # whoever asks MLflow is refused
    assert remembered_address("cracks", "demo") == PAGE.format("demo")
    assert remembered_address("cracks", "tiny") == remembered_address("grains", "demo") == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:5000")
    assert remembered_address("cracks", "demo") == ""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    store.unlink()
    assert remembered_address("cracks", "demo") == ""


@pytest.mark.usefixtures("store")
def test_who_may_only_read_a_project_sees_its_page(monkeypatch):
    publish_view("cracks", "demo", CRACKS)
    monkeypatch.setattr(views, "OURS", Path("/dev/null"))
    assert view_address("cracks", "demo") == PAGE.format("demo")
    assert remembered_address("cracks", "demo") == ""


def test_who_is_offline_is_told_so(store, monkeypatch):
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(Mistake, match=OFFLINE):
        view_address("cracks", "demo")
    assert store.is_file()


def test_the_address_of_a_server_is_one_to_give_to_others(monkeypatch):
    for uri, address in {
        "http://ann:secret@lab:5000/": "http://lab:5000",
        "https://lab/mlflow": "https://lab/mlflow",
        "sqlite:///a.db": "",
        "": "",
    }.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert server_address() == address
