import copy
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from micromime.mistakes import Mistake
from micromime.parameters import read_tree
from micromime.stages.check import check_file, check_tree


@pytest.fixture
def tree(project):
    return copy.deepcopy(read_tree(project / "params.yaml"))


def changed(tree, path, value):
    *way, last = path.split(".")
    place = tree
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("profile", None, "profile is None"),
        ("profile", "../x", "profile is '../x'"),
        ("chips", {}, "params.yaml: key: 'chips' is not known; use one of: grain_boundaries"),
        ("grain_boundaries.trian", {}, "grain_boundaries: key: 'trian' is not known; use one of: render, scenario, test_set, train"),
        ("grain_boundaries.render", None, "grain_boundaries.render is missing"),
        ("grain_boundaries.render.count", 0, "grain_boundaries.render.count: 0 is not allowed; it should be greater than or equal to 1"),
        ("grain_boundaries.render.seed", -1, "grain_boundaries.render.seed: -1 is not allowed"),
        ("grain_boundaries.train.runs", 2.5, "grain_boundaries.train.runs: 2.5 is not allowed; it should be a valid integer"),
        ("grain_boundaries.train.architecture", "resnet", "architecture: 'resnet' is not known; use one of: unet_efficientnet_lite0"),
        ("grain_boundaries.train.phases", [], "grain_boundaries.train.phases: [] is not allowed"),
        ("grain_boundaries.train.phases.0.size_px", 100, "grain_boundaries.train.phases.0.size_px: 100 is not allowed; it should be a multiple of 32"),
        ("grain_boundaries.train.phases.0.trainable", "body", "phases.0.trainable: 'body' is not allowed; it should be 'head' or 'all'"),
        ("grain_boundaries.train.phases.0.epoch", 1, "grain_boundaries.train.phases.0.epoch is not a known key"),
        ("grain_boundaries.scenario.gaussian_blur.kernel_px", 4, "kernel_px: 4 is even; a kernel has a middle"),
        ("grain_boundaries.scenario.white_noise.sd_grey", {"uniform": [5, 5]}, "sd_grey: low 5 is not"),
        ("grain_boundaries.scenario.white_noise.sd_grey", {"choice": []}, "sd_grey: values: [] is not allowed"),
        ("grain_boundaries.test_set.surrogate_count", "many", "grain_boundaries.test_set.surrogate_count: 'many'"),
    ],
)  # fmt: skip
def test_wrong_keys_and_values_are_named_with_what_is_allowed(tree, path, value, said):
    with pytest.raises(Mistake) as mistake:
        check_tree(changed(tree, path, value))
    assert said.replace("low 5 is not", "is empty: low 5 is not") in str(mistake.value)
    assert str(mistake.value).endswith(".")


def test_the_projects_own_file_is_right(project):
    check_file(project / "params.yaml")


def test_the_stage_says_the_same_whatever_is_right(project, tmp_path, tree):
    outs = []
    for count in (3, 4):
        with (tmp_path / "params.yaml").open("w") as file:
            YAML().dump(changed(tree, "grain_boundaries.render.count", count), file)
        words = ["--params", str(tmp_path / "params.yaml"), "--out", str(tmp_path / "checked.txt")]
        subprocess.run([sys.executable, "-m", "micromime.stages.check", *words], check=True)
        outs.append((tmp_path / "checked.txt").read_text())
    assert outs[0] == outs[1] == "params.yaml: every key is known and within its bounds.\n"


def test_the_stage_ends_with_code_2_and_one_sentence(tmp_path):
    (tmp_path / "params.yaml").write_text("profile: demo\nchips: {}\n")
    words = ["--params", str(tmp_path / "params.yaml"), "--out", str(tmp_path / "checked.txt")]
    ended = subprocess.run(
        [sys.executable, "-m", "micromime.stages.check", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("micromime: params.yaml: key: 'chips' is not known")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "checked.txt").exists()
