"""Where tasks run: here or in other processes, with one thread each, ended with the first mistake and with us."""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.forkserver import _forkserver
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from micromime.engines import local
from micromime.engines.local import Progress, alone, cores, mapping, run_tasks, trainings
from micromime.mistakes import Mistake

NOTHING = Progress("test", "tasks", 1, int)


def write_process(file: Path) -> None:
    file.write_text(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']} {os.environ['MALLOC_TOP_PAD_']}")


def fail(file: Path) -> None:
    raise ValueError(file.name)


def die(_: Path) -> None:
    os._exit(9)


def write_parent(file: Path) -> None:
    said = {"ran_by": os.getppid(), "slow": SLOW in sys.modules, "collects": gc.isenabled(), "here": str(Path.cwd())}
    file.write_text(json.dumps(said | {"told": os.environ.get("TOLD")}))
    if file.name == "dies":
        os._exit(9)


def leave(file: Path) -> None:
    atexit.register(file.write_text, "left")
    print(file.name)


def files(folder: Path, count: int = 2) -> list[Path]:
    return [folder / str(n) for n in range(count)]


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


@pytest.mark.parametrize(("workers", "tasks", "here"), [(2, 5, False), (1, 5, True), (2, 1, True)])
def test_tasks_run_in_other_processes_unless_one_is_enough_each_with_one_thread(
    tmp_path, monkeypatch, workers, tasks, here
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run_tasks(write_process, files(tmp_path, tasks), workers, NOTHING)
    said = [file.read_text().split() for file in files(tmp_path, tasks)]
    assert {process == str(os.getpid()) for process, *_ in said} == {here}
    assert {(threads, padding) for _, threads, padding in said} == {("1", str(64 * 2**20))}
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("MALLOC_TOP_PAD_")) == ("3", None)


def test_in_this_process_threads_are_limited_memory_is_kept_and_the_bar_moves(monkeypatch, capsys):
    options, asked, shown_thrice = {}, [], threading.Event()

    class Glibc:
        mallopt = staticmethod(options.__setitem__)

    def done():
        asked.append(threading.current_thread())
        if len(set(asked)) > 1:
            shown_thrice.set()
        return min(len(asked), 3)

    def work(_):
        assert {each["num_threads"] for each in threadpool_info()} == {1}
        assert shown_thrice.wait(30)

    monkeypatch.setattr(local.ctypes, "CDLL", lambda _: Glibc)
    run_tasks(work, [1], 2, Progress("write", "files", 3, done))
    assert options == {-4: 0, -1: 2**31 - 1, -2: 64 * 2**20}  # malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
    assert "3/3" in capsys.readouterr().err.rpartition("write:")[2]
    asked.clear()
    time.sleep(0.6)
    assert asked == []  # nobody looks any more


def process(_: int) -> tuple[int, str]:
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_stay_from_one_call_to_the_next(workers):
    with mapping(workers, NOTHING) as mapped:
        first, second = ({*mapped(process, range(20))} for _ in range(2))
        assert list(mapped(abs, [-3, 1, -2])) == [3, 1, 2]
    assert len(first | second) <= workers
    assert {threads for _, threads in first} == {"1"}
    assert (os.getpid() in dict(first)) == (workers == 1)
    with pytest.raises(Mistake, match="A worker was ended from outside"), mapping(2, NOTHING) as mapped:
        list(mapped(die, [Path(), Path()]))


@pytest.mark.parametrize(
    ("work", "workers", "mistake", "said"),
    [(fail, 1, ValueError, "0"), (fail, 2, ValueError, "0|1"), (die, 2, Mistake, "A worker was ended from outside")],
)
def test_an_exception_or_an_end_from_outside_ends_the_work_and_is_said(tmp_path, work, workers, mistake, said):
    run_tasks(work, [], workers, NOTHING)
    with pytest.raises(mistake, match=said):
        run_tasks(work, files(tmp_path), workers, NOTHING)


SLOW = "tabnanny"
"""Stands for a module that takes seconds to be imported."""


@pytest.fixture
def no_server() -> Iterator[None]:
    """No server runs that workers are forked from, as in a process that has had none yet."""
    _forkserver._stop()  # which is there for tests
    yield
    _forkserver._stop()


@pytest.mark.usefixtures("no_server")
def test_workers_are_forked_from_one_that_has_imported_what_takes_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_has_gpu", lambda: False)
    servers = set()
    for number in range(2):
        monkeypatch.setenv("TOLD", str(number))
        monkeypatch.chdir(tmp_path)
        run_tasks(write_parent, files(tmp_path), 2, NOTHING, ["micromime.no_such_module", SLOW])
        for file in files(tmp_path):
            said = json.loads(file.read_text())
            servers.add(said.pop("ran_by"))
            assert said == {"slow": True, "collects": True, "here": str(tmp_path), "told": str(number)}
    assert len(servers) == 1
    assert servers != {os.getpid()}
    assert SLOW not in sys.modules
    with pytest.raises(Mistake, match="A worker was ended from outside"):
        run_tasks(write_parent, [tmp_path / "dies", tmp_path / "lives"], 2, NOTHING, [SLOW])


@pytest.mark.parametrize(("gpu", "imports"), [(True, [SLOW]), (False, [])])
def test_where_a_gpu_could_not_be_used_any_more_each_worker_starts_anew(tmp_path, monkeypatch, gpu, imports):
    monkeypatch.setattr(local, "_has_gpu", lambda: gpu)
    run_tasks(write_parent, files(tmp_path), 2, NOTHING, imports)
    said = [json.loads(file.read_text()) for file in files(tmp_path)]
    assert {(each["ran_by"], each["slow"]) for each in said} == {(os.getpid(), False)}


def test_a_worker_ends_after_what_it_has_to_do_at_its_end(tmp_path, capfd):
    run_tasks(leave, files(tmp_path), 2, NOTHING)
    assert [file.read_text() for file in files(tmp_path)] == ["left", "left"]
    assert sorted(capfd.readouterr().out.split()) == ["0", "1"]


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
    run_tasks(sleep, [Path("0"), Path("1")], 2, Progress("test", "tasks", 2, int), IMPORTS)
"""


@pytest.mark.parametrize("imports", [[], ["worker"]])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, end, imports):
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "parent.py").write_text(PARENT.replace("IMPORTS", str(imports)))
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, stderr=quiet, start_new_session=True) as parent:
        wait_for(lambda: all(file.exists() and file.read_text() for file in files(tmp_path)))
        parent.kill() if end == signal.SIGKILL else os.killpg(parent.pid, end)
    for file in files(tmp_path):
        status = Path(f"/proc/{file.read_text()}/stat")
        wait_for(lambda status=status: not status.exists() or status.read_text().split()[2] == "Z")


HOLDER = """
import time
from collections.abc import Iterator
from multiprocessing.forkserver import _forkserver
from pathlib import Path
from micromime.engines.local import alone
with alone(Path("work")):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_folder_belongs_to_one_process_until_it_ends_however_it_ends(tmp_path, monkeypatch, another_process):
    monkeypatch.chdir(tmp_path)
    with another_process(HOLDER), pytest.raises(Mistake, match="work is being worked on by another micromime"):
        alone(Path("work")).__enter__()
    with alone(Path("work")), pytest.raises(Mistake):
        alone(Path("work")).__enter__()
    with alone(Path("work")):
        pass


@pytest.mark.parametrize(
    ("written", "gpu", "count", "threads", "expected"),
    [
        ("", False, 70, 1, 7),
        ("", False, 4, 1, 4),
        ("", False, 8, 1, 8),  # all at once: seven, then one, would take a quarter longer
        ("", False, 17, 1, 9),
        ("", False, 6, 2, 3),
        ("", False, 4, 64, 1),
        ("", True, 9, 1, 1),
        ("3", True, 9, 1, 3),
        ("5", False, 9, 4, 5),
    ],
)
def test_trainings_share_seven_cores_by_threads_unless_set_or_on_a_gpu(
    monkeypatch, written, gpu, count, threads, expected
):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    monkeypatch.setattr(local, "_has_gpu", lambda: gpu)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(7)))
    assert (trainings(count, threads), cores()) == (expected, int(written or 7))
    for wrong in ("0", "two", "-1"):
        monkeypatch.setenv("MICROMIME_WORKERS", wrong)
        with pytest.raises(Mistake, match=f"MICROMIME_WORKERS is '{wrong}'; set it to a whole number"):
            cores()


def test_who_may_wait_is_told_for_what_and_works_when_the_other_has_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "from pathlib import Path; from micromime.engines.local import alone; import time\n"
    code += "with alone(Path('work')): print('held', flush=True); time.sleep(1); Path('done').touch()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with alone(Path("work"), waits=True):
            assert Path("done").exists()
    said = "micromime: work is being worked on by another micromime; waiting until it ends.\n"
    assert capsys.readouterr().err == said
