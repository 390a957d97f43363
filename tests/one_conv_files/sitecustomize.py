"""Read by a Python that starts with this folder on its PYTHONPATH: a worker finds what its parent has registered."""

from pathlib import Path

import micromime.training.architectures

micromime.training.architectures.__path__.append(str(Path(__file__).with_name("architectures")))
