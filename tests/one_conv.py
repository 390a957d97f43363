"""Networks of one convolution, for tests of which the network is not the subject: `one_conv` finds masks, and
`one_conv_classes` classes. Registered as architectures for the time of a fixture, in worker processes, too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from micromime.training import architectures

FILES = Path(__file__).with_name("one_conv_files")


@contextmanager
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architectures, "__path__", [*architectures.__path__, str(FILES / "architectures")])
        patch.setenv("PYTHONPATH", str(FILES), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def one_conv() -> Iterator[str]:
    """The architecture's name."""
    with registered():
        yield "one_conv"
