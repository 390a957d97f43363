"""Where unfinished work lies, what it depends on, and that one process alone does it."""

from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project import work
from micromime.project.work import code_of, fingerprint, sole_maker, work_folder

CODE = '''"""What it is."""
import math

LEAST = 2  # rows


def area(rows: int, cols: int) -> int:
    """Return the area."""
    return max(rows, LEAST) * cols


class Plain:
    """Nothing."""
'''

HOLDER = """
import time
from pathlib import Path
from micromime.project.work import sole_maker
with sole_maker(Path("models/grains/base")):
    print("holds", flush=True)
    time.sleep(600)
"""


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
    assert work_folder("train", 1) != work_folder("train", 2)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A package with one file, as code_of reads it."""
    monkeypatch.setattr(work.micromime, "__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "a.py").write_text(CODE)
    (tmp_path / "b.py").write_text("x = 1\n")
    return tmp_path / "a.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""What it is."""', '"""Another docstring."""'),
        ("  # rows", "  # a comment"),
        ('    """Return the area."""\n', ""),
        ('    """Nothing."""', "    pass"),
        ("max(rows, LEAST) * cols", "(\n        max(rows, LEAST)\n        * cols\n    )"),
        ("LEAST = 2", 'LEAST = 2\n"""What comes after a value."""'),
    ],
)
def test_code_stays_the_same_where_words_and_layout_change(source, old, new):
    before = code_of("a")
    source.write_text(CODE.replace(old, new))
    assert source.read_text() != CODE
    assert code_of("a") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LEAST = 2", "LEAST = 3"),
        ("* cols", "* rows"),
        ("rows: int, cols: int", "cols: int, rows: int"),
        ("import math", "import cmath"),
        ("max(rows, LEAST) * cols", '"rows * cols"'),
        ("class Plain", "@final\nclass Plain"),
    ],
)
def test_code_is_another_where_it_does_something_else(source, old, new):
    before = code_of("a")
    source.write_text(CODE.replace(old, new))
    assert code_of("a") != before


@pytest.mark.usefixtures("source")
def test_code_of_several_files_has_an_order_of_its_own():
    assert code_of("b", "a") == [*code_of("a"), *code_of("b")]


def test_a_second_process_is_refused_until_the_first_has_ended_however_it_ends(tmp_path, monkeypatch, another_process):
    monkeypatch.chdir(tmp_path)
    out = Path("models/grains/base")
    with another_process(HOLDER):
        with pytest.raises(Mistake, match=r"^\S*models-grains-base is being worked on by another micro[^.]*\.$"):
            sole_maker(out).__enter__()
        with sole_maker(Path("models/grains/other")):
            pass
    with sole_maker(out):
        pass
