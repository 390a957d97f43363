import numpy as np
import pytest
from PIL import Image

from micromime.reporting.figures.figure_4 import COLUMN_PX, figure_4, write_figure_4
from micromime.reporting.figures.panels import Shown, agreement

WHITE = 255


def shown(rows, cols, seed):
    """Noise; truth in the upper third, prediction in the left half."""
    truth, prediction = np.zeros((2, rows, cols), dtype=bool)
    truth[: rows // 3] = True
    prediction[:, : cols // 2] = True
    image = np.random.default_rng(seed).integers(0, 256, (rows, cols), dtype=np.uint8)
    return Shown(f"{rows}x{cols}", "steel", image, truth, prediction)


def corner(page, each):
    """Return (row, col) of the image in the page, to the pixel."""
    rows, cols = each.image.shape
    grey = np.repeat(each.image[..., None], 3, axis=2)
    first = np.argwhere((page[: -rows + 1, : -cols + 1] == grey[0, 0]).all(axis=-1))
    (found,) = [(int(r), int(c)) for r, c in first if np.array_equal(page[r : r + rows, c : c + cols], grey)]
    return found


def parts(page, each):
    """Return (row, col) of image, truth and prediction; the masks are looked for below the image only."""
    _, truth, prediction = pictures(each)
    rows, cols = each.image.shape
    top, left = corner(page, each)
    below = range(top + rows, len(page) - rows)
    masks = [
        next(r for r in below if np.array_equal(page[r : r + rows, left : left + cols], mask))
        for mask in (truth, prediction)
    ]
    return [(top, left), *((row, left) for row in masks)]


def pictures(each):
    grey = np.repeat(each.image[..., None], 3, axis=2)
    return [grey, agreement(each.truth, each.truth), agreement(each.prediction, each.truth)]


@pytest.fixture
def examples():
    return [shown(200, 120, 40), shown(100, 200, 50)], [shown(60, 200, 60), shown(200, 150, 70), shown(90, 200, 80)]


def test_every_picture_stands_in_its_part_and_column(examples):
    page = figure_4(*examples, "real")
    places = [parts(page, each) for group in examples for each in group]
    rows = {tuple(row for row, _ in place) for place in places}
    assert len(rows) == 1  # (a) beside (b), (c) beside (d), (e) beside (f)
    assert list(*rows) == sorted(*rows)
    columns = [place[0][1] for place in places]
    steps = np.diff(columns)
    assert steps[0] == steps[2] == steps[3] == COLUMN_PX + 2 + 8
    assert steps[1] > 2 * steps[0]  # the synthetic part keeps its third column, empty


def test_the_columns_of_both_kinds_are_as_many(examples):
    synthetic, real = examples
    assert figure_4(synthetic[:1], real, "real").shape == figure_4(synthetic, real, "real").shape
    assert figure_4(synthetic, real[:2], "real").shape[1] < figure_4(synthetic, real, "real").shape[1]


def test_five_columns_are_shown_at_most(examples):
    synthetic, real = examples
    assert np.array_equal(figure_4(synthetic, real * 3, "real"), figure_4(synthetic, (real * 3)[:5], "real"))


def test_a_surrogate_changes_the_captions_of_its_own_parts_only(examples):
    real, surrogate = (figure_4(*examples, kind) for kind in ("real", "surrogate"))
    assert real.shape == surrogate.shape
    changed = (real != surrogate).any(axis=2)
    assert not changed[:, : corner(real, examples[1][0])[1] - 1].any()
    tops = [row for row, _ in parts(real, examples[1][0])]
    assert not any(changed[top : top + COLUMN_PX].any() for top in tops)
    assert all(changed[top + COLUMN_PX : top + COLUMN_PX + 60].any() for top in tops)


def test_the_captions_say_surrogate_not_real_and_are_else_the_papers(monkeypatch, examples):
    said = []

    def paragraph(text, _size_px, width_px):
        said.append(text)
        return np.full((20, width_px, 3), WHITE, dtype=np.uint8)

    monkeypatch.setattr("micromime.reporting.figures.panels.paragraph", paragraph)
    figure_4(*examples, "real")
    assert [text[:3] for text in said] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    assert said[3] == "(d) True masks for the real images."
    figure_4(*examples, "surrogate")
    assert ["surrogate, not real" in text for text in said[6:]] == [False, True] * 3
    assert not any("real images" in text or "True" in text for text in said[6:])


def test_a_written_figure_is_the_figure_and_the_same_bytes_each_time(tmp_path, examples):
    for name in ("one.png", "two.png"):
        write_figure_4(tmp_path / name, *examples, "real")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), figure_4(*examples, "real"))


def test_a_figure_of_one_kind_alone_is_refused(examples):
    for group in (([], examples[1]), (examples[0], [])):
        with pytest.raises(ValueError, match="at least one"):
            figure_4(*group, "real")
