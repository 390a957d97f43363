import numpy as np
import pytest

from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary


def small() -> Dictionary:
    rng = np.random.default_rng(0)
    patches, seeds, backgrounds = (
        rng.integers(0, 256, shape, np.uint8) for shape in ((5, 17, 17), (2, 32, 32), (3, 40, 40))
    )
    return Dictionary(patches, seeds, np.ones((40, 21), np.float32), backgrounds)


def test_what_is_written_is_read_and_the_same_gives_the_same_bytes(tmp_path):
    small().write(tmp_path / "a.npz")
    small().write(tmp_path / "deeper" / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "deeper" / "b.npz").read_bytes()
    read = Dictionary.read(tmp_path / "a.npz")
    assert all(np.array_equal(one, other) for one, other in zip(read, small(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [b"", b"no archive", {"patches": np.zeros((0, 17, 17), np.uint8)}, {"gain": np.ones((40, 21))}, {"seeds": None}],
)
def test_what_is_no_dictionary_is_one_sentence(tmp_path, wrong):
    file = tmp_path / "wrong.npz"
    if isinstance(wrong, bytes):
        file.write_bytes(wrong)
    else:
        arrays = small()._asdict() | wrong
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(Mistake, match=r"wrong\.npz is no dictionary of patches"):
        Dictionary.read(file)
