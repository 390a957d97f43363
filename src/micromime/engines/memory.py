"""How much memory there is: the machine's, or less where a container or a batch job may not have all of it."""

import os
from collections.abc import Iterator
from pathlib import Path

MACHINE = Path("/proc/meminfo")
GROUPS = Path("/proc/self/cgroup")
LIMITS = Path("/sys/fs/cgroup")


def whole_bytes() -> int:
    """Return how many bytes this process and those beside it may have at most."""
    return min([_of_machine("MemTotal"), *(limit for limit, _ in _limits())])


def free_bytes() -> int:
    """Return how many bytes can be had now; what the system keeps of files counts as free."""
    return min([_of_machine("MemAvailable"), *(limit - used for limit, used in _limits())])


def fitting(workers: int, each_bytes: int) -> int:
    """Return how many workers fit into the memory that is free, up to `workers`; one at least."""
    return max(1, min(workers, free_bytes() // each_bytes))


def _of_machine(key: str) -> int:
    if not MACHINE.is_file():  # no Linux: of what is free nothing is known
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    line = next(line for line in MACHINE.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024


def _limits() -> Iterator[tuple[int, int]]:
    """Yield limit and use of each group that this process is in, of cgroup 2 or 1, as far as seen from here."""
    kinds = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
    lines = GROUPS.read_text().splitlines() if GROUPS.exists() else []
    for _, kind, path in (line.split(":", 2) for line in lines):
        if kind not in kinds:
            continue
        of_all = LIMITS / kind
        inner = of_all / path.strip("/")
        for folder in {of_all, *(each for each in (inner, *inner.parents) if each.is_relative_to(of_all))}:
            limit, used = (folder / name for name in kinds[kind])
            if limit.exists() and (written := limit.read_text().strip()) != "max":
                yield int(written), int(used.read_text()) - _of_files(folder / "memory.stat")


def _of_files(stat: Path) -> int:
    """Return the bytes of a group that are files', which the system gives back when it must."""
    keys = ("inactive_file ", "total_inactive_file ")
    found = [int(line.split()[1]) for line in stat.read_text().splitlines() if line.startswith(keys)]
    return max(found, default=0)
