"""The command as a person gives it: what it says, and that every mistake is one sentence and exit code 2."""

import io
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from micromime.cli import main


class Ended(NamedTuple):
    stdout: str
    stderr: str


def micromime(*words, cwd, code=0):
    """Run the command in this process, as starting Python anew takes longer than most of what it does."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    argv = patch.object(sys, "argv", ["micromime", *map(str, words)])
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), argv:
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
    assert status == code, err.getvalue()
    return Ended(out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def rendered(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    shutil.copy(project / "params.yaml", folder)
    said = micromime("render", "grain_boundaries", "--count", 3, "--seed", 0, "--out", "set", cwd=folder)
    assert "3 samples in set" in said.stdout
    return folder


def test_one_sample_alone_equals_the_stored_one(rendered):
    assert "equal to what is stored" in micromime("rerender", "set", "--sample", "2", cwd=rendered).stdout


def test_a_changed_sample_is_told_from_the_stored_one(rendered, tmp_path):
    shutil.copytree(rendered / "set", tmp_path / "set")
    masks = np.load(tmp_path / "set" / "shard-00000" / "masks.npy")
    masks[1, 5, 7] ^= True
    np.save(tmp_path / "set" / "shard-00000" / "masks.npy", masks)
    assert "mask differ" in micromime("rerender", "set", "--sample", "000001", cwd=tmp_path, code=1).stderr


def test_a_set_from_before_a_partial_model_is_not_rendered_anew(rendered, tmp_path):
    shutil.copytree(rendered / "set", tmp_path / "set")
    table = tmp_path / "set" / "shard-00000" / "samples.parquet"
    pd.read_parquet(table).drop(columns="stains.sd_grey").to_parquet(table)
    said = micromime("rerender", "set", "--sample", "000001", cwd=tmp_path, code=2).stderr
    assert "set says nothing of stains.sd_grey: another version made it; render it anew." in said


def test_preview_writes_a_png(rendered):
    micromime("preview", "set", "--out", "sheet.png", cwd=rendered)
    assert (rendered / "sheet.png").read_bytes() == (rendered / "set" / "preview.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["render", "grain_boundaries", "--out", "set"], "set is there already"),
        (["render", "chips", "--out", "new"], "use case: 'chips' is not known; use one of: chip_cracks, grain"),
        (["render", "grain_boundaries", "--out", "new", "--params", "no.yaml"], "no.yaml is not there"),
        (["render", "grain_boundaries", "--out", "new", "--count", "0"], "--count"),
        (["rerender", "set", "--sample", "99"], "no sample '99'"),
        (["rerender", "set", "--sample", "x"], "no sample 'x'"),
        (["preview", "."], "holds no dataset.json"),
        (["preview", "set", "--out", "sheet"], "sheet: a contact sheet is a PNG file; give a name that ends in .png."),
        (["render", "grain_boundaries", "--out", "."], ". is there already; remove it or give another folder."),
        (["profile", "huge"], "profile: 'huge' is not known; use one of: demo, evidence, paper, tiny."),
        (["resample", "grain_boundaries", "--from-run", "0" * 32, "--out", "new"], "Missing argument 'ROUND'"),
        (["chekc"], "chekc"),
    ],
    ids=" ".join,
)
def test_mistakes_are_one_sentence_and_exit_code_2(rendered, words, said):
    ended = micromime(*words, cwd=rendered, code=2)
    assert said in ended.stderr
    assert not (rendered / "new").exists()


def test_resampling_from_a_run_that_is_not_there_is_one_sentence(rendered, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = ["resample", "grain_boundaries", "random", "--from-run", "0" * 32, "--out", "new"]
    ended = micromime(*words, cwd=rendered, code=2)
    assert f"{'0' * 32} not found" in ended.stderr.splitlines()[-1]
    assert not (rendered / "new").exists()


def test_check_says_that_all_is_well(rendered):
    assert "every key is known" in micromime("check", cwd=rendered).stdout


def test_rendering_and_a_check_start_without_what_takes_seconds(rendered):
    code = (
        "import sys, micromime.cli; from micromime.commands import rerender, run; from micromime.stages import render\n"
    )
    code += (
        "slow = 'torch', 'fastai', 'mlflow', 'pandas', 'sklearn', 'statsmodels', 'scipy.stats', 'skimage.morphology'\n"
    )
    code += "print([name for name in slow if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=rendered)
    assert said.stdout == "[]\n"


def test_python_runs_the_package_as_the_command(rendered):
    command = [sys.executable, "-m", "micromime", "preview", "nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=rendered)
    assert ended.returncode == 2
    assert ended.stderr == "micromime: nowhere holds no dataset.json; give a folder that `micromime render` has made.\n"


def test_publish_tells_of_what_is_there(rendered, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{rendered / 'told.db'}")
    assert (
        "grain_boundaries: no arm is trained here; `make run`"
        in micromime("publish", "grain_boundaries", cwd=rendered).stdout
    )
    assert "'grains' is not known" in micromime("publish", "grains", cwd=rendered, code=2).stderr
