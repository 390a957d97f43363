import hashlib
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from micromime.mistakes import Mistake
from micromime.pictures import files
from micromime.pictures.lists import stays_inside
from micromime.pictures.micrographs import listed_files, read_micrographs

GREYS = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(folder / name)


def write_list(folder: Path, *lines: str, columns: str = "image,mask,source,material") -> None:
    (folder / "images.csv").write_text("\n".join([columns, *lines, ""]), encoding="utf-8-sig")


def png_16_bit_rgb() -> bytes:
    """A whole 1 x 1 PNG with 16 bits a channel, which Pillow cannot write."""
    body = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(7))), (b"IEND", b"")):
        body += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, "images/b.png", GREYS)
    save(tmp_path, "masks/b.png", np.where(GREYS > 120, 255, 0).astype(np.uint8))
    save(tmp_path, "images/a.bmp", np.dstack([GREYS[:3], GREYS[:3] // 2, GREYS[:3] * 0]))
    save(tmp_path, "masks/other name.png", np.eye(3, 6, dtype=np.uint8) * 255)
    write_list(tmp_path, "images/b.png,masks/b.png,steel,x", 'images/a.bmp,masks/other name.png,"iron, pure",')
    return tmp_path


def test_micrographs_keep_the_order_of_the_list_and_their_own_sizes(folder: Path) -> None:
    first, second = read_micrographs(folder)
    assert (first.name, first.source, second.name, second.source) == ("b", "steel", "a", "iron, pure")
    assert np.array_equal(first.image, GREYS)
    assert first.mask.dtype == bool
    assert np.array_equal(first.mask, GREYS > 120)
    assert second.image.shape == (3, 6)
    assert np.array_equal(second.mask, np.eye(3, 6, dtype=bool))


def test_rgb_becomes_luma(folder: Path) -> None:
    assert read_micrographs(folder)[1].image[2, 5] == round(0.299 * 170 + 0.587 * 85)


def test_a_scale_is_read_where_there_is_one(folder: Path) -> None:
    assert [each.um_per_px for each in read_micrographs(folder)] == [None, None]
    lines = ["images/b.png,masks/b.png,steel, 0.2252 ", "images/a.bmp,masks/other name.png,iron"]
    write_list(folder, *lines, columns="image,mask,source,um_per_px")
    assert [each.um_per_px for each in read_micrographs(folder)] == [0.2252, None]


@pytest.mark.parametrize("cell", ["0", "-0.2", "nan", "inf", "0.2 um", '"0,2"'])
def test_a_scale_that_is_no_positive_number_is_named(folder: Path, cell: str) -> None:
    write_list(folder, f"images/b.png,masks/b.png,steel,{cell}", columns="image,mask,source,um_per_px")
    written = re.escape(repr(cell.strip('"')))
    with pytest.raises(Mistake, match=rf"images\.csv line 2: um_per_px {written} is no positive number; write one"):
        read_micrographs(folder)


def test_listed_files_are_the_list_and_what_it_names(folder: Path) -> None:
    (folder / "notes.txt").write_text("not listed")
    found = listed_files(folder)
    assert sorted(found) == ["images.csv", "images/a.bmp", "images/b.png", "masks/b.png", "masks/other name.png"]
    for name, digest in found.items():
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()


ROW = "images/b.png,masks/b.png,steel,x"


def copied(folder: Path) -> None:
    """List the first picture a second time, under another name."""
    save(folder, "images/a.bmp", GREYS)
    write_list(folder, ROW, "images/a.bmp,masks/b.png,iron,")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no list": (lambda f: (f / "images.csv").unlink(), "images.csv is not there"),
    "list is a picture": (lambda f: (f / "images/b.png").replace(f / "images.csv"), "is not a table"),
    "column": (lambda f: write_list(f, "b.png,steel", columns="image,source"), "lacks the column mask"),
    "no images": (write_list, "lists no images"),
    "empty list": (lambda f: (f / "images.csv").write_text(""), "lacks the column image"),
    "empty mask cell": (lambda f: write_list(f, "images/b.png,,steel,x"), "line 2: the cell mask is empty"),
    "short line": (lambda f: write_list(f, ROW, "images/a.bmp"), "line 3: the cell mask is empty"),
    "no source": (lambda f: write_list(f, "images/b.png,masks/b.png, ,x"), "the cell source is empty"),
    "leaves": (lambda f: write_list(f, "../b.png,masks/b.png,steel,x"), r"'\.\./b\.png' leaves the folder"),
    "twice": (lambda f: write_list(f, ROW, ROW), "line 3: the name 'b' stands in line 2 too"),
    "copy": (copied, "line 3: image .*/a.bmp has the pixels of that in .* line 2; list each picture once"),
    "one source": (
        lambda f: write_list(f, ROW, "images/a.bmp,m,Steel,"),
        "line 3: source 'Steel' is 'steel' in .* line 2",
    ),
    "image missing": (lambda f: (f / "images/b.png").unlink(), "line 2: image images/b.png is not there"),
    "mask missing": (lambda f: (f / "masks/b.png").unlink(), "line 2: mask masks/b.png is not there"),
    "sizes": (lambda f: save(f, "masks/b.png", GREYS.T * 0), r"differ in size \(6 x 4 and 4 x 6 px\)"),
    "mask of greys": (lambda f: save(f, "masks/b.png", GREYS // 255 + 1), "masks/b.png holds the grey 1"),
    "empty mask": (
        lambda f: save(f, "masks/b.png", GREYS * 0),
        "line 2: mask masks/b.png is 0 everywhere in what is read, so no boundary could be found; save it with 255 on",
    ),
    "mask for image": (
        lambda f: write_list(f, "masks/b.png,masks/b.png,steel,x"),
        "line 2: image masks/b.png and its mask masks/b.png are the same picture; name the micrograph that the mask",
    ),
    "no picture": (lambda f: (f / "images/b.png").write_text("hello"), "is cut off, or is no picture"),
    "empty file": (lambda f: (f / "images/b.png").write_text(""), "is cut off, or is no picture"),
    "16 bit rgb": (lambda f: (f / "images/b.png").write_bytes(png_16_bit_rgb()), "has 16 bits a colour"),
    "transparent": (lambda f: save(f, "images/b.png", np.zeros((4, 6, 4), np.uint8)), "has transparent pixels"),
    "1 bit": (lambda f: save(f, "masks/b.png", GREYS > 100), "mask masks/b.png is of 1 bit a pixel; save it as 8-bit"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_bad_set_gets_one_clear_sentence(folder: Path, fault: str) -> None:
    spoil, sentence = SPOILT[fault]
    spoil(folder)
    with pytest.raises(Mistake, match=sentence) as caught:
        read_micrographs(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "bmp"])
def test_a_file_cut_off_anywhere_is_said_to_be(folder: Path, ending: str) -> None:
    save(folder, f"images/c.{ending}", np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    write_list(folder, f"images/c.{ending},masks/b.png,steel,")
    whole = (folder / f"images/c.{ending}").read_bytes()
    for share in (0.02, 0.3, 0.7, 0.9):
        (folder / f"images/c.{ending}").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(Mistake, match="is cut off, or is no picture"):
            read_micrographs(folder)


@pytest.mark.parametrize("side", [9_000, 10_500, 60_000])
def test_a_huge_picture_is_refused_by_its_header(folder: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """Above 64 Mi pixels by our own bound, above 89 M by Pillow's warning, above 179 M by its error."""
    body = bytearray((folder / "images/b.png").read_bytes())
    body[16:24] = struct.pack(">II", side, side)
    body[29:33] = struct.pack(">I", zlib.crc32(body[12:29]))
    (folder / "images/b.png").write_bytes(body)
    monkeypatch.setattr(PIL.Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(Mistake, match="more than 64 million"):
        read_micrographs(folder)


def test_the_bound_itself_is_allowed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_PX", 24)
    assert len(read_micrographs(folder)) == 2
    monkeypatch.setattr(files, "LARGEST_PX", 23)
    with pytest.raises(Mistake, match="has more than"):
        read_micrographs(folder)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", r"C:\x", "C:x", r"..\x", r"\\host\x", "", "."])
def test_names_that_leave_the_folder(name: str) -> None:
    assert not stays_inside(name)


@pytest.mark.parametrize("name", ["x.png", "images/x y.png", r"images\x.png", "a..b/..c"])
def test_names_that_stay_inside(name: str) -> None:
    assert stays_inside(name)


@pytest.mark.skipif(
    not os.environ.get("MICROMIME_REAL"), reason="MICROMIME_REAL is not set: no real set on this machine"
)
def test_the_real_set_of_this_machine_is_whole():
    micrographs = read_micrographs(Path(os.environ["MICROMIME_REAL"]) / "grain_boundaries")
    assert micrographs
    assert all(each.mask.mean() > 0 for each in micrographs)
    assert len({each.name for each in micrographs}) == len(micrographs)
