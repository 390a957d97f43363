import atexit
import os
import signal
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


def die(_: Path) -> None:
    os._exit(9)


def leave(file: Path) -> None:
    atexit.register(file.write_text, "left")
    print(file.name)


def two(folder: Path) -> list[Path]:
    """So many tasks that two workers share them."""
    return [folder / "x", folder / "y"]


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
    with pytest.raises(ValueError, match=r"x|y"):
        run_tasks(fail, two(tmp_path), 2, NOTHING)
    with pytest.raises(ValueError, match="x"):
        run_tasks(fail, two(tmp_path), 1, NOTHING)


def test_a_worker_that_is_killed_is_said(tmp_path):
    with pytest.raises(Mistake, match="A worker was ended from outside"):
        run_tasks(die, two(tmp_path), 2, NOTHING)


def test_a_worker_ends_after_what_it_has_to_do_at_its_end(tmp_path, capfd):
    run_tasks(leave, two(tmp_path), 2, NOTHING)
    assert [file.read_text() for file in two(tmp_path)] == ["left", "left"]
    assert sorted(capfd.readouterr().out.split()) == ["x", "y"]


def test_progress_is_shown_up_to_the_end(tmp_path, capsys):
    files = [tmp_path / str(n) for n in range(3)]
    shown = Progress("write", "files", 3, lambda: sum(file.exists() for file in files))
    run_here(write_process, files, shown)
    assert "3/3" in capsys.readouterr().err.rpartition("write:")[2]


def test_no_tasks_start_no_process():
    run_tasks(fail, [], 2, NOTHING)


WORKER = """
import os, time
def sleep(file):
    file.write_text(str(os.getpid()))
    time.sleep(600)
"""
PARENT = """
from pathlib import Path
from micromime.engines.local import Progress, run_tasks
from worker import sleep
if __name__ == "__main__":
    run_tasks(sleep, [Path("a.pid"), Path("b.pid")], 2, Progress("test", "tasks", 2, int))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, end):
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "parent.py").write_text(PARENT)
    files = [tmp_path / "a.pid", tmp_path / "b.pid"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, stderr=quiet, start_new_session=True) as parent:
        wait_for(lambda: all(file.exists() and file.read_text() for file in files))
        if end == signal.SIGKILL:
            parent.kill()
        else:
            os.killpg(parent.pid, end)
    for file in files:
        status = Path(f"/proc/{file.read_text()}/stat")
        wait_for(lambda status=status: not status.exists() or status.read_text().split()[2] == "Z")


HOLDER = """
import sys, time
from pathlib import Path
from micromime.engines.local import alone
with alone(Path(sys.argv[1])):
    Path(sys.argv[1], "held").touch()
    time.sleep(600)
"""


def test_a_folder_belongs_to_one_process_until_it_ends(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path]) as holder:
        wait_for((tmp_path / "held").exists)
        with pytest.raises(Mistake, match="is being worked on by another micromime"), alone(tmp_path):
            pass
        holder.kill()
    with alone(tmp_path), pytest.raises(Mistake), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("written", ["0", "two", "-1"])
def test_wrong_numbers_of_workers_are_said(monkeypatch, written):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    with pytest.raises(Mistake, match=f"MICROMIME_WORKERS is '{written}'; set it to a whole number"):
        cores()


@pytest.mark.parametrize(
    ("written", "gpu", "threads", "expected"),
    [
        ("", False, 1, 7),
        ("", False, 2, 3),
        ("", False, 4, 1),
        ("", False, 64, 1),
        ("", True, 1, 1),
        ("3", True, 1, 3),
        ("5", False, 4, 5),
    ],
)
def test_trainings_share_seven_cores_by_threads_unless_set_or_on_a_gpu(monkeypatch, written, gpu, threads, expected):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: gpu)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(7)))
    assert trainings(threads) == expected
    assert cores() == int(written or 7)
