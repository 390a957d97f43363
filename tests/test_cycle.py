"""All stages of the tiny profile, run once in this process: what they declare, and what comes out."""

import hashlib
import json
from functools import cache
from pathlib import Path

import grimp
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from cycle import Stage

from micromime.datasets.store import Dataset

pytestmark = pytest.mark.xdist_group("cycle")


def test_no_stage_writes_what_it_does_not_declare(cycle):
    assert not {name: files for name, files in cycle.undeclared.items() if files}
