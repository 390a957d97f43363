import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import micromime
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import NO_REAL_SET, Source
from micromime.stages.import_test_set import main

PARAMS = (
    "grain_boundaries:\n  test_set: {simulator: grains, surrogate_count: 3, surrogate_side_px: 64, surrogate_seed: 1}\n"
)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(micromime.__file__).parents[1])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MICROMIME_REAL", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    Source(kind="surrogate", reason=NO_REAL_SET, files={}).write(Path("source.json"))
    return tmp_path


def run(*more: str) -> subprocess.CompletedProcess[str]:
    words = ["grain_boundaries", "--source", "source.json", "--out", "out", "--params", "params.yaml", *more]
    command = [sys.executable, "-m", "micromime.stages.import_test_set", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)


@pytest.mark.usefixtures("folder")
def test_the_command_makes_a_surrogate() -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(read_micrographs(Path("out"))) == 3
    assert Source.read(Path("out/source.json")).reason == NO_REAL_SET


@pytest.mark.usefixtures("folder")
def test_a_mistake_is_one_sentence_and_exit_code_2() -> None:
    Path("params.yaml").write_text(PARAMS.replace("3", "-3"))
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("micromime: grain_boundaries.test_set.surrogate_count: -3 is not allowed")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_an_unknown_option_is_exit_code_2_too() -> None:
    done = run("--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_real_set_comes_from_the_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "given" / "grain_boundaries").mkdir(parents=True)
    image = np.full((4, 7), 9, np.uint8)
    write_micrographs([Micrograph("m", "steel", image, image > 9)], folder / "given" / "grain_boundaries")
    source = Source(kind="real", reason=None, files=listed_files(folder / "given" / "grain_boundaries"))
    source.write(folder / "source.json")
    words = ("grain_boundaries", Path("source.json"), Path("out"), Path("params.yaml"))
    with pytest.raises(Mistake, match="neither in the cache nor given"):
        main(*words)
    monkeypatch.setenv("MICROMIME_REAL", str(folder / "given"))
    main(*words)
    assert listed_files(folder / "out") == source.files
