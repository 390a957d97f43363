"""What several tests need: the project's own files, property tests that wait for compilation, an order of groups."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import settings
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from micromime.engines.local import ONE_THREAD
from micromime.fitting.exemplars import cut_dictionary
from micromime.pictures.tiles import Tile
from micromime.scenario.parameters import filled_in, read_tree
from micromime.scenario.scenario import Instance, Scenario
from micromime.use_cases import instance_kind

pytest_plugins = ["cycle", "pipeline", "stores", "verdicts", "workshop"]

PROJECT = Path(__file__).parents[1]

# In CI more examples: a run there is seldom, and on a machine of its own.
settings.register_profile("here", deadline=None, max_examples=10, derandomize=True)
settings.register_profile("ci", settings.get_profile("here"), max_examples=25)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker of pytest-xdist, and what it starts, use one core: threads of several would hinder one another.

    And let what is started heed Ctrl-C, which a shell's background jobs ignore, and all that they start; and keep its
    bytecode, as a hundred processes would each compile all of our code anew.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if hasattr(config, "workerinput"):
        os.environ.update(ONE_THREAD)
        threadpool_limits(1)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the groups that take longest, which have a name, begin first; each other file is a group of its own."""
    named = {item for item in items if item.get_closest_marker("xdist_group")}
    for item in {*items} - named:
        item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=lambda item: item not in named)


def pytest_collection_finish(session: pytest.Session) -> None:
    """See that groups are heeded: else each worker makes anew what a group shares, and nothing says so."""
    if getattr(session.config.option, "loadgroup", False):
        assert all("@" in item.nodeid for item in session.items), "this pytest-xdist forms no groups"


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def grains() -> Scenario[Instance]:
    """The scenario of params.yaml, on small images that are not square."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 72, "cols": 96}
    return Scenario.read(instance_kind("grain_boundaries"), content, "grain_boundaries.scenario")


def cut_gravel(count: int, side: int = 128) -> list[Tile]:
    """Made-up tiles of scikit-image's CC0 gravel, every second one with a dark line: each of a specimen of its own."""
    rough = gaussian_filter(skimage.data.gravel().astype(np.float64), 1.5)
    grey = np.clip(190 + 18 * (rough - rough.mean()) / rough.std(), 0, 255).astype(np.uint8)
    tiles = []
    for n in range(count):
        row, col = (n * 61) % (512 - side), (n * 97) % (512 - side)
        image, mask = grey[row : row + side, col : col + side].copy(), np.zeros((side, side), dtype=np.bool_)
        if n % 2:
            mask[side // 2 - 4 : side // 2 + 4] = True
            image[side // 2 - 2 : side // 2 + 2] = image[side // 2 - 2 : side // 2 + 2] // 2
        label = "crack" if n % 2 else "intact"
        tiles.append(Tile(f"tile_{n:03d}", label, f"part_{n // 2:02d}", "gravel.png", row, col, image, mask))
    return tiles


@pytest.fixture(scope="session")
def gravel_tiles() -> Callable[[int], list[Tile]]:
    """What gives so many made-up tiles."""
    return cut_gravel


@pytest.fixture(scope="session")
def crack_laws() -> dict[str, Any]:
    """Plain laws of a crack, as params.yaml writes them."""
    return {
        "segments": {"integers": [5, 40]},
        "segment_px": {"lognormal": {"median": 13, "sigma": 0.3, "low": 5, "high": 40}},
        "segment_spread": 0.5,
        "bend_deg": {"uniform": [5, 30]},
        "bend_spread": 0.5,
        "return_share": 0.75,
        "direction_deg": {"uniform": [-20, 20]},
        "width_px": {"uniform": [3, 8]},
        "depth": {"uniform": [0.3, 0.6]},
        "depth_spread": 0.2,
        "depth_correlation_px": 13,
        "taper_px": 20,
        "tips": 1,
    }


@pytest.fixture(scope="session")
def dictionary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dictionary of a CC0 texture."""
    file = tmp_path_factory.mktemp("dictionary") / "dictionary.npz"
    cut_dictionary(cut_gravel(16), 900, np.random.default_rng(0)).write(file)
    return file


@pytest.fixture(scope="session")
def chips(dictionary_file: Path, crack_laws: dict[str, Any]) -> Scenario[Instance]:
    """The scenario of params.yaml for tiles of parts, as if the dictionary and these laws had been measured."""
    content = read_tree(PROJECT / "params.yaml")["chip_cracks"]["scenario"] | {"rows": 96, "cols": 112}
    measured = {"dictionary": str(dictionary_file), **crack_laws}
    return Scenario.read(instance_kind("chip_cracks"), filled_in(content, measured, "scenario"), "scenario")


@pytest.fixture(scope="module")
def one_thread():
    """Torch with one thread, as in a run: another number changes the digits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
