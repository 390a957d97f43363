"""Networks in the registry: registered once, found by the arm's name, and asked where this package is not."""

import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from importlib.metadata import distribution, packages_distributions, version
from pathlib import Path

import numpy as np
import pytest
from one_conv import registered
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from stores import MD5, arm_json, judged_on, run_json, stored

from micromime.mistakes import Mistake
from micromime.project.results import ASKING
from micromime.tracking import registry
from micromime.tracking.publish import publish_arm, publish_model
from micromime.tracking.registry import SERVED, SERVED_NOW, SOURCES
from micromime.tracking.store import store_client, tracking_uri
from micromime.tracking.views import LAYOUT

pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "micromime-grains-tiny"
ADAPTIVE = arm_json("adaptive", "f1", "f0")
SURROGATE = judged_on("surrogate", "no real pictures here")

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
np.save(answer, loaded.predict(np.load(pixels)))
assert importlib.util.find_spec("micromime") is None
'''


BESIDE_THE_PACKAGE = """
import sys
model, pixels, answer, package, first = sys.argv[1:]
if first == "package":
    import micromime.inference.networks
import mlflow, numpy as np
loaded = mlflow.pyfunc.load_model(model)
np.save(answer, loaded.predict(np.load(pixels)))
from micromime.judging import metrics
from micromime.training.networks import save_network
ours = [each.__file__ for name, each in sys.modules.items() if name.partition(".")[0] == "micromime"]
assert len(ours) > 9 and all(file.startswith(package + "/") for file in ours), ours
"""


def made(folder: Path, architecture: str = "small_unet", **said) -> Path:
    """Write a network that has learnt nothing, but is sure of its answers; its batch norms are not the identity."""
    import torch

    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    torch.manual_seed(int(folder.name[-3:]))
    network = build(architecture, pretrained=False)
    with torch.inference_mode():
        network.train()(torch.randn(4, 3, 64, 64))
        list(network.parameters())[-2].mul_(100)  # the weights of the last layer
    save_network(network, {"architecture": architecture, "run": int(folder.name[-3:])} | said, folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """The networks of two runs."""
    return [made(tmp_path_factory.mktemp("arm") / f"run-{run:03d}") for run in (1, 2)]


def versions() -> list:
    return sorted(store_client().search_model_versions(f"name = '{NAME}'"), key=lambda each: int(each.version))


def pixels(count, rows, cols):
    return np.random.default_rng(rows + cols).integers(0, 256, (count, 3, rows, cols), dtype=np.uint8)


def grey_thrice(image):
    return np.repeat(image[None, None], 3, axis=1)


def of_the_judge(folder, image):
    """What the judge sees in a picture."""
    from micromime.inference.networks import probability
    from micromime.inference.views import in_all_views
    from micromime.training.networks import load_network

    return in_all_views(partial(probability, load_network(folder)), image)


@pytest.mark.usefixtures("store")
def test_a_network_becomes_a_version_that_says_what_it_was_made_of(runs):
    publish_arm(ADAPTIVE, {1: run_json(1), 2: run_json(2)})
    ended = stored("arm")[0].info.end_time
    made = publish_model(ADAPTIVE, SURROGATE, runs[1])
    assert (made[:3], made.uri) == ((NAME, "1", "adaptive"), f"models:/{NAME}@adaptive")
    (version,), (arm,) = versions(), stored("arm")
    (model,) = store_client().search_logged_models([arm.info.experiment_id])
    assert (arm.info.status, arm.info.end_time) == ("FINISHED", ended)
    assert version.run_id == model.source_run_id == arm.info.run_id
    assert [each.model_id for each in arm.outputs.model_outputs] == [model.model_id]
    assert (model.name, model.status.value) == ("adaptive-run-002", "READY")
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": NAME, "version": 1}]
    assert {key.removeprefix("micromime."): value for key, value in version.tags.items()} == {
        "use_case": "grains",
        "arm": "adaptive",
        "profile": "tiny",
        "fingerprint": "f1",
        "layout": LAYOUT,
        "comparison": "f0",
        "git_commit": "c" * 40,
        "git_dirty": "true",
        "data.train": MD5,
        "data.test_set": "1" + MD5[1:],
        "path.train": "data/grains",
        "path.test_set": "data/real",
        "test_set": "surrogate, not real",
        "test_set_reason": "no real pictures here",
        "seed": "2",
        "architecture": "small_unet",
        "served": SERVED_NOW,
        "weights_sha256": hashlib.sha256((runs[1] / "weights.safetensors").read_bytes()).hexdigest(),
    }


@pytest.mark.usefixtures("store")
def test_the_same_weights_are_registered_once_and_the_alias_goes_where_they_are(runs):
    first, second = runs
    assert [publish_model(ADAPTIVE, SURROGATE, each).version for each in (first, first, second)] == ["1", "1", "2"]
    assert store_client().get_registered_model(NAME).aliases == {"adaptive": 2}
    assert (
        publish_model(ADAPTIVE | {"revision": {"commit": "d" * 40, "dirty": False}}, judged_on(), first).version == "1"
    )
    assert [each.tags["micromime.seed"] for each in versions()] == ["1", "2"]
    assert store_client().get_registered_model(NAME).aliases == {"adaptive": 1}
    tags = [versions()[0].tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason", "git_commit")]
    assert tags == ["real", "", "c" * 40]
    assert publish_model(arm_json(), SURROGATE, first)[:3] == (NAME, "3", "base")
    assert publish_model(ADAPTIVE | {"profile": "paper"}, SURROGATE, first).name == "micromime-grains-paper"
    assert publish_model(ADAPTIVE | {"profile": ""}, SURROGATE, first).name == "micromime-grains"


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_file_that_is_missing_or_damaged_is_named_before_anything_is_made(store, name):
    folder = store.parent / "run-001"
    folder.mkdir()
    for each in {"model.json", "weights.safetensors"} - {name}:
        (folder / each).write_text('{"archi')
    with pytest.raises(Mistake, match=f"run-001/{name} is missing; .*run-001 is no folder of a trained network"):
        publish_model(ADAPTIVE, SURROGATE, folder)
    (folder / name).write_text('{"archi')
    with pytest.raises(Mistake, match=r"run-001 is damaged.*train it anew"):
        publish_model(ADAPTIVE, SURROGATE, folder)
    assert store_client().search_registered_models() == []


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


def asked(script: str, root: Path, weights: Path, *more: str, isolated: bool = False) -> None:
    """Run a script in another process on the registered network; it answers as the judge sees a picture."""
    image = pixels(1, 70, 50)[0, 0]
    np.save(root / "pixels.npy", grey_thrice(image))
    (root / "elsewhere").mkdir(exist_ok=True)
    environment = {"MLFLOW_TRACKING_URI": tracking_uri(), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    words = [f"models:/{NAME}@adaptive", str(root / "pixels.npy"), str(root / "answer.npy"), *more]
    command = [sys.executable, *(["-I"] if isolated else []), "-c", script, *words]
    if not isolated:
        environment["PYTHONPATH"] = str(SOURCES)
    ended = subprocess.run(command, cwd=root / "elsewhere", env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = np.load(root / "answer.npy")
    assert (found.shape, found.dtype) == ((1, 70, 50), np.float32)
    np.testing.assert_allclose(found[0], of_the_judge(weights, image), atol=TOLERANCE)
    assert found.std() > 0.001


@pytest.mark.ci
def test_a_colleague_without_the_repository_gets_the_same_numbers(store, runs, tmp_path):
    publish_model(ADAPTIVE, SURROGATE, runs[1])
    (root,) = (each.parent for each in tmp_path.rglob("requirements.txt"))
    assert f"torch=={version('torch').partition('+')[0]}" in (root / "requirements.txt").read_text().splitlines()
    kept = {file.suffix for file in root.rglob("*") if file.is_file()}
    assert kept == {"", ".py", ".json", ".safetensors", ".txt", ".yaml"}  # no pickle
    asked(ELSEWHERE, tmp_path, runs[1], json.dumps(not_required(root / "requirements.txt")), isolated=True)
    assert store.is_file()


@pytest.mark.ci
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("first", ["package", "model"])
def test_a_model_and_this_package_do_not_hide_one_another(runs, tmp_path, first):
    publish_model(ADAPTIVE, SURROGATE, runs[1])
    asked(BESIDE_THE_PACKAGE, tmp_path, runs[1], str(SOURCES), first)


@pytest.mark.usefixtures("store")
def test_each_model_of_a_process_runs_the_code_that_it_was_registered_with(runs, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    whole, image, changed = registry.needed_by, pixels(1, 40, 70)[0, 0], tmp_path / "views.py"
    changed.write_text(
        "from micromime.scenario.arrays import Image\n\ndef in_all_views(ask, image):\n    return image[0] * 0 + 0.25\n"
    )
    other = {Path("micromime/inference/views.py"): changed}
    now = publish_model(ADAPTIVE, SURROGATE, runs[0]).uri
    monkeypatch.setattr(registry, "needed_by", lambda *modules: (whole(*modules)[0] | other, whole(*modules)[1]))
    then = publish_model(arm_json(), SURROGATE, runs[0]).uri
    for _ in range(2):
        first, second = (mlflow.pyfunc.load_model(each).predict(grey_thrice(image)) for each in (now, then))
        np.testing.assert_allclose(first[0], of_the_judge(runs[0], image), atol=TOLERANCE)
        assert np.array_equal(second, np.full((1, 40, 70), 0.25))


@pytest.mark.usefixtures("store")
def test_what_an_earlier_build_has_registered_is_registered_anew_and_stays(runs, monkeypatch):
    old, client = publish_model(ADAPTIVE, SURROGATE, runs[0]), store_client()
    client.delete_model_version_tag(NAME, "1", SERVED)
    client.delete_logged_model_tag(old.model_id, SERVED)
    new, again = (publish_model(ADAPTIVE, SURROGATE, runs[0]) for _ in range(2))
    assert (new.version, again) == ("2", new)
    assert [Path(each.source).parts[-2] for each in versions()] == [old.model_id, new.model_id]
    assert client.get_registered_model(NAME).aliases == {"adaptive": 2}
    assert f".{ASKING}" in SERVED_NOW
    monkeypatch.setattr(registry, "SERVED_NOW", f"2.{ASKING + 1}")  # networks are asked in another way
    assert publish_model(ADAPTIVE, SURROGATE, runs[0]).version == "3"


def test_each_image_is_answered_for_itself_as_the_judge_sees_it(runs):
    from mlflow.pyfunc.model import PythonModelContext

    from micromime.tracking.served_model import ServedModel

    model = ServedModel()
    model.load_context(PythonModelContext({"weights.safetensors": str(runs[0] / "weights.safetensors")}, None))
    for rows, cols in [(64, 96), (20, 25), (1, 1)]:
        image = pixels(1, rows, cols)[0, 0]
        assert np.array_equal(model.predict(None, grey_thrice(image))[0], of_the_judge(runs[0], image))
    several = pixels(3, 40, 70)
    found = model.predict(None, several)
    for one, image in zip(found, several, strict=True):
        assert np.array_equal(one, model.predict(None, image[None])[0])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found, model.predict(None, several[:, ::-1]))  # colours are told apart
    assert model.predict(None, several[:0]).shape == (0, 40, 70)


def test_a_classifier_gives_each_image_a_probability_and_takes_nothing_but_pixel_values(store, tmp_path, monkeypatch):
    import mlflow
    from mlflow.exceptions import MlflowException

    from micromime.inference.networks import class_probabilities
    from micromime.training.networks import load_network

    assert store.is_file()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    several = pixels(3, 40, 70)
    with registered():
        folder = made(tmp_path / "run-001", "one_conv_classes", classes=["intact", "crack"], size_px=48)
        model = mlflow.pyfunc.load_model(publish_model(ADAPTIVE, SURROGATE, folder).uri)
        expected = class_probabilities(load_network(folder), several, 48)
    found = model.predict(several)
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) == 3
    assert (found.shape, found.dtype) == ((3,), np.float32)
    assert [each.shape for each in model.metadata.signature.outputs.inputs] == [(-1,)]
    for wrong, seen in [
        (several / 255, r"float64 of the shape \(3, 3, 40, 70\) from 0 to 1\."),
        (several[:, :1], r"uint8 of the shape \(3, 1, 40, 70\) from 0 to 255"),
        (several[0], r"uint8 of the shape \(3, 40, 70\)"),
        (several.astype(np.uint16) + 1, "uint16 .* from 1 to 256"),  # a tile of 16 bits says not how it is stretched
        (several > 99, "bool of the shape"),
        (several[:, :, :0], "no pixel"),
    ]:
        with pytest.raises(MlflowException, match=seen):
            model.predict(wrong)


def test_a_server_takes_whole_numbers_as_test_pictures_and_refuses_shares(runs, tmp_path, monkeypatch):
    import mlflow
    from fastapi.testclient import TestClient
    from mlflow.pyfunc.scoring_server import init

    from micromime.pictures.greys import in_8_bits

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/served.db")
    model = mlflow.pyfunc.load_model(publish_model(ADAPTIVE, SURROGATE, runs[0]).uri)
    server, image = TestClient(init(model)), pixels(1, 40, 70)[0, 0]

    def answered(picture):
        return server.post("/invocations", json={"inputs": grey_thrice(picture).tolist()})

    narrow, wide = image // 16 + 100, image.astype(np.uint16) * 16
    for picture in (image, narrow, wide):
        expected = of_the_judge(runs[0], in_8_bits(picture)[0])
        np.testing.assert_allclose(answered(picture).json()["predictions"][0], expected, atol=1e-6)
    assert np.array_equal(in_8_bits(image)[0], image)
    beside = server.post("/invocations", json={"inputs": np.concatenate([*map(grey_thrice, (narrow, wide))]).tolist()})
    for found, picture in zip(beside.json()["predictions"], (narrow, wide), strict=True):
        np.testing.assert_allclose(found, of_the_judge(runs[0], in_8_bits(picture)[0]), atol=1e-6)
    for wrong, seen in [(image / 255, "float64 of the shape (1, 3, 40, 70) from 0 to 1."), (image - 1.0, "from -1 to")]:
        refused = answered(wrong)
        assert refused.status_code == 400
        assert "Pixel values must be whole numbers from 0 to 65535" in refused.json()["message"]
        assert seen in refused.json()["message"]
