"""The numbers of docs/statistics.md are those that its command writes."""

import runpy
import sys

import pytest


@pytest.fixture
def command(project, monkeypatch):
    """docs/write_statistics.py, as its functions."""
    monkeypatch.setattr(sys, "argv", ["write_statistics.py", "--check"])
    return runpy.run_path(str(project / "docs" / "write_statistics.py"))


def test_the_page_is_up_to_date_and_a_number_changed_by_hand_is_found(command, tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        command["main"]()
    assert ended.value.code is None
    text = command["PAGE"].read_text()
    page = tmp_path / "statistics.md"
    page.write_text(text.replace("19 of 20", "20 of 20"))
    monkeypatch.setitem(command["main"].__globals__, "PAGE", page)
    with pytest.raises(SystemExit, match=r"run `python docs/write_statistics\.py`"):
        command["main"]()
    monkeypatch.setattr(sys, "argv", ["write_statistics.py"])
    command["main"]()
    assert page.read_text() == text


def test_the_papers_intervals_are_half_and_eight_times_as_wide_as_students(command):
    ratios = [cell.ratio for cell in command["PAPER"]]
    assert (round(ratios[0], 1), round(ratios[6])) == (0.5, 8)
    assert len(ratios) == 10
