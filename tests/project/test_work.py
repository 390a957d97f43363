"""Where unfinished work lies, what it depends on, that one process alone does it; versions of what decides results."""

from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project import results
from micromime.project.work import fingerprint, is_copy, linked, project_folder, sole_maker, work_folder


def test_any_part_changes_the_fingerprint_and_no_part_runs_into_the_next(tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    first = fingerprint({"a": 1, "b": [2]}, file)
    assert first == fingerprint({"b": [2], "a": 1}, file)
    others = {fingerprint({"a": 1, "b": [3]}, file), fingerprint(file, {"a": 1, "b": [2]})}
    file.write_text("two")
    assert len({first, *others, fingerprint({"a": 1, "b": [2]}, file)}) == 4
    assert fingerprint(1, 23) != fingerprint(12, 3)


def test_work_lies_outside_of_what_dvc_and_git_see():
    assert work_folder("train", 1).parts[:3] == (".micromime", "work", "train")
    assert work_folder("train", 1) != work_folder("train", 2)


@pytest.mark.parametrize("own", ["", "experiments/gap"])
@pytest.mark.parametrize("tried", ["exps/standalone/tmp1", "exps/tmp2"])
def test_a_copy_that_dvc_makes_for_an_experiment_has_the_project_s_folder(tmp_path, monkeypatch, tried, own):
    """By `dvc exp run --temp` and from the queue; here the project is a folder of its repository."""
    project = tmp_path / "repository" / "project"
    for copy in (project, project / ".dvc" / "tmp" / tried / "project"):
        (copy / ".dvc").mkdir(parents=True)
        (copy / own).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(copy / own)
    assert project_folder() == project / own
    assert is_copy()


@pytest.mark.parametrize("place", ["", "worktrees/other", ".dvc/tmp/other", "exps/tmp1"])
def test_any_other_folder_is_a_project_of_its_own(tmp_path, monkeypatch, place):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / place / ".dvc").mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / place)
    assert project_folder() == Path()
    assert not is_copy()


def test_an_out_is_made_by_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with sole_maker(Path("models/grains/base")):
        with pytest.raises(Mistake, match=r"^\S*models-grains-base is being worked on by another micro[^.]*\.$"):
            sole_maker(Path("models/grains/base")).__enter__()
        with sole_maker(Path("models/grains/other")):
            pass
    with sole_maker(Path("models/grains/base")):
        pass


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_linked_or_copied_where_there_are_no_links(tmp_path, monkeypatch, links):
    (tmp_path / "a").write_text("one")
    if not links:
        monkeypatch.setattr("os.link", lambda *_: open("/dev/null/none"))  # noqa: PTH123, SIM115 - an OSError
    linked(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "one"
    assert (tmp_path / "b").samefile(tmp_path / "a") == links


def test_versions_of_results_are_whole_numbers_from_one():
    versions = {name: value for name, value in vars(results).items() if name.isupper()}
    assert {"RENDERER", "FITTING", "LEARNER", "ASKING", "MEASURING", "PROPOSING"} <= versions.keys()
    assert all(type(value) is int and value >= 1 for value in versions.values())
