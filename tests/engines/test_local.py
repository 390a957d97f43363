import atexit
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from micromime.engines.local import Progress, alone, cores, run_here, run_tasks, trainings
from micromime.mistakes import Mistake

NOTHING = Progress("test", "tasks", 1, int)


def write_process(file: Path) -> None:
    file.write_text(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}")


def fail(file: Path) -> None:
    raise ValueError(file.name)


def sleep(file: Path) -> None:
    write_process(file)
    time.sleep(600)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def test_tasks_run_in_other_processes_with_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    files = [tmp_path / str(n) for n in range(5)]
    run_tasks(write_process, files, 2, NOTHING)
    said = [file.read_text().split() for file in files]
    assert str(os.getpid()) not in {process for process, _ in said}
    assert {threads for _, threads in said} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_an_exception_ends_the_work_and_is_raised(tmp_path):
    with pytest.raises(ValueError, match="x"):
        run_tasks(fail, [tmp_path / "x"], 1, NOTHING)


def die(_: Path) -> None:
    os._exit(9)


def test_a_worker_that_is_killed_is_said(tmp_path):
    with pytest.raises(Mistake, match="A worker was ended from outside"):
        run_tasks(die, [tmp_path / "x"], 1, NOTHING)


def leave(file: Path) -> None:
    atexit.register(file.write_text, "left")
    print(file.name)


def test_a_worker_ends_after_what_it_has_to_do_at_its_end(tmp_path, capfd):
    run_tasks(leave, [tmp_path / "x"], 1, NOTHING)
    assert (tmp_path / "x").read_text() == "left"
    assert capfd.readouterr().out == "x\n"


def test_progress_is_shown_up_to_the_end(tmp_path, capsys):
    files = [tmp_path / str(n) for n in range(3)]
    shown = Progress("write", "files", 3, lambda: sum(file.exists() for file in files))
    run_here(write_process, files, shown)
    assert "3/3" in capsys.readouterr().err.rpartition("write:")[2]


def test_no_tasks_start_no_process():
    run_tasks(fail, [], 2, NOTHING)


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from micromime.engines.local import run_tasks
from test_engine import NOTHING, sleep
if __name__ == "__main__":
    run_tasks(sleep, [Path(sys.argv[2])], 1, NOTHING)
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script, child = tmp_path / "parent.py", tmp_path / "child"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, Path(__file__).parent, child])
    wait_for(lambda: child.exists() and child.read_text())
    worker = int(child.read_text().split()[0])
    parent.kill()
    parent.wait()
    wait_for(lambda: not alive(worker))


def test_two_cannot_work_in_one_folder(tmp_path):
    with (
        alone(tmp_path / "work"),
        pytest.raises(Mistake, match="is being worked on by another micromime"),
        alone(tmp_path / "work"),
    ):
        pass
    with alone(tmp_path / "work"):
        pass


HOLDER = """
import sys, time
from pathlib import Path
from micromime.engines.local import alone
with alone(Path(sys.argv[1])):
    Path(sys.argv[1], "held").touch()
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path])
    wait_for((tmp_path / "held").exists)
    with pytest.raises(Mistake), alone(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("written", ["0", "two", "-1"])
def test_wrong_numbers_of_workers_are_said(monkeypatch, written):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    with pytest.raises(Mistake, match=f"MICROMIME_WORKERS is '{written}'; set it to a whole number"):
        cores()


def test_workers_are_the_cores_unless_set(monkeypatch):
    monkeypatch.delenv("MICROMIME_WORKERS", raising=False)
    assert cores() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("MICROMIME_WORKERS", "3")
    assert cores() == 3


@pytest.mark.parametrize(("written", "gpu", "expected"), [("", True, 1), ("3", True, 3), ("3", False, 3)])
def test_one_network_at_a_time_is_trained_on_a_gpu_unless_set(monkeypatch, written, gpu, expected):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: gpu)
    assert trainings() == expected


def test_without_a_gpu_a_network_is_trained_on_each_core(monkeypatch):
    monkeypatch.delenv("MICROMIME_WORKERS", raising=False)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: False)
    assert trainings() == cores()


@pytest.mark.parametrize(("threads", "expected"), [(1, 7), (2, 3), (3, 2), (4, 1), (7, 1), (8, 1), (64, 1)])
def test_threads_of_a_training_share_the_cores(monkeypatch, threads, expected):
    monkeypatch.delenv("MICROMIME_WORKERS", raising=False)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(7)))
    assert trainings(threads) == expected


@pytest.mark.parametrize(("written", "gpu", "expected"), [("", True, 1), ("5", True, 5), ("5", False, 5)])
def test_what_is_set_counts_whatever_the_threads(monkeypatch, written, gpu, expected):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: gpu)
    assert trainings(4) == expected
