"""The numbers of docs/statistics.md are those that its command writes."""

import sys

import pytest

from docs.write_statistics import blocks, ratios, write


def test_the_page_is_up_to_date_and_a_number_changed_by_hand_is_found(project, tmp_path, monkeypatch):
    text = (project / "docs" / "statistics.md").read_text()
    page = tmp_path / "statistics.md"
    page.write_text(text.replace("19 of 20", "20 of 20"))
    monkeypatch.setattr(sys, "argv", ["write_statistics.py", "--check"])
    with pytest.raises(SystemExit, match=r"^statistics\.md .* run `make readme`"):
        write(page, blocks())
    monkeypatch.setattr(sys, "argv", ["write_statistics.py"])
    write(page, blocks())
    assert page.read_text() == text
    monkeypatch.setattr(sys, "argv", ["write_statistics.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        write(page, blocks())
    assert ended.value.code is None


def test_the_papers_intervals_are_half_and_eight_times_as_wide_as_students():
    assert (round(ratios()[0], 1), round(ratios()[6])) == (0.5, 8)
    assert len(ratios()) == 10
