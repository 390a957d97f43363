from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from drawn_strips import STRIPS, Strip
from PIL import ImageDraw, ImageFont

from micromime.mistakes import Mistake
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.strips import check_no_strip, strip_in
from micromime.pictures.surrogates import grains, parts
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.use_cases import instance_kind

PARAMS = Path(__file__).parents[2] / "params.yaml"


def rendered(rows: int, cols: int, seed: int, styles: list[str]) -> list[np.ndarray]:
    """Return a picture of each style."""
    tree = read_tree(PARAMS)["grain_boundaries"]["scenario"] | {"rows": rows, "cols": cols}
    pictures = []
    for style in styles:
        only = {name: {**each, "weight": float(name == style)} for name, each in tree["styles"].items()}
        scenario = Scenario.read(instance_kind("grain_boundaries"), tree | {"styles": only}, "scenario")
        pictures.append(scenario.draw_one(seed, 0, "instance").render().image)
    return pictures


STYLES = [*read_tree(PARAMS)["grain_boundaries"]["scenario"]["styles"]]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return rendered(360, 480, 1, STYLES)


def test_what_is_rendered_has_no_strip(pictures: list[np.ndarray]) -> None:
    small = [each for seed in range(3) for each in rendered(128, 128, seed, STYLES)]
    assert [strip_in(each) for each in [*pictures, *small]] == [None] * (len(pictures) + len(small))


def test_surrogates_and_their_masks_have_no_strip(tmp_path: Path) -> None:
    grains.write(3, 256, 0, tmp_path)
    parts.write(2, 256, 0, tmp_path / "parts")
    found = {path: strip_in(np.array(PIL.Image.open(path))) for path in tmp_path.rglob("*s/*.png")}
    assert len(found) >= 12
    assert not any(found.values())


@pytest.mark.parametrize("name", STRIPS)
def test_a_drawn_strip_is_found_where_it_lies(pictures: list[np.ndarray], name: str) -> None:
    """But for a white one on white grains, which nothing parts from it: in one style of `STYLES`."""
    missed = []
    for style, picture in zip(STYLES, pictures, strict=True):
        with_strip, rows = STRIPS[name].on(picture)
        if found := strip_in(with_strip):
            assert np.abs(np.subtract(found, rows)).max() <= 4  # a specimen's own plain rows may pass for a line
        else:
            missed.append(style)
    assert set(missed) <= ({"clean_etch"} if STRIPS[name].ground == 255 else set())


def test_a_strip_of_16_bits_or_of_few_greys_is_found(pictures: list[np.ndarray]) -> None:
    for picture in pictures:
        with_strip, rows = STRIPS["FEI"].on(picture)
        for stored in (with_strip.astype(np.uint16) * 16 + 300, with_strip // 16 + 9):
            assert strip_in(stored) == rows


def test_letters_on_the_specimen_are_no_strip(pictures: list[np.ndarray]) -> None:
    for picture in pictures:
        written = PIL.Image.fromarray(picture)
        ImageDraw.Draw(written).text((8, 320), "20.0 kV  x500  50 um", 255, ImageFont.load_default(24))
        assert strip_in(np.array(written)) is None


@pytest.mark.parametrize(
    "picture", [np.zeros((200, 300), np.uint8), np.eye(90, dtype=np.uint16), np.ones((3, 5), np.uint8)]
)
def test_plain_and_tiny_pictures_have_none(picture: np.ndarray) -> None:
    assert strip_in(picture) is None


@pytest.mark.parametrize(
    ("name", "rows", "left"), [("FEI", "335 to 359", "0-334"), ("at the top, JPEG", "0 to 28", "29-359")]
)
def test_a_set_with_a_strip_is_refused_until_rows_are_named(
    tmp_path: Path, pictures: list[np.ndarray], name: str, rows: str, left: str
) -> None:
    picture = STRIPS[name].on(pictures[1])[0]
    PIL.Image.fromarray(picture).save(tmp_path / "x.png")
    PIL.Image.fromarray(np.eye(*picture.shape, dtype=np.uint8) * 255).save(tmp_path / "m.png")

    def listed(cell: str) -> Path:
        (tmp_path / "images.csv").write_text(f"image,mask,source,rows\nx.png,m.png,steel,{cell}\n")
        return tmp_path

    sentence = (
        f"image x.png: rows {rows} look like the information strip of a microscope; write {left} in the column rows, "
        "or 0-359 if all of it shows the specimen."
    )
    with pytest.raises(Mistake) as caught:
        read_micrographs(listed(""))
    assert str(caught.value).endswith(sentence)
    [found] = read_micrographs(listed(left))
    first, last = (int(row) for row in left.split("-"))
    assert np.array_equal(found.image, picture[first : last + 1])
    assert len(read_micrographs(listed("0-359"))[0].image) == 360


def test_strips_at_both_ends_are_named_together(pictures: list[np.ndarray]) -> None:
    """Once rows are named nothing is looked for: the advice must not leave a strip."""
    for picture in pictures:
        both = STRIPS["FEI"].on(STRIPS["at the top, black"].on(picture)[0])[0]
        sentence = (
            r"it: rows 0 to 2\d and 335 to 359 look like information strips of a microscope; write 2\d-334 in the "
            "column rows, or 0-359 if all of it shows the specimen"
        )
        with pytest.raises(Mistake, match=sentence):
            check_no_strip(both, "it")


@pytest.mark.parametrize("grey", [0, 255])
def test_a_strip_with_a_plain_margin_below_it_is_found_with_it(pictures: list[np.ndarray], grey: int) -> None:
    for picture in pictures:
        with_strip, (first, _) = STRIPS["JEOL: white on black, small"].on(picture)
        laid_out = np.concatenate([with_strip, np.full((9, picture.shape[1]), grey, np.uint8)])
        assert strip_in(laid_out) == (first, len(laid_out) - 1)
        assert strip_in(np.concatenate([picture, laid_out[-9:]])) is None


def test_of_a_strip_that_is_larger_than_any_all_is_named(pictures: list[np.ndarray]) -> None:
    large = Strip(0.32, lines=3, text=1)
    for picture in pictures:
        with_strip, (first, _) = large.on(picture)
        with pytest.raises(
            Mistake, match=rf"it: rows {first} to 359 look like the information strip .*; write 0-{first - 1}"
        ):
            check_no_strip(with_strip, "it")
