"""What several tests need: the project's own files, and property tests that wait for compilation."""

from pathlib import Path

import pytest
from hypothesis import settings

from micromime.parameters import read_tree
from micromime.scenario import Instance, Scenario
from micromime.scenarios import instance_kind

PROJECT = Path(__file__).parents[1]

settings.register_profile("micromime", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("micromime")


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def grains() -> Scenario[Instance]:
    """The scenario of params.yaml, on small images that are not square."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 72, "cols": 96}
    return Scenario.read(instance_kind("grain_boundaries"), content, "grain_boundaries.scenario")


@pytest.fixture(scope="module")
def one_thread():
    """Torch with one thread, as in a run: another number changes the digits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
