"""Memory as Linux tells it: of the machine, and of the groups that a container or a job is in."""

import pytest

from micromime.engines import local, memory
from micromime.engines.local import askings
from micromime.engines.memory import fitting, free_bytes, whole_bytes

GIB = 2**30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 16 GiB of which 12 can be had; `limit` puts a group of this process under a limit."""
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemFree: 1048576 kB\nMemAvailable: 12582912 kB\n")
    (tmp_path / "cgroup").write_text("")
    for name, path in (("MACHINE", "meminfo"), ("GROUPS", "cgroup"), ("LIMITS", "sys")):
        monkeypatch.setattr(memory, name, tmp_path / path)

    def limit(line, folder, names, limit, used, files=0):
        (tmp_path / "cgroup").write_text(f"7:cpu:/other\n{line}\n")
        (tmp_path / "sys" / folder).mkdir(parents=True)
        for name, value in zip(names, (limit, used, f"anon 5\ninactive_file {files}\n"), strict=True):
            (tmp_path / "sys" / folder / name).write_text(f"{value}\n")

    return limit


V2 = ("memory.max", "memory.current", "memory.stat")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")


@pytest.mark.usefixtures("machine")
def test_without_limits_it_is_the_machines():
    assert (whole_bytes(), free_bytes()) == (16 * GIB, 12 * GIB)


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/job/step", "job/step", V2),
        ("0::/job/step", "job", V2),  # of a group above
        ("0::/job/step", ".", V2),  # as a container sees its own
        ("3:memory:/job", "memory/job", V1),
        ("3:memory:/job", "memory", V1),
    ],
)
def test_a_limit_counts_wherever_it_stands_and_files_can_be_given_back(machine, line, folder, names):
    machine(line, folder, names, 4 * GIB, 3 * GIB, 2 * GIB)
    assert (whole_bytes(), free_bytes()) == (4 * GIB, 3 * GIB)


@pytest.mark.parametrize(("names", "none"), [(V2, "max"), (V1, 9223372036854771712)])
def test_a_group_without_a_limit_does_not_count(machine, names, none):
    kind = "memory" if names is V1 else ""
    machine(f"3:{kind}:/job", f"{kind}/job" if kind else "job", names, none, GIB)
    assert (whole_bytes(), free_bytes()) == (16 * GIB, 12 * GIB)


def test_no_worker_is_started_more_than_fits_but_one_is(machine, monkeypatch):
    monkeypatch.setenv("MICROMIME_WORKERS", "8")
    assert [fitting(8, each * GIB) for each in (1, 3, 5, 13)] == [8, 4, 2, 1]
    assert askings(9, 5 * GIB) == 2
    machine("0::/job", "job", V2, 4 * GIB, 3 * GIB)
    assert fitting(8, GIB // 4) == 4
    assert local.askings(9, 2 * GIB) == 1


def test_on_another_system_than_linux_the_machine_has_what_it_has(machine, monkeypatch, tmp_path):  # noqa: ARG001
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "nothing")
    assert whole_bytes() == free_bytes() > GIB // 4
