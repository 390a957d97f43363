import difflib
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML

from micromime.commands.check import check_file
from micromime.commands.profile import profiles, write_profile
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree

DISTRIBUTIONS = {"uniform", "log_uniform", "integers", "normal", "lognormal", "choice"}


@pytest.fixture
def params(project, tmp_path):
    """params.yaml, committed in a repository of its own, beside the profiles."""
    shutil.copy(project / "params.yaml", tmp_path)
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    write_profile("demo", tmp_path / "params.yaml", tmp_path / "profiles", force=True)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    return tmp_path / "params.yaml"


def write(name, params, force=False):
    write_profile(name, params, params.parent / "profiles", force)


def outside_rounds(file):
    """The lines of a parameter file but for its rounds, which a profile replaces whole."""
    lines = file.read_text().splitlines()
    first = lines.index("  rounds:") + 1
    last = next(n for n in range(first, len(lines)) if not lines[n].startswith("    "))
    return lines[:first] + lines[last:]


def comments(file):
    return [line.partition("#")[2] for line in outside_rounds(file) if "#" in line]


def leaves(tree, way=()):
    """The ways to all values; a distribution is one, and rounds are one, which profiles replace whole."""
    if isinstance(tree, dict) and not tree.keys() & DISTRIBUTIONS and way[-1:] != ("rounds",):
        return {path for key, value in tree.items() for path in leaves(value, (*way, key))}
    return {way}


def test_the_four_profiles_are_there(project):
    assert profiles(project / "profiles") == ["demo", "evidence", "paper", "tiny"]


@pytest.mark.parametrize("name", ["tiny", "demo", "evidence", "paper"])
def test_every_profile_is_right_and_keeps_the_comments(project, params, name):
    before = outside_rounds(params)
    write(name, params)
    check_file(params)
    assert read_tree(params)["profile"] == name
    assert comments(params) == comments(project / "params.yaml")
    changes = [line for line in difflib.ndiff(before, outside_rounds(params)) if line[0] in "+-"]
    named = {way[-1] for way in leaves(read_tree(params.parent / "profiles" / f"{name}.yaml"))}
    assert {line[2:].partition(":")[0].strip() for line in changes} <= named | {"- {size_px"}


@pytest.mark.parametrize("name", ["tiny", "demo", "evidence", "paper"])
def test_a_profile_replaces_the_rounds_whole(params, name):
    edited = params.read_text().replace("  rounds:\n", "  rounds:\n    extra: {parent: base, seed: 1}\n")
    params.write_text(edited)
    write(name, params, force=True)
    profile = read_tree(params.parent / "profiles" / f"{name}.yaml")
    assert list(read_tree(params)["grain_boundaries"]["rounds"].items()) == [
        *profile["grain_boundaries"]["rounds"].items()
    ]


def edited(params, edit):
    """Change what params.yaml says of grain boundaries."""
    content = YAML().load(params.read_text())
    edit(content["grain_boundaries"])
    YAML().dump(content, params)


@pytest.mark.parametrize(("name", "own"), [("evidence", 0.5), ("paper", 0)])
def test_weights_of_a_profile_are_those_of_styles_that_are_there(params, name, own):
    def edit(grains):
        del grains["scenario"]["styles"]["twinned"]
        grains["scenario"]["styles"]["mine"] = {"weight": 0.5, "twins": {"share": 0.5}}

    edited(params, edit)
    write(name, params, force=True)
    styles = read_tree(params)["grain_boundaries"]["scenario"]["styles"]
    assert "twinned" not in styles
    assert styles["mine"] == {"weight": own, "twins": {"share": 0.5}}
    assert styles["plain"]["weight"] == (1 if name == "paper" else 0.05)


def test_a_scenario_without_styles_stays_without(params):
    edited(params, lambda grains: (grains["scenario"].pop("styles"), grains["ablation"].update(units={})))
    write("demo", params, force=True)
    assert "styles" not in read_tree(params)["grain_boundaries"]["scenario"]


def test_rounds_of_a_profile_bring_their_comments_along(params):
    demo = params.read_text()
    assert "random: # the control: fresh draws from the scenario" in demo
    write("evidence", params)
    assert "random:\n" in params.read_text()
    assert "# All else as under train." in params.read_text()
    write("demo", params)
    assert params.read_text() == demo


def test_profiles_name_the_same_keys_so_that_each_undoes_the_others(project):
    named = {name: leaves(read_tree(project / "profiles" / f"{name}.yaml")) for name in profiles(project / "profiles")}
    assert all(each == named["demo"] for each in named.values())


def test_there_and_back_is_the_same_file(params):
    before = params.read_text()
    for name in ("tiny", "paper", "evidence", "demo"):
        write(name, params)
    assert params.read_text() == before


def test_paper_holds_the_papers_numbers(project):
    grains = read_tree(project / "profiles" / "paper.yaml")["grain_boundaries"]
    train = grains["train"]
    assert (grains["render"]["count"], grains["scenario"]["rows"], train["runs"]) == (4000, 512, 200)
    phases = [(each["size_px"], each["trainable"], each["epochs"]) for each in train["phases"]]
    assert phases == [(128, "head", 20), (256, "head", 10), (512, "all", 5)]


def test_edits_are_not_written_over_unless_forced(params):
    edited = params.read_text().replace("diameter_px: {uniform: [24, 72]}", "diameter_px: 30")
    params.write_text(edited)
    with pytest.raises(Mistake, match="has edits that are not committed; commit them, or write over them with --force"):
        write("tiny", params)
    assert params.read_text() == edited
    write("tiny", params, force=True)
    assert read_tree(params)["grain_boundaries"]["scenario"]["grain_structure"]["diameter_px"] == 30


def test_unknown_profiles_are_told_the_known_ones(params):
    with pytest.raises(Mistake, match="profile: 'huge' is not known; use one of: demo, evidence, paper, tiny"):
        write("huge", params)


def test_a_profile_that_would_be_wrong_is_not_written(params):
    (params.parent / "profiles" / "bad.yaml").write_text("grain_boundaries:\n  render:\n    count: 0\n")
    before = params.read_text()
    with pytest.raises(Mistake, match=r"render\.count: 0 is not allowed"):
        write("bad", params)
    assert params.read_text() == before
