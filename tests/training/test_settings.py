"""What a training may be told, and that saying it needs no torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

import micromime
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree, typed
from micromime.training.settings import Augmentation, FinetuneParameters, Phase, TrainParameters

PHASE = {"size_px": 64, "trainable": "head", "epochs": 6, "peak_rate": 0.003, "batch_size": 16}
AUGMENTATION = {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.5}
TRAIN = {
    "architecture": "unet_efficientnet_lite0",
    "runs": 3,
    "validation_share": 0.2,
    "precision": "float32",
    "channels_last": True,
    "threads": 2,
    "finder_steps": 40,
    "augmentation": AUGMENTATION,
    "phases": [PHASE],
}
FINETUNE = {"runs": 2, "phases": [PHASE]}

SECTIONS = [(Phase, PHASE), (Augmentation, AUGMENTATION), (TrainParameters, TRAIN), (FinetuneParameters, FINETUNE)]


def ends(kind):
    """Every bound of a kind's numbers: key, the least or the largest value, and one beyond."""
    for key, field in kind.model_fields.items():
        for bound in field.metadata:
            for name, away in (("ge", -1), ("gt", 0), ("le", 1), ("lt", 0)):
                if hasattr(bound, name):
                    yield key, getattr(bound, name) + away


@pytest.mark.parametrize("kind", [Phase, Augmentation, TrainParameters, FinetuneParameters])
def test_every_number_has_two_ends_and_nothing_beyond_is_taken(kind):
    content = dict(SECTIONS)[kind]
    beyond = list(ends(kind))
    for key, field in kind.model_fields.items():
        assert field.annotation not in (int, float) or sum(key == each for each, _ in beyond) == 2, key
    for key, value in beyond:
        with pytest.raises(ValidationError) as error:
            kind(**content | {key: value})
        assert error.value.errors()[0]["loc"] == (key,)


@pytest.mark.parametrize(("kind", "content"), SECTIONS)
def test_nothing_that_counts_has_a_default_and_nothing_else_is_taken(kind, content):
    for key in content.keys() - {"runs" if kind is FinetuneParameters else ""}:
        with pytest.raises(ValidationError, match="Field required"):
            kind(**{other: content[other] for other in content if other != key})
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind(**content, epoch=1)


@given(some.lists(some.integers(1, 1000), min_size=1, max_size=5))
def test_a_run_has_the_epochs_of_all_its_phases(epochs):
    phases = [PHASE | {"epochs": each} for each in epochs]
    assert TrainParameters(**TRAIN | {"phases": phases}).epochs == sum(epochs)


@pytest.mark.parametrize(("written", "runs"), [({}, 3), ({"runs": "all"}, 3), ({"runs": 2}, 2)])
def test_an_arm_that_goes_on_has_as_many_runs_unless_it_is_told_otherwise(written, runs):
    assert TrainParameters(**TRAIN).finetuning(FinetuneParameters(**written, phases=[PHASE])).runs == runs


def with_peaks(*rates):
    return TrainParameters(
        **TRAIN | {"phases": [PHASE | {"epochs": n, "peak_rate": rate} for n, rate in enumerate(rates, 1)]}
    )


@pytest.mark.parametrize(
    ("written", "rates"),
    [
        ((0.003, 0.001), (0.003, 0.001)),
        ((1,), (1.0,)),
        (("find", 0.001), None),
        ((0.1, "find"), None),
        (("find",), None),
    ],
)
def test_rates_are_known_as_soon_as_every_phase_has_a_number(written, rates):
    assert with_peaks(*written).rates == rates


def test_found_rates_take_the_place_of_all_written_ones_and_nothing_else_changes():
    settings = with_peaks("find", 0.001, "find")
    assert settings.with_rates([0.3, 0.2, 0.1]) == with_peaks(0.3, 0.2, 0.1)
    assert settings == with_peaks("find", 0.001, "find")
    for rates in ([], [0.3, 0.2], [0.3, 0.2, 0.1, 0.1]):
        with pytest.raises(ValueError, match=r"zip\(\)"):
            settings.with_rates(rates)


def test_finetuning_has_phases_and_runs_of_its_own_and_all_else_of_the_arm():
    asked = FinetuneParameters(runs=2, phases=[PHASE | {"epochs": 9, "peak_rate": "find"}])
    found = with_peaks(0.3, 0.2).finetuning(asked)
    assert found == TrainParameters(**TRAIN | {"runs": 2, "phases": [PHASE | {"epochs": 9, "peak_rate": "find"}]})
    assert (found.epochs, found.rates) == (9, None)


@pytest.mark.parametrize("written", ["fined", "", "0.1", 0, -0.5, 1.5, True, None, [0.1], float("nan")], ids=repr)
def test_a_peak_rate_that_is_none_is_one_sentence(written):
    said = f"x.train.phases.1.peak_rate: {written!r} is not allowed; give a number above 0 and up to 1, or find."
    with pytest.raises(Mistake) as error:
        typed(TrainParameters, TRAIN | {"phases": [PHASE, PHASE | {"peak_rate": written}]}, "x.train")
    assert str(error.value) == said


def test_the_projects_own_phases_keep_their_order(project):
    written = read_tree(project / "params.yaml")["grain_boundaries"]["train"]
    read = TrainParameters(**written)
    assert [phase.model_dump(exclude_unset=True) for phase in read.phases] == written["phases"]
    tuned = read_tree(project / "params.yaml")["grain_boundaries"]["finetune"]
    assert [
        phase.model_dump(exclude_unset=True) for phase in read.finetuning(FinetuneParameters(**tuned)).phases
    ] == tuned["phases"]


def test_importing_it_brings_in_nothing_slow():
    code = "import sys, micromime.training.settings as phases, micromime.training.architectures as there\n"
    code += "slow = {'torch', 'fastai', 'mlflow', 'timm'}\n"
    code += "print('unet_efficientnet_lite0' in there.architectures(), slow & set(sys.modules))"
    paths = {"PYTHONPATH": str(Path(micromime.__file__).parents[1])}
    said = subprocess.run([sys.executable, "-c", code], env=os.environ | paths, capture_output=True, text=True)
    assert said.stdout == "True set()\n", said.stderr
