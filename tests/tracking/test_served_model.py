"""A registered network, asked as a colleague asks it: with the store, and without this repository."""

import json
import os
import subprocess
import sys
from functools import partial
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from micromime.project.versions import Revision
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.registry import register
from micromime.tracking.store import tracking_uri

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

ARCHITECTURE = "unet_efficientnet_lite0"

TOLERANCE = 2e-4
"""Sums of float32 in another order, in another process."""

ELSEWHERE = '''
import importlib.util, json, sys
from importlib.machinery import PathFinder
from pathlib import Path

model, pixels, answer, away = sys.argv[1:]
sys.path[:] = [place for place in sys.path if not Path(place, "micromime").exists()]
assert importlib.util.find_spec("micromime") is None

class Installed(PathFinder):
    """Finds what is installed there, and nothing else."""
    away = set(json.loads(away))
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in cls.away else super().find_spec(name, path, target)

sys.meta_path[:] = [Installed if finder is PathFinder else finder for finder in sys.meta_path]
assert not any(map(importlib.util.find_spec, ("fastai", "dvc")))
import mlflow, numpy as np
loaded = mlflow.pyfunc.load_model(model)
import micromime
assert Path(micromime.__file__).parts[-3:-1] == ("code", "micromime"), micromime.__file__
np.save(answer, loaded.predict(np.load(pixels)))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that has learnt nothing, but whose batch norms are not the identity."""
    import torch

    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    torch.manual_seed(7)
    network = build(ARCHITECTURE, pretrained=False)
    with torch.inference_mode():
        network.train()(torch.randn(4, 3, 64, 64))
    folder = tmp_path_factory.mktemp("arm") / "run-002"
    save_network(network, {"architecture": ARCHITECTURE, "run": 2}, folder)
    return folder


@pytest.fixture
def uri(store, folder):
    assert store.is_file()
    described = RunDescription("grains", "adaptive", "tiny", "f1", {}, (), Revision("", dirty=False), test_set="real")
    return register(described, folder).uri


def pixels(count, rows, cols):
    return np.random.default_rng(rows + cols).integers(0, 256, (count, 3, rows, cols), dtype=np.uint8)


def grey_thrice(image):
    return np.repeat(image[None, None], 3, axis=1)


def not_required(requirements: Path) -> list[str]:
    """Names of modules that stand in this environment, but not where only the model's requirements are installed."""
    wanted, waiting = set(), [line.partition("==")[0] for line in requirements.read_text().splitlines()]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in wanted:
            wanted.add(name)
            lines = map(Requirement, distribution(name).requires or [])
            waiting += [each.name for each in lines if each.marker is None or each.marker.evaluate({"extra": ""})]
    wanted.add("micromime")  # comes with the model
    providers = packages_distributions().items()
    return [module for module, names in providers if not wanted & {canonicalize_name(name) for name in names}]


def test_a_colleague_without_the_repository_gets_the_same_numbers(uri, folder, tmp_path):
    from micromime.inference.networks import probability
    from micromime.inference.views import in_all_views
    from micromime.training.networks import load_network

    (requirements,) = tmp_path.glob("mlruns/*/models/*/artifacts/requirements.txt")
    image = pixels(1, 70, 50)[0, 0]
    np.save(tmp_path / "pixels.npy", grey_thrice(image))
    (tmp_path / "elsewhere").mkdir()
    environment = {"MLFLOW_TRACKING_URI": tracking_uri(), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    words = [uri, str(tmp_path / "pixels.npy"), str(tmp_path / "answer.npy"), json.dumps(not_required(requirements))]
    command = [sys.executable, "-I", "-c", ELSEWHERE, *words]
    ended = subprocess.run(command, cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = np.load(tmp_path / "answer.npy")
    assert (found.shape, found.dtype) == ((1, 70, 50), np.float32)
    network = load_network(folder)
    np.testing.assert_allclose(found[0], in_all_views(partial(probability, network), image), atol=TOLERANCE)
    assert found.std() > 0.001


@pytest.fixture
def served(folder):
    """The model as MLflow makes it, without a store."""
    from mlflow.pyfunc.model import PythonModelContext

    from micromime.tracking.served_model import ServedModel

    model = ServedModel()
    model.load_context(PythonModelContext({"weights.safetensors": str(folder / "weights.safetensors")}, None))
    return model


@pytest.mark.parametrize(("rows", "cols"), [(64, 96), (70, 50), (20, 25), (1, 1)])
def test_a_grey_image_has_the_probability_that_the_judge_sees(served, folder, rows, cols):
    from micromime.inference.networks import probability
    from micromime.inference.views import in_all_views
    from micromime.training.networks import load_network

    image = pixels(1, rows, cols)[0, 0]
    (found,) = served.predict(None, grey_thrice(image))
    assert np.array_equal(found, in_all_views(partial(probability, load_network(folder)), image))


def test_no_image_is_changed_by_those_it_comes_with(served):
    several = pixels(3, 40, 70)
    found = served.predict(None, several)
    assert (found.shape, found.dtype) == ((3, 40, 70), np.float32)
    assert all(
        np.array_equal(one, served.predict(None, image[None])[0]) for one, image in zip(found, several, strict=True)
    )
    assert not np.array_equal(found[0], found[1])
    assert served.predict(None, several[:0]).shape == (0, 40, 70)


def test_colours_are_told_apart(served):
    colours = pixels(1, 40, 70)
    assert not np.array_equal(served.predict(None, colours), served.predict(None, colours[:, ::-1]))


def test_the_signature_takes_any_size_and_nothing_but_pixel_values(uri, monkeypatch):
    import mlflow
    from mlflow.exceptions import MlflowException

    monkeypatch.syspath_prepend("")  # the model's code goes in front of sys.path; this puts it back at the end
    model = mlflow.pyfunc.load_model(uri)
    assert model.predict(pixels(2, 33, 97)).shape == (2, 33, 97)
    for wrong in (pixels(1, 40, 70) / 255, pixels(1, 40, 70)[:, :1], pixels(1, 40, 70)[0]):
        with pytest.raises(MlflowException, match="schema"):
            model.predict(wrong)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier that has learnt nothing."""
    import torch

    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("classifier") / "run-001"
    description = {"architecture": "efficientnet_lite0", "run": 1, "classes": ["intact", "crack"], "size_px": 48}
    save_network(build("efficientnet_lite0", pretrained=False), description, folder)
    return folder


def test_a_registered_classifier_gives_each_image_the_probability_that_the_judge_sees(store, classifier, monkeypatch):
    import mlflow

    from micromime.inference.networks import class_probabilities
    from micromime.training.networks import load_network

    assert store.is_file()
    monkeypatch.syspath_prepend("")
    described = RunDescription("tiles", "real_all", "tiny", "f1", {}, (), Revision("", dirty=False), test_set="real")
    model = mlflow.pyfunc.load_model(register(described, classifier).uri)
    several = pixels(3, 40, 70)
    found = model.predict(several)
    assert np.array_equal(found, class_probabilities(load_network(classifier), several, 48))
    assert (found.shape, found.dtype) == ((3,), np.float32)
    assert [each.shape for each in model.metadata.signature.outputs.inputs] == [(-1,)]
