"""Files of a run: the same bytes back, and one sentence where there are none."""

from pathlib import Path

import pytest
from stores import arm_json

from micromime.mistakes import Mistake
from micromime.tracking.logged import fetch_logged, log_file
from micromime.tracking.publish import publish_arm, publish_file
from micromime.tracking.store import store_client

NO_RUN = "0" * 32


@pytest.fixture
def run_id(store: Path) -> str:
    """An arm's run in a store of its own."""
    assert store.is_file()
    return publish_arm(arm_json(), {})


def test_a_file_comes_back_byte_for_byte_as_it_was_logged_last(run_id, tmp_path):
    for content in (b"first", b"1,2\r\n\x00"):
        Path("table.csv").write_bytes(content)
        publish_file(arm_json(), Path("table.csv"))
    found = fetch_logged(run_id, "table.csv", tmp_path / "new" / "folder")
    assert (found, found.read_bytes()) == (tmp_path / "new" / "folder" / "table.csv", b"1,2\r\n\x00")
    found.write_text("spoilt")
    assert fetch_logged(run_id, "table.csv", found.parent).read_bytes() == b"1,2\r\n\x00"
    assert list(found.parent.iterdir()) == [found]
    assert [file.path for file in store_client().list_artifacts(run_id)] == ["table.csv"]


def test_only_files_of_the_run_are_fetched_and_those_it_has_are_named(run_id):
    Path("one.png").write_bytes(b"1")
    for folder in ("pictures", None):
        log_file(run_id, Path("one.png"), folder)
    with pytest.raises(Mistake, match=rf"{run_id} in .*sqlite:.* has no a\.csv \(only one\.png\); run the stage"):
        fetch_logged(run_id, "a.csv", Path("fetched"))
    for name in ("pictures", "../mlflow.db", "pictures/../../../../mlflow.db"):
        with pytest.raises(Mistake):
            fetch_logged(run_id, name, Path("fetched"))
    assert list(Path("fetched").iterdir()) == []
    assert fetch_logged(run_id, "pictures/one.png", Path("fetched")) == Path("fetched/pictures/one.png")


@pytest.mark.usefixtures("run_id")
def test_what_is_not_there_is_named():
    with pytest.raises(Mistake, match=r"scores\.parquet is no file.*first run the stage"):
        publish_file(arm_json(), Path("scores.parquet"))
    with pytest.raises(Mistake, match=rf"at sqlite.*db failed to give a\.csv of the run {NO_RUN}.*store that has"):
        fetch_logged(NO_RUN, "a.csv", Path("fetched"))
