"""Classifiers: trained on whole specimens, asked alike alone and together, with the classes of their tiles."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from micromime.datasets.store import Dataset
from micromime.judging.metrics import error_rate
from micromime.stages.tile import write_tiles
from micromime.training.settings import Augmentation, Phase, TrainParameters

pytestmark = pytest.mark.usefixtures("one_thread", "one_conv")

PHASE = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
AUGMENTATION = {"rotation_deg": 0, "zoom": 1, "lighting": 0, "stretch": 1, "jitter_px": 0}
SETTINGS = TrainParameters.model_validate(
    {
        "architecture": "one_conv_classes",
        "runs": 1,
        "validation_share": 0.3,
        "precision": "float32",
        "channels_last": True,
        "threads": 1,
        "finder_steps": 20,
        "augmentation": AUGMENTATION | {"quarter_turns": False},
        "phases": [PHASE | {"trainable": "head", "least_images": 16}, PHASE],
    }
)


@pytest.fixture(scope="module")
def dataset(gravel_tiles, tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("tiles") / "all"
    write_tiles(gravel_tiles(20), folder, {"use_case": "chip_cracks", "classes": ["intact", "crack"]})
    return Dataset(folder)


@pytest.fixture(scope="module")
def fitted(dataset, one_conv, tmp_path_factory) -> Path:  # noqa: ARG001 - registered
    return fit(dataset, tmp_path_factory.mktemp("run"))


def fit(dataset, folder, number=1):
    from micromime.training.learner import Run, fit_run

    fit_run(Run(number, SETTINGS, dataset), {"error_rate": error_rate}, folder)
    return folder


def loaded(dataset, phase, indices):
    import torch
    from fastai.torch_core import set_seed

    from micromime.training.loaders import loaders

    set_seed(0)
    return loaders(dataset, (indices, indices), SETTINGS, Phase.model_validate(phase), torch.device("cpu"))


def test_a_run_trains_on_some_specimens_and_checks_itself_on_others(dataset):
    from micromime.training.learner import Run

    for number in (1, 2, 3):
        training, validation = Run(number, SETTINGS, dataset).indices
        specimens = dataset.samples["specimen"].to_numpy()
        assert set(specimens[training]).isdisjoint(specimens[validation])
        assert len(set(specimens[validation])) == 3  # of ten


def test_a_batch_has_tiles_and_the_numbers_of_their_classes(dataset):
    batches = loaded(dataset, PHASE, np.arange(20, dtype=np.int32))
    images, classes = next(iter(batches.valid))
    assert tuple(images.shape) == (4, 3, 32, 32)
    assert classes.tolist() == [0, 1, 0, 1]


def test_few_tiles_are_gone_through_several_times(dataset):
    few = np.arange(6, dtype=np.int32)
    assert len(loaded(dataset, PHASE | {"least_images": 13}, few).train_ds) == 18
    assert len(loaded(dataset, PHASE | {"least_images": 6}, few).train_ds) == 6
    assert len(loaded(dataset, PHASE, few).train_ds) == 6
    assert len(loaded(dataset, PHASE | {"least_images": 13}, few).valid_ds) == 6


def test_the_record_says_its_classes_its_size_and_its_errors(fitted):
    said = json.loads((fitted / "model.json").read_text())
    assert said == {"architecture": "one_conv_classes", "classes": ["intact", "crack"], "run": 1, "size_px": 32}
    epochs = json.loads((fitted / "run.json").read_text())["epochs"]
    assert [0 <= epoch["error_rate"] <= 1 for epoch in epochs] == [True, True]


def test_a_run_is_repeated_to_the_byte_and_another_run_differs(dataset, fitted, tmp_path):
    again, other = (fit(dataset, tmp_path / str(number), number) for number in map(make(tmp_path), (1, 2)))
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (fitted, again, other)]
    assert weights[0] == weights[1] != weights[2]


def make(folder):
    return lambda number: (folder / str(number)).mkdir() or number


def test_an_answer_does_not_depend_on_what_else_is_asked(dataset, fitted):
    from micromime.inference.networks import class_probabilities
    from micromime.training.networks import load_network

    network = load_network(fitted)
    pixels = np.stack([np.repeat(dataset.images[n][None], 3, axis=0) for n in range(20)])
    together = class_probabilities(network, pixels, 32)
    assert together.shape == (20,)
    assert ((together > 0) & (together < 1)).all()
    assert np.array_equal(together[::-1], class_probabilities(network, pixels[::-1], 32))
    assert class_probabilities(network, pixels[7:8], 32)[0] == together[7]
    assert class_probabilities(network, pixels[:0], 32).shape == (0,)


def test_without_quarter_turns_lines_stay_as_they_lie():
    import torch
    from fastai.torch_core import TensorImage, set_seed
    from fastai.vision.augment import IntToFloatTensor

    from micromime.training.loaders import augmentations

    images = torch.zeros(64, 3, 32, 32, dtype=torch.uint8)
    images[:, :, 8] = 255  # a row, above the middle
    places = set()
    for asked, lying in ((False, True), (True, False)):
        set_seed(0)
        seen = TensorImage(images)
        for transform in [IntToFloatTensor(), *augmentations(Augmentation(**AUGMENTATION, quarter_turns=asked))]:
            seen = transform(seen, split_idx=0)
        rows = seen[:, 0].mean(dim=2).argmax(dim=1).numpy()
        across = seen[:, 0].amax(dim=1).amin(dim=1).numpy() > 0.5  # every column has the line
        assert across.all() == lying
        places |= set(rows[across].tolist()) if lying else set()
    assert places == {8, 23}  # upside down or not


def test_classes_are_numbered_in_the_order_that_the_data_set_names():
    named = SimpleNamespace(description={"classes": ["intact", "crack"]}, samples={"label": ["crack", "intact"]})
    assert Dataset.class_numbers.func(named).tolist() == [1, 0]
