import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from micromime.mistakes import Mistake
from micromime.pictures import test_set as sources
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import NO_REAL_SET, Source, bring_in, choose_source

FEW = sources.TestSetParameters(simulator="grains", surrogate_count=2, surrogate_side_px=64, surrogate_seed=5)
SURROGATE = Source(kind="surrogate", reason=NO_REAL_SET, files={})


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """One folder a use case: grains, with two micrographs."""
    folder = tmp_path / "given" / "grains"
    folder.mkdir(parents=True)
    pictures = (np.full((3, 5), grey, np.uint8) for grey in (10, 20))
    write_micrographs([Micrograph(f"m{p[0, 0]}", "steel", p, p == 20) for p in pictures], folder)
    return folder


@pytest.fixture
def variable(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROMIME_REAL", str(given.parent))


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MICROMIME_REAL", raising=False)


@pytest.mark.usefixtures("variable")
def test_a_given_set_is_described_without_its_place(tmp_path: Path, given: Path) -> None:
    source = choose_source("grains", (), tmp_path / "s.json", lambda: pytest.fail("not asked"))
    assert source == Source(kind="real", reason=None, files=listed_files(given))
    source.write(tmp_path / "s.json")
    text = (tmp_path / "s.json").read_text()
    assert str(tmp_path) not in text
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert Source.read(tmp_path / "s.json") == source


@pytest.mark.usefixtures("variable")
def test_a_bad_set_is_a_mistake(tmp_path: Path, given: Path) -> None:
    (given / "masks/m10.png").unlink()
    with pytest.raises(Mistake, match=r"line 2: mask masks/m10\.png is not there"):
        choose_source("grains", (), tmp_path / "s.json", lambda: True)


@pytest.mark.usefixtures("variable")
def test_a_use_case_that_is_not_given_has_a_surrogate_that_says_so(tmp_path: Path) -> None:
    source = choose_source("cracks", (), tmp_path / "s.json", lambda: False)
    assert source == SURROGATE


@pytest.mark.usefixtures("variable")
def test_a_folder_with_no_use_case_at_all_is_mistyped() -> None:
    sources.check_given(["cracks", "grains"])
    with pytest.raises(Mistake, match="MICROMIME_REAL is set but has no folder cracks nor dents"):
        sources.check_given(["cracks", "dents"])


@pytest.mark.parametrize("emptied", [True, False])
def test_a_described_set_stays_while_it_is_stored(
    tmp_path: Path, given: Path, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    file = tmp_path / "s.json"
    real = Source(kind="real", reason=None, files=listed_files(given))
    real.write(file)
    monkeypatch.setenv("MICROMIME_REAL", "")
    if not emptied:
        monkeypatch.delenv("MICROMIME_REAL")
    assert choose_source("grains", (), file, lambda: True) == real
    assert choose_source("grains", (), file, lambda: False) == SURROGATE


@pytest.mark.usefixtures("unset")
def test_without_any_real_set_it_is_a_surrogate_with_a_reason(tmp_path: Path) -> None:
    assert choose_source("grains", (), tmp_path / "s.json", lambda: pytest.fail("not asked")) == SURROGATE
    SURROGATE.write(tmp_path / "s.json")
    assert choose_source("grains", (), tmp_path / "s.json", lambda: pytest.fail("not asked")) == SURROGATE


def test_an_unchanged_source_is_not_written_again(tmp_path: Path) -> None:
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
def test_a_file_that_is_no_source_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(Mistake, match=r"s\.json does not describe a test set .* delete it"):
        Source.read(tmp_path / "s.json")


def test_a_missing_source_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"s\.json is not there"):
        Source.read(tmp_path / "s.json")


def test_a_surrogate_is_made_with_its_source_beside_it(tmp_path: Path) -> None:
    bring_in(SURROGATE, tmp_path / "a" / "out", FEW, None, {})
    assert [each.image.shape for each in read_micrographs(tmp_path / "a" / "out")] == [(64, 64), (64, 64)]
    assert Source.read(tmp_path / "a" / "out" / "source.json") == SURROGATE
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


@pytest.mark.parametrize("from_store", [False, True])
def test_a_real_set_is_copied_file_by_file(tmp_path: Path, given: Path, from_store: bool) -> None:
    source = Source(kind="real", reason=None, files=listed_files(given))
    (given / "not_listed.txt").write_text("x")
    stale = tmp_path / "out" / "images" / "stale.png"
    stale.parent.mkdir(parents=True)
    stale.write_text("x")
    stored = {name: given / name for name in source.files} if from_store else {}
    bring_in(source, tmp_path / "out", FEW, None if from_store else given, stored)
    assert listed_files(tmp_path / "out") == source.files
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert files == {*source.files, "source.json"}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "masks/m10.png").write_text("x"), "m10.png has changed since .* `micromime sources`"),
        (lambda f: (f / "masks/m10.png").unlink(), "m10.png is no longer there"),
    ],
)
def test_a_set_that_changed_is_refused_and_leaves_the_old_one(
    tmp_path: Path, given: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    source = Source(kind="real", reason=None, files=listed_files(given))
    bring_in(SURROGATE, tmp_path / "out", FEW, None, {})
    spoil(given)
    with pytest.raises(Mistake, match=sentence):
        bring_in(source, tmp_path / "out", FEW, given, {})
    assert Source.read(tmp_path / "out" / "source.json").kind == "surrogate"
    assert not (tmp_path / "out.partial").exists()


def test_a_real_set_that_is_nowhere_is_a_mistake(tmp_path: Path, given: Path) -> None:
    source = Source(kind="real", reason=None, files=listed_files(given))
    with pytest.raises(Mistake, match="neither in the cache nor given: set MICROMIME_REAL, or run `make run`"):
        bring_in(source, tmp_path / "out", FEW, None, {})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"surrogate_count": 0}, {"surrogate_side_px": 8}, {"surrogate_seed": -1}, {"n": 1}])
def test_parameters_have_bounds(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        sources.TestSetParameters(**(FEW.model_dump() | wrong))
