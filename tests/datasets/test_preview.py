import numpy as np
from PIL import Image as Picture

from micromime.datasets.preview import BOUNDARY, write_preview
from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset


def test_the_sheet_shows_images_and_masks(grains, tmp_path):
    instances = [grains.draw_one(0, index) for index in range(4)]
    render_dataset(instances, {}, tmp_path / "out", tmp_path / "work")
    dataset = Dataset(tmp_path / "out")
    write_preview(dataset, tmp_path / "sheet.png", side_px=96)
    with Picture.open(tmp_path / "sheet.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (2 * (72 + 4), 3 * (2 * 96 + 4), 3)
    assert np.array_equal(sheet[2:74, 2:98, 0], dataset.images[0])
    assert np.array_equal((sheet[2:74, 98:194] == BOUNDARY).all(axis=2), dataset.masks[0])


def test_large_images_are_reduced_by_a_whole_factor(grains, tmp_path):
    render_dataset([grains.draw_one(0, 0)], {}, tmp_path / "out", tmp_path / "work")
    write_preview(Dataset(tmp_path / "out"), tmp_path / "sheet.png", side_px=50)
    with Picture.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 48 + 4, 36 + 4)
