import numpy as np
import PIL.Image
import pytest

from micromime.mistakes import Mistake
from micromime.pictures import sizes
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.sizes import check_px, check_seen_whole, largest, millions
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import VARIABLE, Origin, choose_origin


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Micrographs of 15 and 28 pixels as this machine gives them; networks see up to 20 whole."""
    folder = tmp_path / "given" / "grains"
    folder.mkdir(parents=True)
    pictures = {"small": np.zeros((3, 5), np.uint8), "large": np.zeros((7, 4), np.uint8)}
    masks = {name: np.eye(*each.shape, dtype=np.bool_) for name, each in pictures.items()}
    write_micrographs([Micrograph(name, "steel", each, masks[name]) for name, each in pictures.items()], folder)
    monkeypatch.setenv(VARIABLE, str(folder.parent))
    monkeypatch.setattr(sizes, "LARGEST_WHOLE_PX", 20)
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_largest_picture_is_found_by_headers_and_lists_are_none(given, tmp_path):
    assert largest({name: given / name for name in listed_files(given)}) == ("images/large.png", 28)
    assert largest({"images.csv": given / "images.csv", "gone.png": tmp_path / "gone.png"}) == ("", 0)


def test_a_picture_that_networks_cannot_see_whole_is_refused_before_training(given):
    wanted = r"^images/large\.png has 0\.1 million .*, and networks see pictures whole, up to 0 million; cut it and its"
    with pytest.raises(Mistake, match=wanted):
        choose_origin("grains", ())
    PIL.Image.fromarray(np.zeros((4, 5), np.uint8)).save(given / "images/large.png")
    PIL.Image.fromarray(np.eye(4, 5, dtype=np.uint8) * 255).save(given / "masks/large.png")
    assert choose_origin("grains", ()).kind == "real"


def two_pages(folder, pages):
    """Write a list of the second page of a picture, and of its mask."""
    for name, (first, second) in (("x", [page // 2 for page in pages]), ("m", pages)):
        more = [PIL.Image.fromarray(second)]
        PIL.Image.fromarray(first).save(folder / f"{name}.tif", save_all=True, append_images=more)
    (folder / "images.csv").write_text("image,mask,source,page\nx.tif,m.tif,steel,2\n")


def test_the_page_that_is_read_counts_and_not_the_first_one(given):
    small, large = (np.eye(*shape, dtype=np.uint8) * 255 for shape in ((3, 5), (7, 4)))
    two_pages(given, [small, large])
    with pytest.raises(Mistake, match=r"^x\.tif has 0\.1 million"):
        choose_origin("grains", ())
    two_pages(given, [large, small])
    assert largest({name: given / name for name in listed_files(given)}) == ("x.tif", 15)
    assert choose_origin("grains", ()).kind == "real"


@pytest.mark.parametrize("ending", ["tif", "jpg"])
@pytest.mark.parametrize("tag", [1, 3, 6])
def test_rows_that_are_cut_off_do_not_count(given, tmp_path, ending, tag):
    """An information strip below a picture of the largest size that is seen, also where it was stored lying."""
    stored = np.zeros((4, 7) if tag == 6 else (7, 4), np.uint8)
    exif = PIL.Image.Exif()
    exif[274] = tag
    PIL.Image.fromarray(stored).save(given / f"x.{ending}", exif=exif)
    PIL.Image.fromarray(np.eye(7, 4, dtype=np.uint8) * 255).save(given / "m.png")
    (given / "images.csv").write_text(f"image,mask,source,rows\nx.{ending},m.png,steel,0-4\n")
    assert read_micrographs(given)[0].image.size == 20
    assert largest({name: given / name for name in listed_files(given)}) == (f"x.{ending}", 20)
    assert choose_origin("grains", ()).kind == "real"
    stored_elsewhere = {name: given / name for name in (f"x.{ending}", "m.png")}
    (given / "images.csv").replace(tmp_path / "by_hash")  # as DVC's cache has it
    assert largest({**stored_elsewhere, "images.csv": tmp_path / "by_hash"}) == (f"x.{ending}", 20)


def test_so_is_one_of_a_set_that_was_stored_before_there_was_a_bound(given, tmp_path, monkeypatch):
    origin = Origin(kind="real", reason=None, files=listed_files(given))
    origin.write(tmp_path / "data/sources/grains.json")
    monkeypatch.delenv(VARIABLE)
    stored = {name: given / name for name in origin.files}
    monkeypatch.setattr("micromime.pictures.test_set.stored_files", lambda _: stored)
    with pytest.raises(Mistake, match="cut it and its mask"):
        choose_origin("grains", ())


def test_photographs_that_tiles_are_cut_from_may_be_larger(given, monkeypatch):
    monkeypatch.setattr("micromime.pictures.test_set.read_tiles", lambda *_: None)
    monkeypatch.setattr("micromime.pictures.test_set.tile_files", lambda _: {})
    assert choose_origin("grains", ("whole", "cracked")).kind == "real"
    with pytest.raises(Mistake):
        check_seen_whole({"a.png": given / "images/large.png"})


def test_the_bound_is_12_million_and_a_picture_above_it_looks_so():
    check_px("a", 12 * 2**20, "cut it")
    with pytest.raises(Mistake, match=r"a has 12\.1 million \(2\^20\) pixels, and .* up to 12 million; cut it\."):
        check_px("a", 12 * 2**20 + 1, "cut it")
    assert millions(4000 * 3000) == "11.5 million (2^20) pixels"
