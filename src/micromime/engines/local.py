"""Where tasks run: in processes of this machine, one thread each, that do not outlive their parent."""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from micromime.engines.memory import fitting
from micromime.mistakes import Mistake

T = TypeVar("T")

Mapped = Callable[..., Iterable[Any]]
"""`map`, or what does the same elsewhere."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""More threads than cores cost up to nine times the time, and another number of threads changes the digits."""

KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
"""Lets glibc keep large arrays' memory for the next ones: giving it back each time cost training 40 % of its time."""


class Progress(NamedTuple):
    """What a person is shown of long work: what is done, the rate and the time left."""

    what: str
    unit: str
    total: int
    done: Callable[[], int]
    """Units done by now; asked about twice a second."""


def run_tasks(
    work: Callable[[T], None], tasks: Sequence[T], workers: int, shown: Progress, imports: Sequence[str] = ()
) -> None:
    """Call `work` once for each task, in `workers` processes, in no particular order; in this one, if one is enough.

    Both are pickled to fresh processes, which find `imports` imported: modules that take seconds. The first exception
    ends the work: what has not begun is left out, and the exception is raised here.
    """
    with _environment(ONE_THREAD | KEEP_MEMORY | {"MICROMIME_IMPORTS": " ".join(imports)}), _bar(shown):
        if min(workers, len(tasks)) <= 1:  # which spares the imports of another process
            with _one_thread():
                for task in tasks:
                    work(task)
            return
        with _processes(min(workers, len(tasks)), imports) as pool:
            for future in as_completed([pool.submit(work, task) for task in tasks]):
                future.result()


@contextmanager
def mapping(workers: int, shown: Progress) -> Iterator[Mapped]:
    """Give what calls as `map` does, in `workers` processes that stay for the next call; here, if it is one.

    For work in many short rounds, of which each needs what the one before has found.
    """
    with _environment(ONE_THREAD | KEEP_MEMORY), _bar(shown), _one_thread():
        if workers <= 1:
            yield map
        else:
            with _processes(workers, ()) as pool:
                yield pool.map


@contextmanager
def _processes(workers: int, imports: Sequence[str]) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, _context(imports), _begin, (dict(os.environ),))
    try:
        yield pool
    except BrokenProcessPool:
        raise Mistake(
            "A worker was ended from outside, perhaps for lack of memory; the same command goes on from what is "
            "done, and MICROMIME_WORKERS=1 needs least memory."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let this process work as those that are started do."""
    _keep_memory()
    with threadpool_limits(1):
        yield


def _keep_memory() -> None:
    """Set in this process what KEEP_MEMORY sets in those that are started; only glibc has it."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mmap_max, trim_threshold, top_pad = -4, -1, -2  # it takes plain ints
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 64 * 2**20)):
            mallopt(option, value)


@contextmanager
def _bar(shown: Progress) -> Iterator[None]:
    """Show a bar meanwhile, which a thread brings up to date: always on a terminal, else now and then."""
    on_terminal, ended = sys.stderr.isatty(), threading.Event()
    about = {"desc": shown.what, "unit": f" {shown.unit}", "mininterval": 0.1 if on_terminal else 15.0}
    with tqdm(total=shown.total, initial=shown.done(), **about) as bar:

        def show() -> None:
            bar.update(shown.done() - bar.n)
            if on_terminal:
                bar.refresh()

        def watch() -> None:
            while not ended.wait(0.5):
                show()

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()
        show()


def _context(imports: Sequence[str]) -> BaseContext:
    """Return how workers start: each anew, or forked from a server that has imported what takes seconds, once for all.

    It runs until this process ends, so that workers of later work start at once. What is imported may look for GPUs,
    and a process forked from one that has done so cannot use them: where there are any, each starts anew.
    """
    if not imports or _has_gpu():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["micromime.engines.imported"])
    return context


def _begin(environment: Mapping[str, str]) -> None:
    """Let a worker end with its parent (which, killed, cannot tell it), and without a word on Ctrl-C.

    One that is forked has the environment that its server was started in; this is its parent's.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    gc.freeze()  # what is imported stays, and need not be gone through
    gc.enable()

    def watch() -> None:
        if parent := parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    atexit.register(_end)  # before any other, so called after all


def _end() -> None:
    """End a worker whose work is done: taking torch and fastai apart, object by object, took it three seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes started meanwhile; numpy and torch read them when imported."""
    before = {key: os.environ[key] for key in values if key in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for key in values:
            del os.environ[key]
        os.environ.update(before)


@contextmanager
def alone(folder: Path, waits: bool = False) -> Iterator[None]:
    """Hold a folder of unfinished work for this process only, until it ends, however it ends.

    Where another process holds it that is a Mistake, or is said and waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, held = FileLock(folder / "lock"), f"{folder} is being worked on by another micromime"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not waits:
            raise Mistake(f"{held}; wait until it ends, or end it.") from None
        print(f"micromime: {held}; waiting until it ends.", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def trainings(count: int, threads: int = 1) -> int:
    """Return how many of `count` networks are trained side by side: MICROMIME_WORKERS, or one on a GPU, or by cores.

    Where the last of them would leave cores idle, more than there are cores share these: of three on two cores, each
    has two thirds of a core, and all end after one and a half times of one, instead of the third after twice.
    """
    if os.environ.get("MICROMIME_WORKERS"):
        return cores()
    at_once = 1 if _has_gpu() else max(1, cores() // threads)
    turns = max(1, count // at_once)
    return max(1, -(-count // turns))


def askings(count: int, each_bytes: int) -> int:
    """Return how many of `count` networks are asked side by side: as many as are trained, or as memory allows."""
    return fitting(trainings(count), each_bytes)


def _has_gpu() -> bool:
    import pynvml  # of nvidia-ml-py, which is installed on Linux only

    try:
        pynvml.nvmlInit()
        return bool(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return False


def cores() -> int:
    """Return how many tasks run side by side: MICROMIME_WORKERS, or as many as there are cores for us."""
    written = os.environ.get("MICROMIME_WORKERS", "")
    if not written:
        return len(os.sched_getaffinity(0))
    if not written.isdecimal() or int(written) < 1:
        raise Mistake(f"MICROMIME_WORKERS is {written!r}; set it to a whole number of 1 or more, or unset it.")
    return int(written)
