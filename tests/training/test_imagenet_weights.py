"""Published weights: where they are looked for, and that nothing is read, or kept, whose hash does not fit."""

import hashlib
import io
import os
import socket
from contextlib import contextmanager
from threading import Thread

import pytest

from micromime.mistakes import Mistake

pytestmark = pytest.mark.slow  # imports torch and torchvision

NAME = "tiny-0123abcd.pth"
INSTEAD = "choose another architecture"


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
    monkeypatch.setattr("micromime.training.imagenet_weights.SILENCE_S", 0.5)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("MICROMIME_WEIGHTS", raising=False)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The folder that MICROMIME_WEIGHTS names, empty."""
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(tmp_path / "given"))
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


@pytest.fixture
def answering():
    """Start a server that sends `sent` after a header which promises `promised` bytes; then it ends or falls silent."""

    @contextmanager
    def serve(sent, promised, silent=False):
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

    return serve


def weights(content, url=f"http://127.0.0.1:9/{NAME}"):
    from micromime.training.imagenet_weights import Published, imagenet_weights

    return imagenet_weights(Published(url, hashlib.sha256(content).hexdigest()), INSTEAD)


def put(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)


def never(*_, **__):
    pytest.fail("this must not be called")


def test_the_file_of_resnet50_is_pinned_whole_and_named_as_torchvision_names_it():
    from micromime.training.imagenet_weights import RESNET50

    assert RESNET50.name == "resnet50-0676ba61.pth"
    assert len(RESNET50.sha256) == 64
    assert RESNET50.sha256.startswith("0676ba61")


@pytest.mark.usefixtures("cache")
def test_the_given_folder_is_looked_into_first(cache, given, content, monkeypatch):
    monkeypatch.setattr("torch.hub.urlopen", never)
    put(given, content)
    put(cache, b"another")
    assert weights(content)["0.weight"][7] == 7


@pytest.mark.usefixtures("given")
def test_then_the_cache_of_torch_hub(cache, content, monkeypatch):
    monkeypatch.setattr("torch.hub.urlopen", never)
    put(cache, content)
    assert weights(content)["0.weight"].shape == (60_000,)


def test_then_it_is_downloaded_once_to_the_cache(cache, content, answering):
    with answering(content, len(content)) as url:
        assert weights(content, url)["0.weight"][7] == 7
    assert [file.name for file in cache.iterdir()] == [NAME]
    assert weights(content, url)["0.weight"][8] == 8  # nobody answers any more


def test_a_refused_download_names_file_places_and_remedy(cache, content):
    with pytest.raises(Mistake) as told:
        weights(content)
    assert str(told.value) == (
        f"{NAME} (ImageNet weights) is neither in a folder of MICROMIME_WEIGHTS (not set) nor in {cache}, and "
        f"http://127.0.0.1:9/{NAME} cannot be downloaded (<urlopen error [Errno 111] Connection refused>); "
        f"put the file into a folder that MICROMIME_WEIGHTS names, or {INSTEAD}."
    )
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_the_given_folder_that_lacks_the_file_is_named(given, content):
    with pytest.raises(Mistake, match=rf"neither in {given} \(MICROMIME_WEIGHTS\) nor in "):
        weights(content)


@pytest.mark.parametrize(("share", "silent"), [(0, True), (0.5, True), (0.5, False), (0, False)])
def test_a_download_that_stops_is_given_up_and_nothing_of_it_stays(cache, content, answering, share, silent):
    sent = content[: int(len(content) * share)]
    said = r"nothing arrives for 0\.5 s" if silent else "invalid hash value"
    with answering(sent, len(content), silent) as url, pytest.raises(Mistake, match=said):
        weights(content, url)
    assert list(cache.iterdir()) == []


def test_a_download_of_another_content_does_not_stay(cache, content, answering, monkeypatch):
    monkeypatch.setattr("torch.load", never)
    with answering(content[::-1], len(content)) as url, pytest.raises(Mistake, match="invalid hash value"):
        weights(content, url)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_a_cache_that_cannot_be_made_is_said(tmp_path, content):
    (tmp_path / "hub").write_text("a file where the folder should be")
    with pytest.raises(Mistake, match=r"cannot be downloaded \(\[Errno 20\] Not a directory"):
        weights(content)


@pytest.mark.parametrize("spoil", [lambda whole: whole[:-1], lambda whole: whole.replace(b"\x80?", b"\x81?", 1)])
@pytest.mark.usefixtures("cache")
def test_a_damaged_file_is_refused_unread(given, content, spoil, monkeypatch):
    monkeypatch.setattr("torch.load", never)
    monkeypatch.setattr("torch.hub.urlopen", never)
    assert spoil(content) != content
    put(given, spoil(content))
    with pytest.raises(
        Mistake, match=rf"{NAME} is not the file that .* \(another SHA-256\); remove it and put .*, or c"
    ):
        weights(content)
    assert (given / NAME).exists()  # it is not ours to remove


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
@pytest.mark.usefixtures("cache")
def test_what_torch_cannot_read_is_said_even_where_the_hash_fits(given, content):
    put(given, content)
    with pytest.raises(Mistake, match=rf"{NAME} holds no weights that this torch can read; {INSTEAD}"):
        weights(content)


@pytest.mark.usefixtures("cache")
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


@pytest.mark.usefixtures("cache")
def test_an_unreadable_file_is_said(given, content, monkeypatch):
    put(given, content)

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)
    with pytest.raises(Mistake, match=rf"{NAME} cannot be read \(Permission denied\); make it readable"):
        weights(content)


@pytest.mark.usefixtures("cache")
def test_a_variable_that_names_no_folder_is_said_even_where_the_cache_has_the_file(cache, content, monkeypatch):
    put(cache, content)
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(cache / NAME))
    with pytest.raises(Mistake, match=rf"MICROMIME_WEIGHTS is '{cache / NAME}', which is no folder; set it to"):
        weights(content)
