from micromime.stages.work import fingerprint, source_files, work_folder


def test_any_part_changes_the_fingerprint(tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    first = fingerprint({"a": 1, "b": [2]}, file)
    assert first == fingerprint({"b": [2], "a": 1}, file)
    assert len({first, fingerprint({"a": 1, "b": [3]}, file), fingerprint(file, {"a": 1, "b": [2]})}) == 3
    file.write_text("two")
    assert first != fingerprint({"a": 1, "b": [2]}, file)


def test_parts_do_not_run_together():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_work_lies_outside_of_what_dvc_and_git_see():
    assert work_folder("train", 1).parts[:3] == (".micromime", "work", "train")


def test_source_files_are_files():
    assert all(file.is_file() for file in source_files("streams", "datasets/store"))
