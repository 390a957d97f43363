"""One run: repeated to the byte, its phases doing what they are named for, its numbers written down."""

import json
import math
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import psutil
import pytest

from micromime.datasets.splits import split
from micromime.mistakes import Mistake
from micromime.scenario.streams import stream
from micromime.training.settings import TrainParameters

pytestmark = pytest.mark.usefixtures("one_thread", "one_conv")

HEAD = {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": 0.003, "batch_size": 4}
ALL = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
SETTINGS = {
    "architecture": "one_conv",
    "runs": 1,
    "validation_share": 0.3,
    "precision": "float32",
    "channels_last": False,
    "threads": 1,
    "finder_steps": 40,
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.5},
    "phases": [HEAD, ALL],
}
TRAINING, VALIDATION = 11, 5
"""Of 16 images: 0.3 of them are 4.8."""


def boundary_share(_found, truth):
    """A metric that depends on the true masks alone."""
    return float(truth.mean())


def accuracy(found, truth):
    return float((found == truth).mean())


METRICS = {"accuracy": accuracy, "boundary_share": boundary_share}

SYSTEM = ["system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"]
"""Of the machine, beside those of a GPU where there is one."""


class Fitted(NamedTuple):
    folder: Path
    weights: dict

    @property
    def record(self):
        return json.loads((self.folder / "run.json").read_text(), parse_constant=pytest.fail)

    @property
    def epochs(self):
        return self.record["epochs"]


@pytest.fixture(scope="module")
def lines():
    """Sixteen pictures of (72, 96), dark lines on noisy grains."""
    rows, cols = np.mgrid[:72, :96]
    masks = [(rows * (1 + n % 3) + 2 * cols + 5 * n) % 41 < 5 for n in range(TRAINING + VALIDATION)]
    noise = np.random.default_rng(6).integers(0, 30, (len(masks), 72, 96))
    images = [np.uint8(150 + noise[n] - 80 * mask) for n, mask in enumerate(masks)]
    return SimpleNamespace(images=images, masks=masks, samples={})


@pytest.fixture(scope="module")
def fit(lines, one_conv, tmp_path_factory):  # noqa: ARG001 - registered
    """Train one run with some settings changed."""

    def fitted(run=1, data=lines, start=None, **changed):
        from safetensors.numpy import load_file

        from micromime.training.learner import Run, fit_run

        folder = tmp_path_factory.mktemp("run")
        fit_run(Run(run, TrainParameters(**SETTINGS | changed), data, start), METRICS, folder)
        return Fitted(folder, load_file(folder / "weights.safetensors"))

    return fitted


@pytest.fixture(scope="module")
def first(fit):
    """The first of the runs, through both phases."""
    return fit()


@pytest.fixture(scope="module")
def discs():
    """Sixteen bright discs on dark ground, 64 px, each its own mask: learnt at once."""
    rows, cols = np.mgrid[:64, :64]
    masks = [(rows - 25 - n) ** 2 + (cols - 40 + n) ** 2 < (8 + n) ** 2 for n in range(TRAINING + VALIDATION)]
    images = [np.uint8(40) + np.uint8(180) * mask for mask in masks]
    return SimpleNamespace(images=images, masks=masks, samples={})


def weights_before(run=1):
    """The weights that a run begins with."""
    from fastai.torch_core import set_seed

    from micromime.training.architectures import build

    set_seed(run, reproducible=True)
    network = build(SETTINGS["architecture"], pretrained=True)
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def changed_kernels(before, after):
    """Whether each convolution has changed, by its part of the network."""
    changed = {"body": [], "head": []}
    for name, value in before.items():
        if value.ndim == 4:
            part = "body" if name.startswith("0.") else "head"
            changed[part].append(not np.array_equal(value, after[name]))
    return changed


def numbers(values):
    """What does not depend on the machine."""
    return {key: value for key, value in values.items() if key in ("train_loss", "valid_loss", *METRICS)}


def finite(values):
    return all(math.isfinite(value) for value in values.values())


def test_a_run_is_repeated_to_the_byte_and_another_run_differs(fit, first):
    other, again = fit(run=2), fit(run=1)
    for name in ("weights.safetensors", "model.json"):
        assert (again.folder / name).read_bytes() == (first.folder / name).read_bytes()
    assert all(changed_kernels(first.weights, other.weights)["head"])
    assert [numbers(epoch) for epoch in again.epochs] == [numbers(epoch) for epoch in first.epochs]


def test_a_head_phase_leaves_the_kernels_of_the_body(fit):
    changed = changed_kernels(weights_before(), fit(phases=[HEAD]).weights)
    assert changed["head"]
    assert all(changed["head"])
    assert changed["body"]
    assert not any(changed["body"])


@pytest.mark.parametrize(("trainable", "same"), [("head", True), ("all", False)])
def test_a_frozen_body_keeps_its_batch_norms_and_what_they_have_seen(fit, trainable, same):
    """fastai trains them by default: then all of the body is gone through backwards, for its norms alone."""
    from fastai.torch_core import set_seed

    from micromime.training.architectures import build

    set_seed(1, reproducible=True)
    before = {name: value.numpy().copy() for name, value in build("small_unet", pretrained=True).state_dict().items()}
    after = fit(architecture="small_unet", phases=[HEAD | {"trainable": trainable}]).weights
    norms = [name for name in before if name.startswith("body.") and name.endswith(("running_mean", "1.weight"))]
    assert norms
    assert {np.array_equal(before[name], after[name]) for name in norms} == {same}


def test_a_phase_of_all_layers_changes_every_kernel_wherever_it_stands(fit, first):
    for fitted in (first, fit(phases=[ALL])):
        changed = changed_kernels(weights_before(), fitted.weights)
        assert all(changed["body"] + changed["head"])


def test_every_epoch_is_a_line_and_part_of_the_record(first):
    lines = [json.loads(line) for line in (first.folder / "epochs.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in lines] == [1, 1, 2]
    assert lines == first.epochs
    for values in lines:
        assert list(values)[:8] == ["phase", "train_loss", "valid_loss", *METRICS, "images_per_second", *SYSTEM]
        assert finite(values)
        assert values["images_per_second"] > 0
        assert values[SYSTEM[1]] == pytest.approx(psutil.virtual_memory().used / 1e6, rel=0.8)
        assert 0 <= values[SYSTEM[0]] <= 100


def test_the_record_says_what_the_run_had(first):
    record = first.record
    assert (record["run"], record["training_images"], record["validation_images"]) == (1, TRAINING, VALIDATION)
    assert (record["threads"], record["peak_gpu_memory_mib"] is None) == (1, record["device"] == "cpu")
    assert record["seconds"] > 0
    described = json.loads((first.folder / "model.json").read_text())
    assert described == {"architecture": SETTINGS["architecture"], "classes": ["inside", "boundary"], "run": 1}
    assert record["network"] == described
    assert record["rates"] == [HEAD["peak_rate"], ALL["peak_rate"]]


def test_a_run_writes_to_its_folder_only(fit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted = fit(phases=[HEAD | {"epochs": 1}])
    names = ["epochs.jsonl", "model.json", "run.json", "weights.safetensors"]
    assert sorted(file.name for file in fitted.folder.iterdir()) == names
    assert list(tmp_path.iterdir()) == []


def test_metrics_are_means_over_the_validation_images_of_the_run(fit, discs):
    epochs = [fit(run=run, data=discs, phases=[ALL]).epochs[0] for run in (1, 2)]
    for run, epoch in enumerate(epochs, 1):
        _, validation = split(len(discs.images), SETTINGS["validation_share"], stream(run, "split"))
        assert len(validation) == VALIDATION
        expected = np.mean([discs.masks[index].mean() for index in validation])
        assert epoch["boundary_share"] == pytest.approx(expected, abs=1e-9)
    assert epochs[0]["boundary_share"] != epochs[1]["boundary_share"]


def test_what_is_easy_is_learnt(fit, discs):
    phase = ALL | {"epochs": 12, "peak_rate": 0.1}
    epochs = fit(data=discs, phases=[phase]).epochs
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"] / 1.5
    assert epochs[-1]["valid_loss"] < epochs[0]["valid_loss"] / 2
    assert epochs[-1]["accuracy"] > 0.95


def test_bfloat16_computes_nearly_the_same_and_keeps_float32(fit, first):
    coarse = fit(precision="bfloat16")
    for exact, values in zip(first.epochs, coarse.epochs, strict=True):
        assert finite(values)
        assert values["train_loss"] != exact["train_loss"]
        assert values["train_loss"] == pytest.approx(exact["train_loss"], rel=0.05)
    assert {value.dtype for value in coarse.weights.values() if value.ndim == 4} == {np.dtype(np.float32)}


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_lie_as_asked_and_the_losses_are_numbers(fit, monkeypatch, channels_last):
    import torch

    from micromime.training import learner

    seen, whole = [], learner.save_network
    monkeypatch.setattr(learner, "save_network", lambda network, *rest: (seen.append(network), whole(network, *rest)))
    fitted = fit(channels_last=channels_last, phases=[ALL])
    assert all(finite(values) for values in fitted.epochs)
    assert seen[0][0].weight.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_a_batch_that_no_images_fill_is_a_mistake(fit):
    with pytest.raises(Mistake, match=rf"{TRAINING} images .*batch.* 12"):
        fit(phases=[ALL | {"batch_size": 12}])


def test_a_loss_that_is_no_number_ends_the_run(fit, monkeypatch):
    def no_number(axis, **_):
        return lambda scores, _: scores.mean() * axis * math.nan

    monkeypatch.setattr("micromime.training.losses.CrossEntropyLossFlat", no_number)
    with pytest.raises(Mistake, match=r"run 1: .*loss .*peak_rate"):
        fit(phases=[HEAD])


def test_a_found_rate_given_as_a_number_makes_the_same_network(fit):
    small = ALL | {"size_px": 32}
    phases = [HEAD | {"epochs": 1, "peak_rate": "find"}, small | {"peak_rate": 0.0007}, small | {"peak_rate": "find"}]
    found = fit(phases=phases, finder_steps=24)
    rates = found.record["rates"]
    assert rates[1] == 0.0007
    assert all(2e-6 < rate < 0.5 for rate in rates)
    given = fit(phases=[phase | {"peak_rate": rate} for phase, rate in zip(phases, rates, strict=True)])
    for name in ("weights.safetensors", "model.json"):
        assert (given.folder / name).read_bytes() == (found.folder / name).read_bytes()
    assert given.record["rates"] == rates
    assert sorted(each.name for each in found.folder.iterdir()) == sorted(each.name for each in given.folder.iterdir())


def test_each_phase_is_fitted_at_its_rate(fit, monkeypatch):
    from micromime.training.learner import Learner

    fitted, whole = [], Learner.fit_one_cycle

    def fit_one_cycle(learner, epochs, lr_max, **rest):
        fitted.append((epochs, lr_max))
        whole(learner, epochs, lr_max, **rest)

    monkeypatch.setattr(Learner, "fit_one_cycle", fit_one_cycle)
    record = fit(phases=[HEAD, ALL | {"size_px": 32, "peak_rate": "find"}], finder_steps=24).record
    assert fitted == [(2, 0.003), (1, record["rates"][1])]


LOSSES = {
    "grows at once": lambda batch: 10.0**batch,
    "is no number": lambda _: math.nan,
    "falls once and grows": lambda batch: [1, 1, 2, 1][batch] if batch < 4 else 3 + batch / 10,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_rate_that_cannot_be_found_is_a_mistake(fit, monkeypatch, name):
    batches = count()
    loss = lambda scores, _: scores.mean() * 0 + LOSSES[name](next(batches))  # noqa: E731 - what fastai calls
    monkeypatch.setattr("micromime.training.losses.CrossEntropyLossFlat", lambda **_: loss)
    with pytest.raises(Mistake, match=r"run 2: the learning-rate finder sees no valley .* raise train\.finder_steps"):
        fit(run=2, phases=[HEAD | {"peak_rate": "find"}], finder_steps=20)


def test_a_run_goes_on_from_the_network_it_is_given(fit, first):
    for phase in (HEAD, ALL):
        gone_on = fit(start=first.folder, phases=[phase | {"epochs": 1, "peak_rate": 1e-9}])
        before = weights_before()
        for name, value in first.weights.items():
            if value.ndim == 4:
                np.testing.assert_allclose(gone_on.weights[name], value, atol=1e-7)
                assert abs(gone_on.weights[name] - before[name]).max() > 1e-5


def test_a_run_that_goes_on_is_repeated_to_the_byte_and_follows_its_number(fit, first):
    one, again, other = (fit(run=run, start=first.folder, phases=[ALL]).weights for run in (1, 1, 2))
    assert all(np.array_equal(value, again[name]) for name, value in one.items())
    changed = changed_kernels(one, other)
    assert all(changed["body"] + changed["head"])


SCORES = [[[[0.0, 2.0, 2.0, 2.0]], [[1.0, 1.0, 1.0, 3.0]]], [[[0.0, 0.0, 5.0, 5.0]], [[1.0, 1.0, 1.0, 1.0]]]]
"""(2, 2, 1, 4): boundary, grain, grain, boundary is found, and boundary twice in the second picture."""


def watched(metric, scores, truth):
    import torch

    from micromime.training.learner import averaged

    return averaged("metric", metric).func(torch.tensor(scores), torch.tensor(truth))


def test_masks_are_compared_picture_by_picture():
    shares = {(1, 0, 0, 1): 0.25, (1, 1, 0, 0): 0.75}
    found = watched(lambda mask, _: shares[tuple(map(int, mask.ravel()))], SCORES, [[[1, 0, 0, 0]], [[1, 1, 0, 0]]])
    assert found == 0.5


def test_undecided_pixels_are_in_neither_mask():
    seen = []
    truth = [[[255, 1, 0, 255]], [[255, 0, 255, 1]]]
    watched(lambda *pair: seen.append([each.ravel().tolist() for each in pair]) or 0, SCORES, truth)
    assert seen == [
        [[False, False, False, False], [False, True, False, False]],
        [[False, True, False, False], [False, False, False, True]],
    ]


def test_classes_are_compared_all_at_once():
    wrong = watched(lambda found, true: float((found != true).mean()), [[0.1, 0.9], [0.8, 0.2]], [1, 1])
    assert wrong == 0.5
