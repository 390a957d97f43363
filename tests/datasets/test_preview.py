import numpy as np
from PIL import Image as Picture

from micromime.datasets.render import BOUNDARY, write_preview
from micromime.datasets.store import Dataset, write_arrays, write_description
from micromime.scenario.scenario import Sample


def made(folder, count):
    """A data set of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 72, 96), np.uint8)
    write_arrays(
        folder / "shard-00000",
        [Sample(image, image > 200) for image in noise],
        [{"id": f"{n:06d}"} for n in range(count)],
    )
    write_description(folder, {})
    return Dataset(folder)


def test_the_sheet_shows_images_and_masks(tmp_path):
    dataset = made(tmp_path, 4)
    write_preview(dataset, tmp_path / "sheet.png", side_px=96)
    with Picture.open(tmp_path / "sheet.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (2 * (72 + 4), 3 * (2 * 96 + 4), 3)
    assert np.array_equal(sheet[2:74, 2:98, 0], dataset.images[0])
    assert np.array_equal((sheet[2:74, 98:194] == BOUNDARY).all(axis=2), dataset.masks[0])


def test_large_images_are_reduced_by_a_whole_factor(tmp_path):
    write_preview(made(tmp_path, 1), tmp_path / "sheet.png", side_px=50)
    with Picture.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 48 + 4, 36 + 4)
