"""The ablation as a stage: what is taken out of a scenario, what decides a run, records that are reused."""

import json
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from experiments.ablation import run as ablation_run
from experiments.ablation import stage as ablation
from experiments.ablation import topology as ablation_topology
from experiments.ablation.plan import ALL, NONE
from experiments.ablation.plan import ablation as read
from experiments.ablation.run import inputs_of
from experiments.ablation.units import units_of, without
from micromime.arms.records import RunRecord
from micromime.commands.profile import overlaid
from micromime.judging.micrographs import Picture
from micromime.mistakes import Mistake
from micromime.partial_models.camera.illumination import Illumination
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.use_cases import instance_kind

KIND = instance_kind("grain_boundaries")
COMMON = {
    "rows": 64,
    "cols": 64,
    "grain_structure": {"diameter_px": 20, "size_spread": 0.2},
    "grain_boundaries": {"thickness_px": 3, "darkness": 0.5},
    "grain_shades": {"mean_grey": 150, "contrast_grey": 20},
    "illumination": {"vignette": 0.2, "gradient": 0.1},
}
A = {"weight": 1, "twins": {"share": 0.5, "most_bands": 2}, "grain_shades": {"mean_grey": 90}}
B = {"weight": 2, "twins": {"share": 0.1}, "illumination": {"vignette": 0.5}}
CONTENT = COMMON | {"styles": {"a": A, "b": B, "unused": {"weight": 0, "stains": {"sd_grey": 5}}}}

PHASE = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
SETTINGS = {
    "runs": 2,
    "images": {"count": 8, "side_px": 32, "scoring": 3},
    "phases": [PHASE],
    "units": {"twins": ["twins"], "light": ["illumination"]},
    "settings": {"cl_dice": {"cl_dice_share": 0.3}},
}
EVERY = ["all", "none", "without_twins", "only_twins", "without_light", "only_light", "with_cl_dice"]


def taken_out(*paths, content=CONTENT):
    return without(content, units_of(KIND, content, {"unit": paths}, "units")["unit"])


def styles(a=A, b=B):
    return {"styles": {"a": a, "b": b}}


def less(tree, *keys):
    return {key: each for key, each in tree.items() if key not in keys}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("twins", COMMON | styles(less(A, "twins"), less(B, "twins"))),
        ("twins.most_bands", COMMON | styles(A | {"twins": {"share": 0.5}})),
        ("illumination", less(COMMON, "illumination") | styles(b=less(B, "illumination"))),
        ("illumination.vignette", COMMON | {"illumination": {"gradient": 0.1}} | styles(b=less(B, "illumination"))),
        ("styles.illumination", COMMON | styles(b=less(B, "illumination"))),
        ("styles.a.twins", COMMON | styles(less(A, "twins"))),
        ("styles.b.twins.share", COMMON | styles(b=less(B, "twins"))),
        ("styles.grain_shades.mean_grey", COMMON | styles(less(A, "grain_shades"))),
        ("grain_structure.size_spread", COMMON | {"grain_structure": {"diameter_px": 20}} | styles()),
        ("styles", COMMON | styles() | {"styles_apart": True}),
        ("scratches", COMMON | styles()),
    ],
)
def test_a_path_is_taken_out(path, left):
    assert taken_out(path) == left


def test_styles_that_say_nothing_more_are_left_out():
    assert taken_out("twins", "styles.grain_shades", "styles.illumination", "styles") == COMMON


def test_what_two_units_name_is_the_first_ones():
    written = {"first": ["styles.a.twins"], "then": ["twins"], "last": ["twins.share"]}
    units = units_of(KIND, CONTENT, written, "units")
    assert without(CONTENT, units["then"]) == COMMON | styles(b=less(B, "twins"))
    assert not units["last"].places
    assert without(CONTENT, units["first"] | units["then"]) == taken_out("twins")


def test_the_scenario_that_was_given_is_left_as_it_was():
    before = json.dumps(CONTENT)
    taken_out("twins", "illumination")
    assert json.dumps(CONTENT) == before


@pytest.fixture(scope="module")
def whole(project):
    return read_tree(project / "params.yaml")


@pytest.fixture
def tree(whole):
    """The parameters of the project with a smaller ablation."""
    grains = whole["grain_boundaries"]
    changed = {"ablation": SETTINGS, "train": grains["train"] | {"architecture": "small_unet", "cl_dice_share": 0.0}}
    return whole | {"grain_boundaries": grains | changed}


def plan(tree, **changed):
    grains = tree["grain_boundaries"]
    return read(tree | {"grain_boundaries": grains | {"ablation": grains["ablation"] | changed}}, "grain_boundaries")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"runs": -1}, r"ablation\.runs: -1 is not allowed"),
        ({"units": {"x": ["twin"]}}, r"ablation\.units\.x: 'twin': twin is not a known key; the keys here are: grain_"),
        ({"units": {"x": ["twins.shares"]}}, r"units\.x: 'twins\.shares': shares is not a known key; .* share, "),
        ({"units": {"x": ["styles.twin"]}}, r"units\.x: 'styles\.twin': twin is not a known key"),
        ({"units": {"x": ["styles.twinned"]}}, r"units\.x: 'styles\.twinned' is no path"),
        ({"units": {"x": ["styles.plane.twins"]}}, r"units\.x: 'styles\.plane\.twins': plane is not a known key"),
        ({"units": {"x": ["styles.lost.twins.share"]}}, r"lost is not a known key; the keys here are: clean_etch, "),
        ({"units": {"x": []}}, r"ablation\.units\.x: \[\] is not allowed; give 1 or more"),
        ({"units": {"x": ["twins.share.low"]}}, r"units\.x: 'twins\.share\.low' is no path"),
        ({"units": {"x": ["grain_structure"]}}, r"units\.x: 'grain_structure' .* name styles\.grain_structure\.diam"),
        ({"units": {"a b": ["twins"]}}, r"'a b' cannot be the name of a unit"),
        ({"units": {"x": "twins"}}, r"ablation\.units\.x: 'twins' is not allowed"),
        ({"settings": {"x": {"targets": "mask"}}}, r"ablation\.settings\.x\.targets is not a known key"),
        ({"settings": {"x": {"architecture": "unet_resnet51"}}}, r"settings\.x\.architecture: 'unet_resnet51' is not"),
        ({"settings": {"x": {"architecture": "efficientnet_lite0"}}}, r"settings\.x\.architecture: 'efficientnet_l"),
        ({"settings": {"x": {"phases": [PHASE | {"peak_rate": "find"}]}}}, r"x\.phases\.0\.peak_rate: give a number"),
        ({"settings": {"x": {"runs": 7}}}, r"ablation\.settings\.x\.runs has no effect in an ablation"),
        ({"settings": {"x": {"rehearsal_share": 0.5}}}, r"settings\.x\.rehearsal_share has no effect in an ablation"),
        ({"settings": {"x": {"cl_dice_share": 2}}}, r"ablation\.settings\.x\.cl_dice_share: 2 is not allowed"),
        ({"phases": [PHASE | {"peak_rate": "find"}]}, r"ablation\.phases\.0\.peak_rate: give a number"),
        ({"images": {"count": 8}}, r"ablation\.images\.side_px: is missing"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(tree, changed, said):
    with pytest.raises(Mistake, match=said):
        plan(tree, **changed)


def scenario(content):
    return Scenario.read(KIND, dict(content) | {"rows": 64, "cols": 64}, "scenario")


def test_without_any_unit_the_papers_scenario_is_left_in_even_light(project, whole):
    text, profile = (project / "params.yaml").read_text(), (project / "profiles/paper.yaml").read_text()
    paper = YAML(typ="safe", pure=True).load(overlaid(text, profile))["grain_boundaries"]["scenario"]
    left = scenario(read(whole, "grain_boundaries").variants[NONE].content)
    (plain,) = scenario(paper).styles
    assert left.styles[0].parameters == {**plain.styles[0].parameters, "illumination": {}}
    assert left.draw_one(3, 0).illumination == Illumination()


def test_every_unit_of_the_project_is_left_out_and_added(whole):
    asked = read(whole, "grain_boundaries")
    units, settings = (whole["grain_boundaries"]["ablation"][key] for key in ("units", "settings"))
    usual = whole["grain_boundaries"]["train"].items()
    assert settings["cl_dice"].items() <= usual  # tried by default, so there is nothing to compare
    only = {f"only_{name}" for name in units} - {"only_styles"}  # without other units, styles have nothing to say
    assert asked.variants.keys() == {
        ALL,
        NONE,
        *(f"without_{n}" for n in units),
        *only,
        *(f"with_{n}" for n, each in settings.items() if not each.items() <= usual),
    }
    assert len(asked.gains) == len(asked.variants) - 2
    for variant in asked.variants.values():
        assert scenario(variant.content).draw_one(0, 0).render().mask.any()


def test_runs_come_number_by_number_and_pairs_are_compared(tree):
    asked = plan(tree)
    assert [(variant.name, run) for variant, run in asked.cells] == [(name, run) for run in (1, 2) for name in EVERY]
    assert [tuple(gain) for gain in asked.gains] == [
        ("leave_one_out", "twins", "all", "without_twins"),
        ("leave_one_out", "light", "all", "without_light"),
        ("add_one_in", "twins", "only_twins", "none"),
        ("add_one_in", "light", "only_light", "none"),
        ("settings", "cl_dice", "with_cl_dice", "all"),
    ]


def test_settings_are_those_of_train_but_for_the_phases(tree):
    variants, train = plan(tree).variants, tree["grain_boundaries"]["train"]
    usual, tried = variants[ALL].settings, variants["with_cl_dice"].settings
    assert (usual.phases[0].size_px, usual.validation_share) == (32, train["validation_share"])
    assert tried == usual.model_copy(update={"cl_dice_share": 0.3})


def test_images_differ_in_nothing_but_what_was_taken_out(whole):
    variants = read(whole, "grain_boundaries").variants
    both = [scenario(variants[name].content) for name in (ALL, "without_stains")]
    stained = 0
    for n in range(40):
        one, other = (each.draw_one(1, n, "ablation") for each in both)
        rows = [{key: value for key, value in each.row().items() if "stains." not in key} for each in (one, other)]
        assert rows[0] == rows[1]
        if n < 12:
            same = np.array_equal(one.render().image, other.render().image)
            assert same == (one.stains.sd_grey == 0)
        stained += one.stains.sd_grey > 0
    assert 0 < stained < 40


def test_what_decides_a_run_is_in_its_hash(tree):
    def hashed(name=ALL, run=1, pictures="pictures", **changed):
        asked = plan(tree, **changed)
        return inputs_of("grain_boundaries", asked.variants[name], run, (asked.asked.images, pictures))

    assert hashed() == hashed(runs=7, units={"twins": ["twins"]}, settings={})
    others = [hashed(run=2), hashed(pictures="others"), hashed(images={"count": 9, "side_px": 32, "scoring": 3})]
    others += [hashed(phases=[PHASE | {"epochs": 2}]), hashed("with_cl_dice"), hashed("none")]
    others += [hashed("without_twins"), hashed("only_twins")]
    assert len({hashed(), *others}) == 1 + len(others)


def test_the_order_of_styles_decides_too(tree):
    grains = tree["grain_boundaries"]
    turned = dict(reversed(grains["scenario"]["styles"].items()))
    other = tree | {"grain_boundaries": grains | {"scenario": grains["scenario"] | {"styles": turned}}}
    hashes = [
        inputs_of("grain_boundaries", asked.variants[ALL], 1, (asked.asked.images, ""))
        for asked in (plan(tree), plan(other))
    ]
    assert hashes[0] != hashes[1]


@pytest.fixture
def fits(micrographs, scoring, monkeypatch):  # noqa: ARG001 - they are read from their folders
    """Networks are made up: without twins nothing is found, else all that is dark. Gives variants and runs trained."""
    done = []

    def fit(task):
        assert len(task.arm.dataset(task.run).images) == SETTINGS["images"]["count"]
        task.folder.mkdir(parents=True)
        said = {"inputs": task.inputs, "run": task.run, "arm": task.arm.name, "rates": [0.001], "epochs": []}
        said |= {"device": "cpu", "processor": "none", "torch": "none"}
        (task.folder / "run.json").write_text(json.dumps(said))
        done.append((task.arm.name, task.run))

    def predictor(network):
        name = json.loads((network / "run.json").read_text())["arm"]
        blind = name in ("without_twins", "none", "only_light")
        return lambda image: 0.45 * ((image < 100) & (not blind)).astype(np.float32)

    for module in (ablation_run, ablation_topology):
        monkeypatch.setattr(module, "fit", fit)
        monkeypatch.setattr(module, "predictor", predictor)
    monkeypatch.setattr(ablation, "run_tasks", lambda work, tasks, *_: [work(each) for each in tasks])
    return done


def run(tree, **changed):
    """Run the stage; return its verdict."""
    grains = tree["grain_boundaries"]
    asked = {"ablation": grains["ablation"] | changed, **{key: grains[key] for key in ("scenario", "train")}}
    Path("params.yaml").write_text(json.dumps({"grain_boundaries": asked}))
    ablation.main(
        "grain_boundaries", Path("data/test_set"), Path("data/scoring"), Path("metrics/ablation.json"), Path("records")
    )
    return json.loads(Path("metrics/ablation.json").read_text())


def test_a_unit_that_everything_hangs_on_earns_it_all(tree, fits):
    said = run(tree)
    assert fits == [(name, number) for number in (1, 2) for name in EVERY]
    found, lost = (said["variants"][name]["mean_iou"]["mean"] for name in (ALL, NONE))
    assert (found, said["places"]) == (pytest.approx(1), {"all pictures": 3, "steel": 2, "iron": 1})
    for kind in ("leave_one_out", "add_one_in"):
        earned = {name: of["all pictures"]["mean_iou"] for name, of in said["gains"][kind].items()}
        assert earned["twins"]["mean_difference"] == pytest.approx(1 - lost)
        assert earned["light"]["mean_difference"] == 0
    assert said["test_set"]["reason"] == "nothing is given"
    assert f"| twins | +{1 - lost:.3f}" in Path("metrics/ablation.md").read_text().replace("*", "")
    assert "dvc repro ablation_grain_boundaries\n- Network: small_unet, " in Path("metrics/ablation.md").read_text()
    assert Path("metrics/ablation.svg").read_text().startswith("<svg")


def test_topology_is_measured_where_settings_are_compared(tree, fits):
    run(tree, runs=1)
    tables = {
        name: RunRecord.read(Path("records", name, "run-001.json")).answers["test"].table
        for name in dict.fromkeys(name for name, _ in fits)
    }
    assert [name for name, table in tables.items() if "betti_error" in table] == ["all", "with_cl_dice"]


def test_topology_is_that_of_the_mask_at_the_runs_own_threshold():
    truth = np.zeros((40, 40), bool)
    truth[19:21], truth[:, 19:21] = True, True
    found = np.where(truth, 0.4, 0.1).astype(np.float32)
    found[:, 30] = np.maximum(found[:, 30], 0.3)  # one line more
    picture = Picture("a", np.zeros((40, 40), np.uint8), truth)
    at_both = [ablation_topology.topology(picture, found, threshold) for threshold in (0.35, 0.2)]
    assert (at_both[0]["cl_dice"], at_both[0]["betti_error"]) == (1, 0)
    assert at_both[1]["cl_dice"] < 1
    assert at_both[0]["matched_grains"] == at_both[1]["matched_grains"]


def test_a_record_has_every_picture_at_the_runs_own_threshold(tree, fits):
    run(tree, runs=1)
    record = RunRecord.read(Path("records/all/run-001.json"))
    assert record.training["arm"] == "all"
    assert record.answers["test"].table == {
        "picture": ["a", "b", "c"],
        "threshold": [0.1] * 3,  # of 0.1 to 0.4, which do equally well on the scoring set, the lowest
        "pixel_error": [0] * 3,
        "mean_iou": [1] * 3,
        "boundary_f1": [1] * 3,
        "average_precision": [1] * 3,
        "cl_dice": [1] * 3,
        "betti_error": [0] * 3,
        "matched_grains": [1] * 3,
    }
    assert len(fits) == len(EVERY)
    assert not list(Path(".micromime/work").rglob("*.npy"))


@pytest.mark.parametrize(("count", "threshold"), [(1, 0.3), (3, 0.5)])
def test_a_threshold_is_chosen_on_the_first_samples_of_the_scoring_set(count, threshold, micrographs, scoring):
    asked = []

    def find(image):
        asked.append(image.shape)
        first, dark = len(asked) == 1, image < 100
        return np.where(dark, 0.35, 0.25) if first else np.where(dark, 0.65, 0.45)

    rows = ablation_run.scores(find, ablation_run.Pictures(micrographs, scoring), count)
    assert [row["threshold"] for row in rows] == [threshold] * 3
    assert len(asked) == count + 3


def test_records_are_reused_and_only_what_is_missing_runs(tree, fits):
    first = run(tree)
    count = len(fits)
    assert run(tree) == first
    assert len(fits) == count
    Path("records/only_twins/run-002.json").unlink()
    assert run(tree) == first
    assert fits[count:] == [("only_twins", 2)]


def test_a_record_is_not_taken_for_other_images_or_another_scoring_set(tree, fits):
    run(tree, runs=1)
    count = len(fits)
    run(tree, runs=1, settings={})
    assert len(fits) == count
    Path("data/scoring/dataset.json").write_text("{}")
    run(tree, runs=1)
    assert len(fits) == 2 * count


def test_a_stopped_stage_goes_on(tree, fits, monkeypatch):
    fit = ablation_run.fit

    def stopped(task):
        if len(fits) == 3:
            (task.folder.parent / "unfinished").mkdir(parents=True)
            raise KeyboardInterrupt
        fit(task)

    monkeypatch.setattr(ablation_run, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tree)
    assert sorted(each.parent.name for each in Path("records").rglob("*.json")) == ["all", "none", "without_twins"]
    monkeypatch.setattr(ablation_run, "fit", fit)
    run(tree)
    assert len(fits) == 2 * len(EVERY)
    assert not list(Path(".micromime/work/ablation").iterdir())


def test_no_runs_write_an_empty_verdict_without_a_look_at_any_picture(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(tree, runs=0) == {}
    assert "nothing is claimed" in Path("metrics/ablation.md").read_text()
    assert "nothing was compared" in Path("metrics/ablation.svg").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("micrographs", "scoring")
def test_a_small_ablation_is_trained_end_to_end_and_again_the_same(tree):
    small = {"runs": 1, "units": {"twins": ["twins"]}}
    first = run(tree, **small)
    assert first["variants"].keys() == {ALL, NONE, "without_twins", "only_twins", "with_cl_dice"}
    file = Path("records/without_twins/run-001.json")
    answers = RunRecord.read(file).answers
    file.unlink()
    assert run(tree, **small) == first
    assert RunRecord.read(file).answers == answers
