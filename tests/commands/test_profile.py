"""Profiles: sizes for a purpose, written over params.yaml; comments and whatever else somebody wrote stay."""

import difflib
import shutil
import subprocess

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from micromime.commands.profile import profiles, write_profile
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.training.settings import Phase

NAMES = ["demo", "evidence", "paper", "tiny"]
DISTRIBUTIONS = {"uniform", "log_uniform", "integers", "normal", "lognormal", "choice"}


@pytest.fixture(scope="module")
def demo(project, tmp_path_factory):
    """The text of params.yaml with the profile demo."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(project / "params.yaml", folder)
    write_profile("demo", folder / "params.yaml", project / "profiles", force=True)
    return (folder / "params.yaml").read_text()


@pytest.fixture
def params(project, demo, tmp_path):
    """A params.yaml with the profile demo, beside the profiles."""
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    (tmp_path / "params.yaml").write_text(demo)
    return tmp_path / "params.yaml"


def write(name, params, force=True):
    write_profile(name, params, params.parent / "profiles", force)


def outside_rounds(text):
    """The lines of a parameter file but for its rounds, which a profile replaces whole."""
    lines = text.splitlines()
    first = lines.index("  rounds:") + 1
    last = next(n for n in range(first, len(lines)) if not lines[n].startswith("    "))
    return lines[:first] + lines[last:]


def leaves(tree, way=()):
    """The ways to all values; a distribution is one, and rounds are one, which profiles replace whole."""
    if isinstance(tree, dict) and not tree.keys() & DISTRIBUTIONS and way[-1:] != ("rounds",):
        return {path for key, value in tree.items() for path in leaves(value, (*way, key))}
    return {way}


def edited(params, edit):
    """Change what params.yaml says of grain boundaries."""
    content = YAML().load(params.read_text())
    edit(content["grain_boundaries"])
    YAML().dump(content, params)


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_changes_what_it_names_and_keeps_the_comments(demo, params, name):
    before = demo.replace("  rounds:\n", "  rounds:\n    extra: {parent: base, seed: 1}\n")
    params.write_text(before)
    write(name, params)  # which also checks every key
    after, profile = params.read_text(), read_tree(params.parent / "profiles" / f"{name}.yaml")
    assert read_tree(params)["profile"] == name
    rounds = read_tree(params)["grain_boundaries"]["rounds"]
    assert [*rounds.items()] == [*profile["grain_boundaries"]["rounds"].items()]
    comments = [[line.partition("#")[2] for line in outside_rounds(text) if "#" in line] for text in (before, after)]
    assert comments[0] == comments[1]
    lines = difflib.ndiff(outside_rounds(before), outside_rounds(after))
    changes = [line[2:].strip(" -") for line in lines if line[0] in "+-" and ":" in line]
    named = {key for way in leaves(profile) for key in way}
    assert {line.partition(":")[0] for line in changes} <= named | {*Phase.model_fields}


@pytest.mark.parametrize("name", NAMES)
def test_dvc_changes_the_line_that_it_sets_and_no_other(params, name):
    """As `dvc exp run --set-param` does it: what is long it breaks, and lists it writes an item a line."""
    write(name, params)
    before = params.read_text().splitlines()
    apply_overrides(params, ["grain_boundaries.train.runs=7"])
    after = params.read_text().splitlines()
    assert [line for line in difflib.ndiff(before, after) if line[0] == "+"] == ["+     runs: 7"]
    assert len(before) == len(after)


def test_there_and_back_is_the_same_file(demo, params):
    for name in reversed(NAMES):
        write(name, params)
    assert params.read_text() == demo


def test_profiles_name_the_same_keys_so_that_each_undoes_the_others(project):
    assert profiles(project / "profiles") == NAMES
    named = {name: leaves(read_tree(project / "profiles" / f"{name}.yaml")) for name in NAMES}
    assert all(each == named["demo"] for each in named.values())


@pytest.mark.parametrize(("name", "own"), [("evidence", 0.5), ("paper", 0)])
def test_weights_of_a_profile_are_those_of_styles_that_are_there(params, name, own):
    def edit(grains):
        del grains["scenario"]["styles"]["twinned"]
        grains["scenario"]["styles"]["mine"] = {"weight": 0.5, "twins": {"share": 0.5}}

    edited(params, edit)
    write(name, params)
    styles = read_tree(params)["grain_boundaries"]["scenario"]["styles"]
    assert "twinned" not in styles
    assert styles["mine"] == {"weight": own, "twins": {"share": 0.5}}
    assert styles["plain"]["weight"] == (1 if name == "paper" else 0.05)


def test_a_scenario_without_styles_stays_without(params):
    edited(params, lambda grains: grains["scenario"].pop("styles"))
    write("demo", params)
    assert "styles" not in read_tree(params)["grain_boundaries"]["scenario"]


def test_paper_holds_the_papers_numbers(project):
    grains = read_tree(project / "profiles" / "paper.yaml")["grain_boundaries"]
    train = grains["train"]
    assert (grains["render"]["count"], grains["scenario"]["rows"], train["runs"]) == (4000, 512, 200)
    phases = [(each["size_px"], each["trainable"], each["epochs"]) for each in train["phases"]]
    assert phases == [(128, "head", 20), (256, "head", 10), (512, "all", 5)]


def test_only_edits_that_are_not_committed_must_be_forced_away(params):
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", params.parent, *words], check=True)
    write("tiny", params, force=False)
    edited = params.read_text().replace("count: 12", "count: 13", 1)
    params.write_text(edited)
    with pytest.raises(Mistake, match="has edits that would be lost"):
        write("demo", params, force=False)
    assert params.read_text() == edited


def test_without_git_only_edits_must_be_forced_away(params):
    for name in ("tiny", "evidence", "evidence"):
        write(name, params, force=False)
    params.write_text(params.read_text().replace("count: 400", "count: 401", 1))
    with pytest.raises(Mistake, match="has edits that would be lost"):
        write("demo", params, force=False)


def test_what_would_be_wrong_is_not_written(demo, params):
    (params.parent / "profiles" / "bad.yaml").write_text("grain_boundaries:\n  render:\n    count: 0\n")
    with pytest.raises(Mistake, match=r"render\.count: 0 is not allowed"):
        write("bad", params)
    with pytest.raises(Mistake, match="'huge' is not known; use one of: bad, demo, evidence, paper, tiny"):
        write("huge", params)
    assert params.read_text() == demo


def test_edits_of_keys_that_no_profile_names_are_kept(params):
    write("tiny", params, force=False)
    params.write_text(params.read_text().replace("{uniform: [0, 0.12]}", "{uniform: [0, 0.13]}", 1))
    before = read_tree(params)
    assert before["grain_boundaries"]["scenario"]["illumination"]["gradient"] == {"uniform": [0, 0.13]}
    for name in ("demo", "tiny"):
        write(name, params, force=False)
    assert read_tree(params) == before


def test_a_value_shared_by_an_anchor_is_not_changed_for_one_and_so_for_all(params):
    """Of two use cases that share `render` both would get the count that the profile has for the second."""
    text = params.read_text().replace("render: {count: 112, seed: 0}", "render: &both {count: 112, seed: 0}")
    params.write_text(text.replace("render: {count: 256, seed: 0}", "render: *both"))
    assert read_tree(params)["chip_cracks"]["render"]["count"] == 112
    with pytest.raises(Mistake, match=r"tiny changes but some .* by an anchor \(&\); write the value out in each\.$"):
        write("tiny", params)


def test_edits_are_not_taken_for_those_of_the_supplied_file_where_that_is_the_very_file(params, monkeypatch):
    """As it is where `make` has installed a ZIP download: the package's params.yaml is a link to the project's."""
    monkeypatch.setattr(places, "SUPPLIED", params.parent)
    monkeypatch.chdir(params.parent)
    params.write_text(params.read_text().replace("count: 112", "count: 113", 1))
    with pytest.raises(
        Mistake, match=r"would be lost \(git cannot tell .*: this folder is in no git repository; `git in"
    ):
        write("tiny", params, force=False)
