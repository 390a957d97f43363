import numpy as np
import pytest

from micromime.reporting.figures import tiles as tile_figures
from micromime.reporting.figures.tiles import MOST_WRONG, WrongTile, contact_sheet, wrong_tiles


@pytest.fixture
def words(monkeypatch):
    """All words that are written on a picture, in order."""
    said = []
    line, paragraph = tile_figures.text_line, tile_figures.paragraph
    monkeypatch.setattr(
        tile_figures, "text_line", lambda parts, size: said.extend(text for _, text in parts) or line(parts, size)
    )
    monkeypatch.setattr(tile_figures, "paragraph", lambda text, *rest: said.append(text) or paragraph(text, *rest))
    return said


def even(grey):
    return np.full((128, 128), grey, dtype=np.uint8)


def wrong(*probabilities):
    return [WrongTile(even(int(100 * p)), "intact" if p > 0.5 else "crack", p) for p in probabilities]


def test_real_tiles_are_left_and_synthetic_ones_right(words):
    sheet = contact_sheet([even(10)] * 24, [even(20)] * 24, "real")
    middle = sheet.shape[1] // 2
    assert words == ["real", "synthetic"]
    assert (sheet[:, :middle] == 10).all(axis=2).sum() == (sheet[:, middle:] == 20).all(axis=2).sum() == 24 * 128**2
    assert np.array_equal(contact_sheet([even(10)] * 30, [even(20)] * 25, "real"), sheet)


def test_a_surrogate_is_called_so(words):
    contact_sheet([even(10)], [even(20)], "surrogate")
    assert words == ["surrogate, not real", "synthetic"]


def test_the_surest_mistakes_come_first_with_class_and_probability(words):
    wrong_tiles({"mixed model": wrong(0.3, 0.99, 0.45)}, "Test set: x")
    assert words[:6] == ["intact", "P = 0.99", "crack", "P = 0.30", "crack", "P = 0.45"]
    assert set(words[6:]) == {"mixed model", "Test set: x"}


def test_a_model_without_mistakes_has_none(words):
    page = wrong_tiles({"real model": [], "mixed model": wrong(0.6)}, "Test set")
    assert words.count("none") == 1
    assert words.index("none") < words.index("mixed model")
    assert 0 <= (page == 60).all(axis=2).sum() - 128**2 < 20  # the edges of letters have every grey
    assert wrong_tiles({"real model": []}, "Test set").ndim == 3


def test_of_too_many_only_the_surest_are_shown_and_that_is_said(words):
    many = wrong(*np.linspace(0.01, 0.49, MOST_WRONG + 2))
    wrong_tiles({"real model": many}, "Test set")
    assert words.count("crack") == MOST_WRONG
    assert "P = 0.49" not in words
    assert f"real model (those it is surest of: {MOST_WRONG} of {MOST_WRONG + 2})" in words
