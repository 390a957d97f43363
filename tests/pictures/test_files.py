import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from micromime.mistakes import Mistake
from micromime.pictures import files
from micromime.pictures.files import read_8_bit, read_picture, read_stored
from micromime.pictures.micrographs import read_micrographs

GREYS = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
STORED_AS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a[:, ::-1].T,
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: a[::-1].T,
}
"""By orientation tag: where its row 0 and column 0 lie in what is seen (TIFF 6.0, page 36), turned back."""


def save(path: Path, pixels: np.ndarray, tag: object = None, **options: object) -> None:
    """Save pixels with an orientation tag, as cameras do."""
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    if tag is not None:
        exif = PIL.Image.Exif()
        exif[274] = tag
        options["exif"] = exif
    picture.save(path, **options)


def refused(path: Path, page: int | None = None) -> str:
    with pytest.raises(Mistake) as caught:
        read_stored(path, "it", page)
    return str(caught.value)


@pytest.mark.parametrize("tag", STORED_AS)
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_picture_is_turned_as_a_viewer_shows_it(tmp_path: Path, ending: str, tag: int) -> None:
    seen = np.kron(GREYS, np.ones((8, 8), np.uint8))
    save(tmp_path / f"x.{ending}", STORED_AS[tag](seen), tag, **({"quality": 100} if ending == "jpg" else {}))
    read = read_picture(tmp_path / f"x.{ending}", "it")
    assert read.image.shape == seen.shape
    assert np.abs(read.image.astype(int) - seen).max() <= (3 if ending == "jpg" else 0)
    assert read.changes == ((f"it was turned as its orientation tag ({tag}) says",) if tag > 1 else ())


@pytest.mark.parametrize("tag", STORED_AS)
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("seen", [GREYS, GREYS.astype(np.uint16) * 257, GREYS.astype(">u2") * 257])
def test_tiffs_of_all_kinds_are_turned_once(
    tmp_path: Path, seen: np.ndarray, compression: str | None, tag: int
) -> None:
    """Opened by name, Pillow 13 exchanges the pixels of uncompressed ones that are turned by a quarter."""
    save(tmp_path / "x.tif", STORED_AS[tag](seen), tag, compression=compression)
    found = read_stored(tmp_path / "x.tif", "it")
    assert found.dtype == (np.uint8 if seen.dtype == np.uint8 else np.uint16)
    assert np.array_equal(found, seen)


@pytest.mark.parametrize("tag", [0, 9, 65535])
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_tag_that_means_nothing_leaves_it_upright(tmp_path: Path, ending: str, tag: int) -> None:
    save(tmp_path / f"x.{ending}", GREYS, tag)
    read = read_picture(tmp_path / f"x.{ending}", "it")
    assert (read.image.shape, read.changes) == ((4, 6), ())


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_tag_that_is_a_word_leaves_it_upright(tmp_path: Path, ending: str) -> None:
    word = struct.pack("<4sIHHHI4sI", b"II*", 8, 1, 274, 2, 2, b"6", 0)
    save(tmp_path / f"x.{ending}", GREYS, **({} if ending == "tif" else {"exif": b"Exif\0\0" + word}))
    if ending == "tif":
        tifffile.imwrite(tmp_path / "x.tif", GREYS, extratags=[(274, "s", 0, "6", True)])
    assert read_stored(tmp_path / f"x.{ending}", "it").shape == (4, 6)


def test_damaged_exif_leaves_it_upright(tmp_path: Path) -> None:
    PIL.Image.fromarray(GREYS).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM no such thing", quality=100)
    assert read_stored(tmp_path / "x.jpg", "it").shape == (4, 6)


def test_a_png_whose_tag_stands_behind_its_pixels_is_turned(tmp_path: Path) -> None:
    save(tmp_path / "x.png", STORED_AS[6](GREYS), 6)
    content = (tmp_path / "x.png").read_bytes()
    at = content.index(b"eXIf") - 4
    length = 12 + struct.unpack(">I", content[at : at + 4])[0]
    (tmp_path / "x.png").write_bytes(content[:at] + content[at + length : -12] + content[at:][:length] + content[-12:])
    assert np.array_equal(read_stored(tmp_path / "x.png", "it"), GREYS)


def test_sixteen_bits_are_kept_and_stretched_never_divided(tmp_path: Path) -> None:
    seen = GREYS.astype(np.uint16) * 5 + 1000
    for name in ("x.png", "x.tif"):
        save(tmp_path / name, seen)
        assert np.array_equal(read_stored(tmp_path / name, "it"), seen)
        read = read_picture(tmp_path / name, "it")
        assert (read.image.dtype, read.image.min(), read.image.max()) == (np.uint8, 0, 255)
        assert "were stretched over 0 to 255" in read.changes[0]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_sixteen_bits_of_any_order_are_read(tmp_path: Path, order: str, compression: str | None, tile: object) -> None:
    seen = np.random.default_rng(0).integers(0, 65536, (40, 30), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", seen, byteorder=order, compression=compression, tile=tile)
    assert np.array_equal(read_stored(tmp_path / "x.tif", "it"), seen)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_white_is_zero_black_is_not(tmp_path: Path, dtype: type) -> None:
    """Pillow 13 turns 8 bits about, and forgets it with 16."""
    tifffile.imwrite(tmp_path / "x.tif", GREYS.astype(dtype), photometric="miniswhite")
    assert np.array_equal(read_stored(tmp_path / "x.tif", "it"), np.iinfo(dtype).max - GREYS.astype(dtype))


@pytest.mark.parametrize(
    "pixels",
    [GREYS > 100, np.dstack([GREYS, GREYS * 0 + 255]), np.dstack([GREYS] * 3 + [GREYS * 0 + 255])],
    ids=["1 bit", "LA", "RGBA"],
)
def test_kinds_that_mean_one_thing_are_read(tmp_path: Path, pixels: np.ndarray) -> None:
    save(tmp_path / "x.png", pixels)
    assert np.array_equal(
        read_stored(tmp_path / "x.png", "it"), (pixels * np.uint8(255) if pixels.ndim == 2 else GREYS)
    )


def test_a_palette_of_greys_is_read(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(GREYS // 10)
    picture.putpalette([grey for index in range(24) for grey in [index * 10] * 3])
    for name in ("x.png", "x.tif", "x.bmp"):
        picture.save(tmp_path / name)
        assert np.array_equal(read_stored(tmp_path / name, "it"), GREYS)


def tiff(**options: object) -> bytes:
    tifffile.imwrite(file := io.BytesIO(), options.pop("data"), **options)
    return file.getvalue()


def pillow(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    picture.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


RGB16 = np.dstack([GREYS.astype(np.uint16) * 257] * 3)
REFUSED = {
    "colours of 16 bits": (tiff(data=RGB16, photometric="rgb"), "has 16 bits a colour"),
    "colours of 16 bits, a plane each": (
        tiff(data=RGB16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        "has 16 bits a colour",
    ),
    "floats": (tiff(data=GREYS.astype(np.float32)), "is of floating-point numbers; save it as grey of 8 or 16 bits"),
    "32 bits": (tiff(data=GREYS.astype(np.uint32)), "is of 32 bits a pixel; save it as grey of 8 or 16 bits"),
    "8 bits with a sign": (tiff(data=GREYS.astype(np.int8)), "has signed numbers; save it as"),
    "16 bits with a sign": (tiff(data=GREYS.astype(np.int16), byteorder=">"), "has signed numbers"),
    "CMYK": (pillow(PIL.Image.new("CMYK", (6, 4)), "TIFF"), "is of the kind CMYK; save it as grey of 8 or 16 bits"),
    "transparent": (pillow(PIL.Image.new("RGBA", (6, 4), (9, 9, 9, 254)), "PNG"), "has transparent pixels"),
    "transparent grey": (pillow(PIL.Image.new("L", (6, 4), 9), "PNG", transparency=9), "has transparent pixels"),
    "GIF": (pillow(PIL.Image.new("L", (6, 4)), "GIF"), "is cut off, or is no picture"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_kinds_are_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    content, sentence = REFUSED[kind]
    (tmp_path / "x").write_bytes(content)
    assert sentence in refused(tmp_path / "x")


@pytest.mark.parametrize("pixels", [GREYS > 100, GREYS.astype(np.uint16)])
def test_what_has_to_be_8_bit_is(tmp_path: Path, pixels: np.ndarray) -> None:
    save(tmp_path / "x.png", pixels)
    with pytest.raises(Mistake, match=r"is of 16? ?1? ?bits? a pixel; save it as 8-bit grey or RGB"):
        read_8_bit(tmp_path / "x.png", "it")


def pages(path: Path, count: int, **options: object) -> None:
    first, *others = (PIL.Image.fromarray(GREYS // 10 + page) for page in range(count))
    first.save(path, save_all=True, append_images=others, **options)


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_of_several_pages_one_has_to_be_named(tmp_path: Path, ending: str) -> None:
    pages(tmp_path / f"x.{ending}", 3)
    assert refused(tmp_path / f"x.{ending}") == "it has 3 pages; save the one that is meant as a file of its own."
    assert refused(tmp_path / f"x.{ending}", 0).endswith("or write its number, 1 to 3, in the column page.")
    assert refused(tmp_path / f"x.{ending}", 4) == "it has 3 pages, so no page 4; correct the cell page."
    for page in (1, 2, 3):
        assert np.array_equal(read_stored(tmp_path / f"x.{ending}", "it", page), GREYS // 10 + page - 1)


def test_every_page_is_turned_by_its_own_tag(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for tag in STORED_AS:
            stored = np.ascontiguousarray(STORED_AS[tag](GREYS))
            file.write(stored, extratags=[(274, "H", 1, tag, False)], contiguous=False, metadata=None)
    assert "has 8 pages" in refused(tmp_path / "x.tif")
    for tag in STORED_AS:
        assert np.array_equal(read_stored(tmp_path / "x.tif", "it", tag), GREYS)


def test_smaller_versions_of_a_page_do_not_count(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for pixels, kind in ((GREYS[:2, :3] + 1, 1), (GREYS, 0), (GREYS[::2], 1)):
            file.write(pixels, subfiletype=kind, contiguous=False, metadata=None)
    assert np.array_equal(read_stored(tmp_path / "x.tif", "it"), GREYS)


def test_a_page_of_an_unknown_kind_counts_and_cannot_be_read(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for pixels in (GREYS, GREYS.astype(np.float64), GREYS + 1):
            file.write(pixels, contiguous=False, metadata=None)
    assert "has 3 pages" in refused(tmp_path / "x.tif")
    assert "is no picture" in refused(tmp_path / "x.tif", 2)
    assert np.array_equal(read_stored(tmp_path / "x.tif", "it", 3), GREYS + 1)


def test_a_stack_of_imagej_behind_one_page_is_seen(tmp_path: Path) -> None:
    described = "ImageJ=1.53t\nimages=5\nslices=5\n"
    PIL.Image.fromarray(GREYS).save(tmp_path / "x.tif", tiffinfo={270: described})
    assert refused(tmp_path / "x.tif") == "it is a stack of 5 images; save the one that is meant as a file of its own."


def test_a_photograph_of_a_camera_with_a_preview_passes(tmp_path: Path) -> None:
    pages(tmp_path / "x.jpg", 2, format="MPO", quality=100)
    with PIL.Image.open(tmp_path / "x.jpg") as picture:
        assert (picture.format, picture.n_frames) == ("MPO", 2)
    assert np.abs(read_stored(tmp_path / "x.jpg", "it").astype(int) - GREYS // 10).max() <= 2


def test_every_page_is_bounded_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for pixels in (GREYS, np.zeros((60, 50), np.uint8)):
            file.write(pixels, contiguous=False, metadata=None)
    monkeypatch.setattr(files, "LARGEST_PX", 100)
    monkeypatch.setattr(PIL.Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    assert "has more than" in refused(tmp_path / "x.tif", 2)


def test_files_that_were_spoilt_get_a_sentence_or_are_read(tmp_path: Path) -> None:
    """Later pages whose tags are scrambled fail in ways of their own."""
    rng = np.random.default_rng(1)
    pages(tmp_path / "x.tif", 3)
    whole = (tmp_path / "x.tif").read_bytes()
    told = 0
    for _ in range(600):
        spoilt = np.frombuffer(whole, np.uint8).copy()
        spoilt[rng.integers(len(spoilt), size=3)] = rng.integers(256, size=3)
        (tmp_path / "x.tif").write_bytes(spoilt)
        try:
            read_stored(tmp_path / "x.tif", "it", 2)
        except Mistake:
            told += 1
    assert 30 < told < 570


def listed(folder: Path, *lines: str) -> Path:
    (folder / "images.csv").write_text("\n".join(["image,mask,source,page,rows", *lines, ""]))
    return folder


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_mask_belongs_to_what_a_viewer_shows_of_its_image(tmp_path: Path, ending: str) -> None:
    """A photograph taken upside down or on end, beside a mask drawn on what was seen, or turned as the image is."""
    seen = np.kron(GREYS, np.ones((8, 8), np.uint8))
    mask = np.where(seen > 150, 255, 0).astype(np.uint8)
    for tag in (3, 6):
        save(tmp_path / f"x.{ending}", STORED_AS[tag](seen), tag)
        save(tmp_path / "upright.png", mask)
        save(tmp_path / "turned.png", STORED_AS[tag](mask), tag)
        for name in ("upright.png", "turned.png"):
            [found] = read_micrographs(listed(tmp_path, f"x.{ending},{name},steel,,"))
            assert np.array_equal(found.mask, seen > 150)
            assert found.image[found.mask].min() > 150 - 8 > found.image[~found.mask].max() - 16
            assert found.changes == (f"it was turned as its orientation tag ({tag}) says",)


def test_pages_of_one_file_are_micrographs_of_their_own(tmp_path: Path) -> None:
    pages(tmp_path / "stack.tif", 3)
    first, *others = (PIL.Image.fromarray(np.uint8(255) * (10 * n == GREYS)) for n in range(3))
    first.save(tmp_path / "masks.tif", save_all=True, append_images=others)
    first.save(tmp_path / "mask.png")
    lines = ["stack.tif,masks.tif,steel,2,", "stack.tif,masks.tif,steel,03,", "stack.tif,mask.png,steel,1,"]
    second, third, one = read_micrographs(listed(tmp_path, *lines))
    assert [each.name for each in (second, third, one)] == ["stack#2", "stack#3", "stack#1"]
    for number, each in ((1, second), (2, third), (0, one)):
        assert np.array_equal(each.mask, 10 * number == GREYS)
        assert each.image.shape == (4, 6)
    for line, sentence in {
        "stack.tif,masks.tif,steel,2,": "line 3: the name 'stack#2' stands in line 2 too",
        "stack.tif,masks.tif,steel,,": "image stack.tif has 3 pages; save .* 1 to 3, in the column page",
        "mask.png,masks.tif,steel,,": "mask masks.tif has 3 pages; save the one that is meant as a file of its own.$",
        "mask.png,mask.png,steel,2,": "image mask.png has 1 page, so no page 2",
        "stack.tif,mask.png,steel,0,": "line 3: page '0' is no page; write its number, counted from 1",
        "stack.tif,mask.png,steel,first,": "line 3: page 'first' is no page",
    }.items():
        with pytest.raises(Mistake, match=sentence):
            read_micrographs(listed(tmp_path, lines[0], line))


def test_rows_cut_image_and_mask_alike(tmp_path: Path) -> None:
    seen = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    seen[30:] = 0
    save(tmp_path / "x.png", seen)
    save(tmp_path / "m.png", np.where(seen > 200, 255, 0).astype(np.uint8))
    [found] = read_micrographs(listed(tmp_path, "x.png,m.png,steel,,5-29"))
    assert np.array_equal(found.image, seen[5:30])
    assert np.array_equal(found.mask, seen[5:30] > 200)


def test_greys_outside_the_rows_do_not_stretch_them(tmp_path: Path) -> None:
    seen = np.full((40, 30), 65535, np.uint16)
    seen[:30] = 1000 + np.arange(30)
    save(tmp_path / "x.png", seen)
    save(tmp_path / "m.png", np.eye(40, 30, dtype=np.uint8) * 255)
    [found] = read_micrographs(listed(tmp_path, "x.png,m.png,steel,,0-29"))
    assert (found.image.min(), found.image.max()) == (0, 255)
    assert found.changes == ("its greys from 1000 to 1029 were stretched over 0 to 255",)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("0-40", "image x.png has the rows 0 to 39, so not 0-40; correct the cell rows"),
        ("29-5", "rows '29-5' names no rows; write the first and the last"),
        ("29", "rows '29' names no rows"),
        ("0-all", "line 2: rows '0-all' names no rows"),
        ("-1-20", "names no rows"),
    ],
)
def test_rows_that_are_none_are_named(tmp_path: Path, cell: str, sentence: str) -> None:
    save(tmp_path / "x.png", np.zeros((40, 30), np.uint8))
    with pytest.raises(Mistake, match=sentence):
        read_micrographs(listed(tmp_path, f"x.png,x.png,steel,,{cell}"))


def test_a_mask_is_compared_before_rows_are_cut(tmp_path: Path) -> None:
    save(tmp_path / "x.png", np.zeros((40, 30), np.uint8))
    save(tmp_path / "m.png", np.zeros((30, 30), np.uint8))
    with pytest.raises(Mistake, match=r"differ in size \(30 x 40 and 30 x 30 px\)"):
        read_micrographs(listed(tmp_path, "x.png,m.png,steel,,0-29"))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (
            np.where(GREYS > 60, 255, 0),
            r"mask m.png is 255 on 70.8% of it, more than half; if it is inverted, .* thinner\.$",
        ),
        (GREYS * 0 + 255, "is 255 on 100.0% of it"),
        (np.where(GREYS > 150, 1, 0), "holds the grey 1; it may hold only 0 and 255: save it with 255 on what is"),
        (np.where(GREYS > 150, 65535, 0).astype(np.uint16), "is of 16 bits a pixel; save it as 8-bit grey"),
    ],
)
@pytest.mark.parametrize("maskless", [False, True])
def test_a_mask_that_means_something_else_is_refused(
    tmp_path: Path, mask: np.ndarray, sentence: str, maskless: bool
) -> None:
    save(tmp_path / "x.png", GREYS)
    save(tmp_path / "m.png", mask.astype(np.uint16 if mask.max() > 255 else np.uint8))
    with pytest.raises(Mistake, match=sentence):
        read_micrographs(listed(tmp_path, "x.png,m.png,steel,,"), maskless)
    save(tmp_path / "m.png", np.where(GREYS >= 120, 255, 0).astype(np.uint8))
    assert read_micrographs(listed(tmp_path, "x.png,m.png,steel,,"))[0].mask.mean() == 0.5


@pytest.mark.parametrize("maskless", [False, True])
def test_a_mask_is_inverted_or_empty_in_the_rows_that_are_read(tmp_path: Path, maskless: bool) -> None:
    save(tmp_path / "x.png", GREYS)
    inverted = np.where(GREYS > 0, 255, 0).astype(np.uint8)
    inverted[2:] = 0
    save(tmp_path / "m.png", inverted)
    with pytest.raises(Mistake, match=r"mask m.png is 255 on 91.7% of it, more than half; if it is inverted"):
        read_micrographs(listed(tmp_path, "x.png,m.png,steel,,0-1"), maskless)
    empty = listed(tmp_path, "x.png,m.png,steel,,2-3")
    if maskless:
        assert not read_micrographs(empty, maskless)[0].mask.any()
    else:
        with pytest.raises(Mistake, match=r"mask m\.png is 0 everywhere in what is read"):
            read_micrographs(empty)
