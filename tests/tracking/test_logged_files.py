"""Files of a run: the same bytes back, and one sentence where there are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from micromime.mistakes import Mistake
from micromime.tracking.logged_files import fetch_logged, log_file, log_pictures
from micromime.tracking.store import prepare_store, store_client

pytestmark = pytest.mark.slow

NO_RUN = "0" * 32


@pytest.fixture
def run_id(store: Path) -> str:
    """A run in a store of its own."""
    assert store.is_file()
    prepare_store("grains")
    client = store_client()
    return str(client.create_run(client.get_experiment_by_name("grains").experiment_id).info.run_id)


def files(run_id: str, folder: str | None = None) -> list[str]:
    return sorted(entry.path for entry in store_client().list_artifacts(run_id, folder))


def picture(name: str, grey: int = 0) -> Path:
    Picture.fromarray(np.full((4, 6), grey, np.uint8)).save(name)
    return Path(name)


def test_a_table_comes_back_byte_for_byte(run_id, tmp_path):
    import pandas as pd

    pd.DataFrame({"id": [1, 2], "iou": [0.25, 0.5]}).to_parquet("scores.parquet")
    log_file(run_id, Path("scores.parquet"))
    found = fetch_logged(run_id, "scores.parquet", tmp_path / "new" / "folder")
    assert found == tmp_path / "new" / "folder" / "scores.parquet"
    assert found.read_bytes() == Path("scores.parquet").read_bytes()
    assert [file.name for file in found.parent.iterdir()] == ["scores.parquet"]


def test_a_file_logged_again_takes_the_place_of_the_first(run_id):
    for text in ("first", "second"):
        Path("table.csv").write_text(text)
        log_file(run_id, Path("table.csv"))
    assert files(run_id) == ["table.csv"]
    assert fetch_logged(run_id, "table.csv", Path("fetched")).read_text() == "second"
    Path("fetched/table.csv").write_text("spoilt")
    assert fetch_logged(run_id, "table.csv", Path("fetched")).read_text() == "second"


def test_logging_to_a_finished_run_leaves_it_finished(run_id):
    store_client().set_terminated(run_id)
    before = store_client().get_run(run_id).info
    Path("table.csv").write_text("1")
    log_file(run_id, Path("table.csv"))
    after = store_client().get_run(run_id).info
    assert (after.status, after.start_time, after.end_time) == ("FINISHED", before.start_time, before.end_time)


def test_pictures_lie_in_their_folder_and_are_never_doubled(run_id):
    for grey in (0, 255):
        log_pictures(run_id, {f"worst-{place:02d}": picture(f"{place}.png", grey) for place in range(1, 13)})
    assert files(run_id) == ["pictures"]
    assert files(run_id, "pictures") == [f"pictures/worst-{place:02d}.png" for place in range(1, 13)]
    found = fetch_logged(run_id, "pictures/worst-07.png", Path("fetched"))
    assert found == Path("fetched/pictures/worst-07.png")
    assert found.read_bytes() == Path("7.png").read_bytes()


def test_thirteen_pictures_are_too_many(run_id):
    with pytest.raises(ValueError, match="13 pictures are too many; a run keeps at most 12"):
        log_pictures(run_id, dict.fromkeys(map(str, range(13)), picture("one.png")))
    assert files(run_id) == []


def test_what_is_no_png_is_refused(run_id):
    Path("one.png").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"one\.png is no PNG"):
        log_pictures(run_id, {"one": Path("one.png")})


def test_a_file_that_is_not_there_is_named_with_the_run():
    for log in (log_file, lambda run_id, path: log_pictures(run_id, {"one": path})):
        with pytest.raises(Mistake, match=rf"scores\.parquet is no file .* run {NO_RUN}; first run the stage"):
            log(NO_RUN, Path("scores.parquet"))


@pytest.mark.usefixtures("store")
def test_a_run_that_is_not_there_is_named_with_the_store():
    Path("table.csv").write_text("1")
    no_run = rf"store at sqlite:///.*mlflow\.db has no run {NO_RUN}, so .*table\.csv .*; give the id .* MLFLOW_TRACKING"
    with pytest.raises(Mistake, match=no_run):
        log_file(NO_RUN, Path("table.csv"))
    with pytest.raises(Mistake, match=no_run):
        fetch_logged(NO_RUN, "table.csv", Path("fetched"))
    with pytest.raises(Mistake, match=f"has no run {NO_RUN}, so no pictures"):
        log_pictures(NO_RUN, {"one": picture("one.png")})


def test_a_file_that_the_run_does_not_have_is_named_with_those_it_has(run_id):
    nothing = (
        rf"The run {run_id} in MLflow's store at sqlite:.* has no scores\.parquet \(no files there\); run the stage"
    )
    with pytest.raises(Mistake, match=nothing):
        fetch_logged(run_id, "scores.parquet", Path("fetched"))
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("1")
        log_file(run_id, Path(name))
    with pytest.raises(Mistake, match=r"has no scores\.parquet \(only a\.csv, b\.csv\)"):
        fetch_logged(run_id, "scores.parquet", Path("fetched"))
    assert list(Path("fetched").iterdir()) == []


@pytest.mark.parametrize("name", ["pictures", "../mlflow.db", "pictures/../../../../mlflow.db"])
def test_only_files_of_the_run_are_fetched(run_id, name):
    log_pictures(run_id, {"one": picture("one.png")})
    with pytest.raises(Mistake):
        fetch_logged(run_id, name, Path("fetched"))
    assert list(Path("fetched").iterdir()) == []


def test_a_store_that_cannot_be_reached_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:9")  # nobody listens at that port
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    asked = rf"store at http://ann:\*\*\*@127.0.0.1:9 failed to give a\.csv of the run {NO_RUN} \(.*MLFLOW_TRACKING_URI"
    with pytest.raises(Mistake, match=asked) as told:
        fetch_logged(NO_RUN, "a.csv", tmp_path)
    assert "secret" not in str(told.value)
    (tmp_path / "a.csv").write_text("1")
    with pytest.raises(Mistake, match=rf"failed to take .*a\.csv for the run {NO_RUN}"):
        log_file(NO_RUN, tmp_path / "a.csv")
