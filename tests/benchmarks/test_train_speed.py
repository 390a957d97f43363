"""What is proposed after timing, and how it is said; the trials are made up."""

import sys
from itertools import product

import pytest
from micromime.commands.trial import Timed
from ruamel.yaml import YAML

from micromime.cli import main
from micromime.commands import tune
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.training.settings import TrainParameters

HERE = tune.Machine("A processor (AVX2)", gpu=False, cores=4, torch="2.14.1")
LAST = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 8}


@pytest.fixture
def now(project):
    """The settings of params.yaml: float32, channels last, one thread; two runs."""
    written = read_tree(project / "params.yaml")["grain_boundaries"]["train"]
    tuned = {"precision": "float32", "channels_last": True, "threads": 1, "runs": 2, "phases": [LAST]}
    return TrainParameters.model_validate(written | tuned | {"architecture": "unet_efficientnet_lite0"})


@pytest.fixture
def timed(now):
    """Make up what was timed: the speed of a run by precision and channels_last, all with one thread and two runs."""

    def made(speeds, failed="RuntimeError: out of memory"):
        combinations = product(("float32", "bfloat16"), (True, False))
        out = []
        for (precision, last), speed in zip(combinations, speeds, strict=True):
            settings = now.model_copy(update={"precision": precision, "channels_last": last})
            out.append(Timed(settings, 2, speed, "" if speed else failed))
        return out

    return made


def chosen(timed, now):
    settings = tune.proposed(timed, now)
    return settings.precision, settings.channels_last


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([10, 9, 10.9, 9], ("float32", True)),  # 9 % faster is not worth a change
        ([10, 9, 11.1, 9], ("bfloat16", True)),
        ([10, 11.1, 13, 13.5], ("bfloat16", True)),  # nearly the fastest, and changes less
        ([10, 12.6, 12, 13], ("float32", False)),  # of those that change as little, the fastest
        ([10, 10.5, 9, 11.2], ("bfloat16", False)),  # the middling one is not worth a change either
        ([0, 3, 2, 2], ("float32", False)),  # the present ones do not work here
        ([10, 0, 20, 0], ("bfloat16", True)),
    ],
)
def test_what_is_clearly_faster_is_proposed_with_the_fewest_changes(timed, now, speeds, expected):
    assert chosen(timed(speeds), now) == expected


def test_what_counts_is_the_machine_not_one_run(timed, now):
    fast_run = Timed(now.model_copy(update={"threads": 4}), 1, 19)
    assert tune.proposed([*timed([10, 9, 9, 9]), fast_run], now) == now
    assert tune.proposed([*timed([10, 9, 9, 9]), Timed(fast_run.settings, 1, 23)], now) == fast_run.settings


def test_where_nothing_works_the_reason_is_said(timed, now):
    with pytest.raises(Mistake, match=r"nothing could be timed \(RuntimeError: out of memory\); lower"):
        tune.proposed(timed([0, 0, 0, 0]), now)


@pytest.mark.parametrize(
    ("gpu", "cores", "threads_now", "expected"),
    [(False, 4, 1, {1, 4}), (False, 4, 2, {1, 2, 4}), (False, 1, 1, {1}), (True, 4, 1, {1}), (True, 4, 2, {1, 2})],
)
def test_combinations_hold_all_and_begin_with_those_of_now(now, gpu, cores, threads_now, expected):
    now = now.model_copy(update={"threads": threads_now})
    planned = tune.combinations(now, HERE._replace(gpu=gpu, cores=cores))
    values = [(each.precision, each.channels_last, each.threads) for each in planned]
    assert set(values) == set(product(("float32", "bfloat16"), (True, False), expected))
    assert len(values) == 4 * len(expected)
    assert planned[0] == now
    assert all(each.phases == now.phases and each.runs == now.runs for each in planned)


def test_the_table_says_each_speed_beside_that_of_now(timed, now):
    head, first, *others = tune.table(timed([10, 0, 16.25, 4], failed="no memory " * 20), now).splitlines()
    assert head.split("  ")[0] == "precision"
    assert first.split() == ["float32", "true", "1", "10.00", "2", "20.00", "1.00", "<-", "now", "in", "params.yaml"]
    assert others[0].split()[:5] == ["float32", "false", "1", "no", "memory"]
    assert others[0].endswith("...")
    assert others[1].split() == ["bfloat16", "true", "1", "16.25", "2", "32.50", "1.62"]
    assert max(map(len, [head, first, *others])) <= 120


def test_without_a_speed_of_now_there_is_nothing_to_compare_with(timed, now):
    lines = tune.table(timed([0, 3, 2, 2]), now).splitlines()
    assert lines[1].endswith("out of memory  <- now in params.yaml")
    assert lines[2].split()[-1] == "-"


def test_the_proposed_lines_are_yaml_that_params_yaml_takes(timed, now):
    said = tune.proposal(timed([10, 9, 16, 9]), now, "grain_boundaries", "params.yaml").splitlines()
    assert said[0] == "Proposed for params.yaml, which stays as it is until you change it:"
    lines = YAML(typ="safe").load("\n".join(said[1:-1]))["grain_boundaries"]["train"]
    assert lines == {"precision": "bfloat16", "channels_last": True, "threads": 1}
    assert said[-1].startswith("bfloat16 changes the numbers a little, and runs with other settings are other runs")


def test_keeping_is_said_plainly(timed, now):
    said = tune.proposal(timed([10, 9, 9, 9]), now, "grain_boundaries", "params.yaml").splitlines()
    assert said[0] == "Nothing is 10 % faster than what params.yaml has; keep"
    assert said[3:] == ["    precision: float32", "    channels_last: true", "    threads: 1"]


def test_a_busy_machine_is_said():
    assert tune.busy(0.4, 2) == ""
    assert "(load 3.1)" in tune.busy(3.14, 2)


def test_the_processor_is_named_where_linux_lists_it(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nmodel name\t: another\n")
    assert tune.processor(tmp_path / "cpuinfo") == "AMD EPYC 7B13"
    assert tune.processor(tmp_path / "none")


@pytest.fixture
def made_up(now, tmp_path, monkeypatch):
    """A folder with params.yaml, a known machine and trials that take no time; gives what each was told."""
    told = []

    def time_settings(settings, seconds, fastest, title):
        told.append((seconds, fastest, title))
        return Timed(settings, 2, 5.0 * len(told))

    monkeypatch.setattr(tune, "machine", lambda: HERE)
    monkeypatch.setattr(tune, "time_settings", time_settings)
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.chdir(tmp_path)
    YAML().dump({"grain_boundaries": {"train": now.model_dump(mode="json")}}, tmp_path / "params.yaml")
    return told


def micromime(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["micromime", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_the_command_times_all_and_leaves_params_yaml_alone(made_up, monkeypatch, capsys, tmp_path):
    before = (tmp_path / "params.yaml").read_bytes()
    assert micromime(monkeypatch, "tune", "grain_boundaries", "--seconds", "2") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "A processor (AVX2), 4 cores, torch 2.14.1"
    assert said[1].startswith("unet_efficientnet_lite0: training steps of all layers at 64 px, batches of 8 random ima")
    assert len(made_up) == 8
    assert made_up[0][:2] == (2, 0)
    assert made_up[3][:2] == (2, 30)  # the third was the fastest: 2 runs of 15 images a second
    assert made_up[7][2].startswith("8/8 bfloat16, channels first, 4 threads")
    assert any(line.startswith("Proposed for params.yaml") for line in said)
    assert (tmp_path / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chips"], "chips is missing from params.yaml"),
        (["grain_boundaries", "--params", "no.yaml"], "no.yaml is not there"),
        (["grain_boundaries", "--params", "wrong.yaml"], "train.architecture: 'unet_resnet5' is not known; use one of"),
        (["grain_boundaries", "--seconds", "0"], "--seconds"),
    ],
    ids=" ".join,
)
def test_mistakes_are_one_sentence_before_anything_is_timed(made_up, monkeypatch, capsys, words, said, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(
        text.replace("architecture: unet_efficientnet_lite0", "architecture: unet_resnet5")
    )
    assert micromime(monkeypatch, "tune", *words) == 2
    assert said in capsys.readouterr().err
    assert not made_up
