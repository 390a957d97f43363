"""Where the network of a run is found, and that exactly those are trained that are nowhere."""

import hashlib
import shutil
from pathlib import Path

import pytest
from micromime.arms.networks import Wanted, fit_runs, network_here, networks_of

from micromime.arms.arm import Arm, trained
from micromime.arms.queue import KEPT
from micromime.mistakes import Mistake

HOLDER = """
import time
from pathlib import Path
from micromime.engines.local import alone
with alone(Path(".micromime/networks")):
    print("holds", flush=True)
    time.sleep(600)
"""


def weights(folder):
    return (folder / "weights.safetensors").read_text()


def lose(arm, *runs):
    """Leave of these runs what an arm in a fresh clone has."""
    for run in runs:
        for name in ("weights.safetensors", "model.json"):
            (arm / f"run-00{run}" / name).unlink()


def cached(content: str) -> None:
    """Keep a file as DVC does."""
    md5 = hashlib.md5(content.encode()).hexdigest()
    file = Path(".dvc/cache/files/md5", md5[:2], md5[2:])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.fixture
def base(workshop):
    """An arm of three runs, with all its networks."""
    arm = workshop.train()
    workshop.trained.clear()
    return arm


def test_the_networks_of_an_arm_lie_in_it(workshop, base):
    assert networks_of(base, [3, 1]) == {3: base / "run-003", 1: base / "run-001"}
    assert workshop.trained == []


def test_networks_come_back_from_the_cache_of_dvc(workshop, base):
    before = weights(base / "run-002")
    cached(before)
    shutil.rmtree(base)
    workshop.train()
    assert [network_here(base, run) for run in (1, 2, 3)] == [None, base / "run-002", None]
    assert weights(base / "run-002") == before
    assert (base / "run-002" / "model.json").read_text() == (
        '{\n "architecture": "unet_efficientnet_lite0",\n "run": 2\n}\n'
    )
    assert workshop.trained == []


def test_exactly_what_is_nowhere_is_trained_with_the_same_inputs(workshop, base):
    before = {run: weights(base / f"run-00{run}") for run in (1, 2, 3)}
    lose(base, 1, 3)
    places = networks_of(base, [1, 2, 3])
    assert workshop.trained == [[("base", 1), ("base", 3)]]
    assert places == {
        1: KEPT / trained(base, 1)["inputs"],
        2: base / "run-002",
        3: KEPT / trained(base, 3)["inputs"],
    }
    assert {run: weights(place) for run, place in places.items()} == before
    assert networks_of(base, [1, 2, 3]) == places
    assert len(workshop.trained) == 1


def test_no_other_run_is_trained_than_those_asked_for(workshop, base):
    lose(base, 1, 2, 3)
    assert list(networks_of(base, [2])) == [2]
    assert workshop.trained == [[("base", 2)]]
    assert network_here(base, 1) is None


def test_what_would_become_another_network_is_not_trained(workshop, base):
    lose(base, 1)
    description = Arm.read(base).data / "dataset.json"
    description.write_text(description.read_text() + " ")
    with pytest.raises(Mistake, match="base was trained by other code or on other data than are here now"):
        networks_of(base, [1, 2])
    assert networks_of(base, [2]) == {2: base / "run-002"}
    assert workshop.trained == []


def test_where_nothing_is_missing_nobody_has_to_wait(base, another_process):
    with another_process(HOLDER):
        assert networks_of(base, [1, 2, 3])[3] == base / "run-003"


def test_runs_with_found_rates_are_trained_with_these(workshop):
    phases = [{"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": "find", "batch_size": 4}]
    workshop.write(phases=phases)
    base = workshop.train()
    lose(base, 1, 2)
    workshop.tasks.clear()
    networks_of(base, [1, 2])
    assert [task.arm.settings_of(task.run).rates for task in workshop.tasks] == [None, (0.25,)]
    assert [task.folder.name for task in workshop.tasks] == [trained(base, run)["inputs"] for run in (1, 2)]


def test_what_is_trained_on_demand_writes_no_record_and_tells_mlflow_nothing(workshop, base):
    lose(base, 2)
    shutil.rmtree("records")
    networks_of(base, [2])
    assert [(task.record, task.tracked) for task in workshop.tasks[-1:]] == [(None, None)]
    assert not Path("records").exists()


def test_networks_to_go_on_with_are_trained_first_where_they_are_nowhere(workshop, base):
    tuned = workshop.train("tuned", "base")
    before = weights(tuned / "run-002")
    lose(tuned, 2)
    lose(base, 1, 2, 3)
    workshop.trained.clear()
    places = networks_of(tuned, [1, 2])
    assert workshop.trained == [[("base", 2)], [("tuned", 2)]]
    assert places == {1: tuned / "run-001", 2: KEPT / trained(tuned, 2)["inputs"]}
    assert weights(places[2]) == before
    assert before.startswith("ImageNet > base 2 at")


def test_a_network_trained_on_demand_moves_into_its_arm(workshop, base):
    lose(base, 1, 2, 3)
    before = weights(networks_of(base, [2])[2])
    shutil.rmtree(base)
    workshop.train()
    assert weights(base / "run-002") == before
    assert networks_of(base, [2]) == {2: base / "run-002"}


def test_while_another_process_trains_none_is_trained_here(workshop, base, another_process):
    lose(base, 2)
    with another_process(HOLDER):
        said = r"^\.micromime/networks is being worked on by another micromime; wait until it ends, or end it\.$"
        with pytest.raises(Mistake, match=said):
            fit_runs([Wanted(Arm.read(base), {2: None})])
        assert networks_of(base, [1, 3]) == {1: base / "run-001", 3: base / "run-003"}
        assert workshop.trained == []
    assert networks_of(base, [2]) == {2: KEPT / trained(base, 2)["inputs"]}
