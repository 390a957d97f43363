"""The pipeline of the tiny profile after nearly all was lost, killed, outlived by a stage, and killed again."""

import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest
from clones import Ran, copied, environment, module, run

from micromime.pictures.test_set import NO_REAL_SET

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]  # a fixture may wait for what another worker makes

PATIENCE_S = 600


def run_killed(clone: Path, when: str, spared: str = "", **settings: object) -> list[psutil.Process]:
    """Start `micromime run`, and kill it and all that it has started as soon as a path appears.

    Spared are processes with a word in their command, and their children: those that still run are returned.
    """
    command = [sys.executable, "-m", "micromime", "run"]
    env = environment(clone, **settings)
    with (clone / ".micromime" / "killed.txt").open("w") as said:
        running = psutil.Popen(command, cwd=clone, env=env, stdout=said, stderr=said, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not any(clone.glob(when)) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        started = running.children(recursive=True)
        roots = [each for each in started if spared and spared in each.cmdline()]
        kept = {*roots, *(child for each in roots for child in each.children(recursive=True))}
        killed = [each for each in [running, *started] if each not in kept]
        for each in killed:
            each.kill()
        running.wait()
        psutil.wait_procs(killed, timeout=PATIENCE_S)  # DVC takes those not reaped yet for running
    return [each for each in kept if each.is_running()]


@pytest.fixture(scope="module")
def outlived(real: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A clone that has lost all that DVC keeps, the test set, networks and records, and a training without its DVC.

    What a second `micromime run` said beside that training, which ended well afterwards.
    """
    clone = copied(real, tmp_path_factory.mktemp("outlived"))
    for lost in (".dvc/cache", "data/test_set", "models", "metrics/tiny/runs"):
        shutil.rmtree(clone / lost)
    alive = run_killed(clone, ".micromime/networks/unfinished-*/epochs.jsonl", spared="micromime.stages.train")
    assert alive
    for each in alive:
        each.suspend()  # so that it surely is still there when the second one comes to it
    said = module(clone, "micromime", "run", code=2)
    for each in alive:
        each.resume()
    psutil.wait_procs(alive, timeout=PATIENCE_S)
    return Ran(clone, said)


@pytest.fixture(scope="module")
def bereft(outlived: Ran) -> Ran:
    """The same after a new run was killed, and another has ended.

    One worker, so that one training surely has ended and the other has not.
    """
    run_killed(outlived.clone, "metrics/tiny/runs/grain_boundaries/random/run-001.json", MICROMIME_WORKERS=1)
    return run(outlived.clone)


def test_beside_a_stage_that_outlived_its_dvc_nothing_is_trained(outlived):
    assert "is being worked on by another micromime; wait until it ends, or end it." in outlived.said
    assert outlived.all_trained == []
    assert "Traceback" not in outlived.said


def test_after_all_that_the_verdict_is_the_same(first, bereft):
    assert bereft.verdict == first.verdict


def test_without_test_set_and_cache_it_is_a_surrogate_again(bereft):
    assert f"Test set: surrogate, not real ({NO_REAL_SET})" in bereft.said
    assert bereft.verdict["test_set"]["kind"] == "surrogate"


def test_a_killed_training_goes_on_to_the_same_weights(first, bereft):
    assert bereft.trained == ["random: 1 of 2", "adaptive: 2 of 2"]
    for arm in ("random", "adaptive"):
        assert bereft.weights(arm) == first.weights(arm)
        assert len(set(first.weights(arm).values())) == 2
    assert bereft.weights("base") == {}  # DVC took away what it had not seen finished: these are the records' runs
