import json
import unicodedata

import numpy as np
import pytest
from pydantic import ValidationError

from micromime.mistakes import Mistake
from micromime.pictures import test_set as module
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import NO_REAL_SET, ORIGIN_FILE, VARIABLE, Origin, bring_in, choose_origin

FEW = module.TestSetParameters(simulator="grains", surrogate_count=2, surrogate_side_px=64, surrogate_seed=5)
SURROGATE = Origin(kind="surrogate", reason=NO_REAL_SET, files={})


@pytest.fixture
def given(tmp_path, monkeypatch):
    """One folder a use case: grains, with two micrographs; the working directory has none."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "given" / "grains"
    folder.mkdir(parents=True)
    pictures = (np.full((3, 5), grey, np.uint8) for grey in (10, 20))
    mask = np.eye(3, 5, dtype=np.bool_)
    write_micrographs([Micrograph(f"m{p[0, 0]}", "steel", p, mask) for p in pictures], folder)
    monkeypatch.setenv(VARIABLE, str(folder.parent))
    return folder


@pytest.fixture
def real(given):
    return Origin(kind="real", reason=None, files=listed_files(given))


def places(folder, origin):
    return {name: folder / name for name in origin.files}


def test_a_given_set_is_described_without_its_place(tmp_path, real):
    origin = choose_origin("grains", ())
    assert origin == real
    origin.write(tmp_path / "s.json")
    text = (tmp_path / "s.json").read_text()
    assert str(tmp_path) not in text
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert Origin.read(tmp_path / "s.json") == origin


def test_a_bad_set_is_a_mistake(given):
    (given / "masks/m10.png").unlink()
    with pytest.raises(Mistake, match=r"line 2: mask masks/m10\.png is not there"):
        choose_origin("grains", ())


@pytest.mark.parametrize("variable", [None, "", "given"])
def test_without_a_real_set_it_is_a_surrogate_that_says_so(tmp_path, real, monkeypatch, variable):
    """Where the variable gives none, and also where a real one is described, if nothing has stored it."""
    monkeypatch.delenv(VARIABLE)
    if variable is not None:
        monkeypatch.setenv(VARIABLE, variable and str(tmp_path / variable))
    assert choose_origin("cracks", ()) == SURROGATE
    SURROGATE.write(tmp_path / "data/sources/cracks.json")
    assert choose_origin("cracks", ()) == SURROGATE
    real.write(tmp_path / "data/sources/cracks.json")
    assert choose_origin("cracks", ()) == SURROGATE


@pytest.mark.usefixtures("given")
def test_a_folder_with_no_use_case_at_all_is_mistyped():
    module.check_given(["cracks", "grains"])
    with pytest.raises(Mistake, match="MICROMIME_REAL is set but has no folder cracks nor dents"):
        module.check_given(["cracks", "dents"])


def test_the_folder_of_a_use_case_itself_is_told_from_the_one_above_it(given, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(given))
    with pytest.raises(Mistake, match=rf"folder of one test set \({given}\); name {given.parent}\.$"):
        module.check_given(["cracks", "grains"])
    with pytest.raises(Mistake, match="put its files into a folder in it, called cracks or dents"):
        module.check_given(["cracks", "dents"])


@pytest.mark.parametrize("name", ["grain-boundaries", "Grain_boundaries", "grain_boundary", "grain boundaries"])
def test_a_folder_that_is_nearly_called_like_a_use_case_is_told(name, tmp_path, monkeypatch):
    (tmp_path / "chip_cracks").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    module.check_given(["chip_cracks", "grain_boundaries"])
    (tmp_path / name).mkdir()
    with pytest.raises(Mistake, match=rf"has a folder {name} .*, but none called grain_boundaries; rename it\.$"):
        module.check_given(["chip_cracks", "grain_boundaries"])


def test_an_unchanged_origin_is_not_written_again(tmp_path):
    file = tmp_path / "new" / "s.json"
    SURROGATE.write(file)
    before = file.stat()
    SURROGATE.write(file)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    SURROGATE.model_copy(update={"reason": "another"}).write(file)
    assert "another" in file.read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'{"kind": "real", "reason": null, "files": {}}',
        b'{"kind": "real", "reason": "why", "files": {"images.csv": "0"}}',
        b'{"kind": "surrogate", "reason": null, "files": {}}',
        b'{"kind": "surrogate", "reason": "why", "files": {"images.csv": "0"}}',
        b'{"kind": "real", "reason": null, "files": {"images.csv": "0", "../x": "0"}}',
    ],
)
def test_a_file_that_is_no_origin_is_a_mistake(tmp_path, content):
    with pytest.raises(Mistake, match=r"s\.json is not there"):
        Origin.read(tmp_path / "s.json")
    (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(Mistake, match=r"s\.json does not describe a test set .* delete it"):
        Origin.read(tmp_path / "s.json")


def test_a_surrogate_is_made_with_its_origin_beside_it(tmp_path):
    bring_in(SURROGATE, tmp_path / "a" / "out", FEW, {})
    assert [each.image.shape for each in read_micrographs(tmp_path / "a" / "out")] == [(64, 64), (64, 64)]
    assert module.tested_on(tmp_path / "a" / "out", "g") == {"kind": "surrogate", "name": "g", "reason": NO_REAL_SET}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_a_real_set_is_copied_file_by_file(tmp_path, given, real):
    (given / "not_listed.txt").write_text("x")
    stale = tmp_path / "out" / "images" / "stale.png"
    stale.parent.mkdir(parents=True)
    stale.write_text("x")
    bring_in(real, tmp_path / "out", FEW, places(given, real))
    assert listed_files(tmp_path / "out") == real.files
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert files == {*real.files, ORIGIN_FILE}


def test_a_list_as_windows_and_macs_write_it_is_copied_with_what_it_names(tmp_path, given):
    """Backslashes, semicolons, UTF-16; and a name whose accents macOS divides from their letters."""
    (given / "images/m10.png").rename(given / unicodedata.normalize("NFD", "images/K\u00f6rner.png"))
    text = (
        (given / "images.csv")
        .read_text()
        .replace("/", "\\")
        .replace(",", ";")
        .replace("images\\m10", "images\\K\u00f6rner")
    )
    (given / "images.csv").write_bytes(text.encode("utf-16"))
    origin = choose_origin("grains", ())
    bring_in(origin, tmp_path / "out", FEW, places(given, origin))
    assert all((tmp_path / "out" / name).is_file() for name in origin.files)
    found, given_ones = read_micrographs(tmp_path / "out"), read_micrographs(given)
    assert [unicodedata.normalize("NFC", each.name) for each in found] == ["K\u00f6rner", "m20"]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(found, given_ones, strict=True))
    assert listed_files(tmp_path / "out") == origin.files


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "masks/m10.png").write_text("x"), "m10.png has changed since .* `micromime sources`"),
        (lambda f: (f / "masks/m10.png").unlink(), "m10.png is no longer there"),
    ],
)
def test_a_set_that_changed_is_refused_and_leaves_the_old_one(tmp_path, given, real, spoil, sentence):
    bring_in(SURROGATE, tmp_path / "out", FEW, {})
    spoil(given)
    with pytest.raises(Mistake, match=sentence):
        bring_in(real, tmp_path / "out", FEW, places(given, real))
    assert Origin.read(tmp_path / "out" / ORIGIN_FILE).kind == "surrogate"
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("wrong", [{"surrogate_count": 0}, {"surrogate_side_px": 8}, {"surrogate_seed": -1}, {"n": 1}])
def test_parameters_have_bounds(wrong):
    with pytest.raises(ValidationError):
        module.TestSetParameters(**(FEW.model_dump() | wrong))
