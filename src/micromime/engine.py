"""Where tasks run: in processes of this machine, one thread each, that do not outlive their parent."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout
from tqdm import tqdm

from micromime.mistakes import Mistake

T = TypeVar("T")

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""More threads than cores cost up to nine times the time, and another number of threads changes the digits."""

KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
"""Lets glibc keep large arrays' memory for the next ones: giving it back each time cost training 40 % of its time."""


def run_tasks(work: Callable[[T], None], tasks: list[T], workers: int, watch: Callable[[], None] | None = None) -> None:
    """Call `work` once for each task, in `workers` processes, in no particular order.

    Both are pickled to fresh (spawned) processes. `watch` is called about twice a second meanwhile. The
    first exception ends the work: what has not begun is left out, and the exception is raised here.
    """
    if not tasks:
        return
    with _environment(ONE_THREAD | KEEP_MEMORY):
        pool = ProcessPoolExecutor(min(workers, len(tasks)), get_context("spawn"), _die_with, (os.getpid(),))
        try:
            _wait([pool.submit(work, task) for task in tasks], watch or (lambda: None))
        finally:
            pool.shutdown(cancel_futures=True)


def _wait(futures: Iterable, watch: Callable[[], None]) -> None:  # type: ignore[type-arg]
    pending = list(futures)
    while pending:
        try:
            for done in as_completed(pending, timeout=0.5):
                done.result()
                pending.remove(done)
                watch()
        except TimeoutError:
            watch()


def _die_with(parent: int) -> None:
    """Let a worker end when its parent is gone: killed parents cannot tell it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes started meanwhile; numpy and torch read them when imported."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder of unfinished work for this process only, until it ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise Mistake(f"{folder} is being worked on by another micromime; wait until it ends, or end it.") from None


def cores() -> int:
    """Return how many tasks run side by side: MICROMIME_WORKERS, or as many as there are cores for us."""
    written = os.environ.get("MICROMIME_WORKERS", "")
    if not written:
        return len(os.sched_getaffinity(0))
    if not written.isdigit() or int(written) < 1:
        raise Mistake(f"MICROMIME_WORKERS is {written!r}; set it to a whole number of 1 or more, or unset it.")
    return int(written)


def progress(what: str, total: int, done: int, unit: str) -> "tqdm[None]":
    """Return a bar that shows what is done, the rate and the time left."""
    return tqdm(total=total, initial=done, desc=what, unit=f" {unit}", smoothing=0.1, dynamic_ncols=True)
