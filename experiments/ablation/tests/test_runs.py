"""The ablation's runs: what is taken out of a scenario, what decides a run, records that are reused."""

import json
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from ruamel.yaml import YAML

from experiments.ablation import __main__ as ablation
from experiments.ablation import run as ablation_run
from experiments.ablation.plan import ALL, KIND, NONE, Images, units_of, without
from experiments.ablation.plan import ablation as read
from experiments.ablation.run import Task, inputs_of
from experiments.runs import told
from micromime.arms.records import read_record
from micromime.commands.profile import overlaid
from micromime.datasets.store import write_description, write_shard
from micromime.mistakes import Mistake
from micromime.pictures.test_set import ORIGIN_FILE, Origin
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Sample, Scenario

HERE = Path(__file__).parents[1]
PROJECT = HERE.parents[1]
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


def taken_out(*paths):
    return without(CONTENT, units_of(CONTENT, {"unit": paths})["unit"])


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
        ("twins styles.grain_shades styles.illumination styles", COMMON),  # styles that say nothing more are left out
    ],
)
def test_a_path_is_taken_out_and_what_was_given_is_left_as_it_was(path, left):
    before = json.dumps(CONTENT)
    assert taken_out(*path.split()) == left
    assert json.dumps(CONTENT) == before


def test_what_two_units_name_is_the_first_ones():
    units = units_of(CONTENT, {"first": ["styles.a.twins"], "then": ["twins"], "last": ["twins.share"]})
    assert without(CONTENT, units["then"]) == COMMON | styles(b=less(B, "twins"))
    assert not units["last"]
    assert without(CONTENT, units["first"], units["then"]) == taken_out("twins")


@pytest.fixture(scope="module")
def evidence():
    """The parameters of the project in the profile evidence, as the committed runs had them."""
    texts = ((PROJECT / name).read_text() for name in ("params.yaml", "profiles/evidence.yaml"))
    return YAML(typ="safe", pure=True).load(overlaid(*texts))


@pytest.fixture
def tree(evidence):
    """A small scenario, and a network that is trained in no time."""
    train = evidence["grain_boundaries"]["train"] | {"architecture": "small_unet", "cl_dice_share": 0.0}
    return {"profile": "evidence", "grain_boundaries": {"scenario": CONTENT, "train": train}}


def plan(tree, **changed):
    return read(SETTINGS | changed, tree)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"runs": 0}, r"ablation\.runs: 0 is not allowed"),
        ({"units": {"x": ["twin"]}}, r"ablation\.units\.x: 'twin': 'twin' is not known; use one of: .*grain_"),
        ({"units": {"x": ["styles.a"]}}, r"units\.x: 'styles\.a' is no path"),
        ({"units": {"x": ["styles.plane.twins"]}}, r"units\.x: 'styles\.plane\.twins': 'plane' is not known"),
        ({"units": {"x": ["grain_structure"]}}, r"units\.x: 'grain_structure' .* name styles\.grain_structure\.diam"),
        ({"units": {}, "settings": {}}, r"ablation names no unit or setting that changes anything"),
        ({"settings": {"x": {"targets": "mask"}}}, r"ablation\.settings\.x\.targets is not a known key"),
        ({"phases": [PHASE | {"peak_rate": "find"}]}, r"train\.phases: give every peak_rate as a number"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(tree, changed, said):
    with pytest.raises(Mistake, match=said):
        plan(tree, **changed)


def test_every_unit_of_the_committed_settings_is_left_out_and_added_and_has_its_records(evidence):
    asked = read(read_tree(HERE / "params.yaml"), evidence)
    every = {ALL, NONE, *(f"with_{name}" for name in asked.asked.settings)}
    every |= {f"{kind}_{name}" for kind in ("without", "only") for name in asked.asked.units}
    every.remove("only_styles")  # without other units, styles have nothing to say
    assert asked.variants.keys() == every
    assert len(asked.gains) == len(every) - 2
    for number in (1, 2, 3):
        for name, variant in asked.variants.items():
            (answers,) = read_record(HERE / "records", name, number).answers.values()
            assert ("betti_error" in answers.table) == variant.whole


def test_what_decides_a_run_is_in_its_hash(tree):
    def hashed(name=ALL, run=1, pictures="pictures", tree=tree, **changed):
        asked = plan(tree, **changed)
        return inputs_of(asked.variants[name], run, asked.asked.images, pictures)

    assert hashed() == hashed(runs=7, units={"twins": ["twins"]}, settings={})
    grains = tree["grain_boundaries"]
    turned = dict(reversed(grains["scenario"]["styles"].items()))  # the order of styles decides, too
    other = {"grain_boundaries": grains | {"scenario": grains["scenario"] | {"styles": turned}}}
    others = [hashed(run=2), hashed(pictures="others"), hashed(images={"count": 9, "side_px": 32, "scoring": 3})]
    others += [hashed(phases=[PHASE | {"epochs": 2}]), hashed("with_cl_dice"), hashed("none"), hashed(tree=other)]
    others += [hashed("without_twins"), hashed("only_twins")]
    assert len({hashed(), *others}) == 1 + len(others)


def lines(width_px=4):
    """A cross of boundaries between four grains, 40 by 64 px."""
    mask = np.zeros((40, 64), dtype=np.bool_)
    mask[20:23] = mask[:, 30 : 30 + width_px] = True
    return mask


@pytest.fixture
def trained(tree, tmp_path, monkeypatch):
    """Pictures to be asked about, dark lines on light grains; networks are made up: without twins they find nothing.

    Gives the variants and runs that were trained.
    """
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("project.yaml").write_text(json.dumps(tree))
    test_set, table = Path("test_set"), ["image,mask,source,um_per_px"]
    test_set.mkdir()
    for dark, (name, source) in enumerate({"a": "steel", "b": "steel", "c": "iron"}.items(), 50):
        PIL.Image.fromarray(np.where(lines(), dark, 200).astype(np.uint8)).save(test_set / f"{name}.png")
        PIL.Image.fromarray(np.uint8(255) * lines()).save(test_set / f"{name}_mask.png")
        table.append(f"{name}.png,{name}_mask.png,{source},")
    (test_set / "images.csv").write_text("\n".join(table) + "\n")
    Origin(kind="surrogate", reason="nothing is given", files={}).write(test_set / ORIGIN_FILE)
    masks = [lines(width_px) for width_px in (4, 8, 12)]
    samples = [Sample(np.where(mask, 50, 200).astype(np.uint8), mask) for mask in masks]
    drawn_from = Scenario.read(KIND, CONTENT, "scenario")
    instances = [drawn_from.draw_one(1, n, "scoring") for n in range(3)]
    write_shard(Path("scoring/shard-00000"), 0, instances, samples)
    write_description(Path("scoring"), {"use_case": "grain_boundaries", "scenario": CONTENT, "count": 3, "seed": 1})
    done, tasks = [], []

    def train(number, settings, images, _folder, start=None):
        assert (len(images.images), start, settings.phases[0].size_px) == (8, None, 32)
        done.append((tasks[-1].variant.name, number))
        return {"run": number, "device": "cpu", "processor": "none", "torch": "none"}

    def predictor(_network):
        blind = tasks[-1].variant.name in ("without_twins", "none", "only_light")
        return lambda image: 0.45 * ((image < 100) & (not blind)).astype(np.float32)

    monkeypatch.setattr(ablation_run, "train", train)
    monkeypatch.setattr(ablation_run, "predictor", predictor)
    monkeypatch.setattr(ablation, "ablation_chart", lambda _: "<svg>")
    monkeypatch.setattr(
        ablation, "run_tasks", lambda work, given, *_: [work(each) for each in given if not tasks.append(each)]
    )
    return done


def run(**changed):
    """Run the experiment; return its verdict."""
    Path("params.yaml").write_text(json.dumps(SETTINGS | changed))
    ablation.main(Path("out"), Path("params.yaml"), Path("project.yaml"), Path("test_set"), Path("scoring"))
    return json.loads(Path("out/results.json").read_text())


def test_a_unit_that_everything_hangs_on_earns_it_all_and_records_are_reused(trained):
    said = run()
    assert trained == [(name, number) for number in (1, 2) for name in EVERY]
    found, lost = (said["variants"][name]["mean_iou"]["mean"] for name in (ALL, NONE))
    assert (found, said["places"]) == (pytest.approx(1), {"all pictures": 3, "steel": 2, "iron": 1})
    for kind in ("leave_one_out", "add_one_in"):
        earned = {name: of["all pictures"]["mean_iou"] for name, of in said["gains"][kind].items()}
        assert earned["twins"]["mean_difference"] == pytest.approx(1 - lost)
        assert earned["light"]["mean_difference"] == 0
    assert said["test_set"]["reason"] == "nothing is given"
    text = Path("out/results.md").read_text()
    assert f"| twins | +{1 - lost:.3f}" in text.replace("*", "")
    assert "profile evidence && python -m experiments.ablation\n- Network: small_unet, " in text
    assert Path("out/results.svg").read_text().startswith("<svg")
    assert not list(Path("out/records").iterdir())
    assert run() == said
    assert len(trained) == 2 * len(EVERY)
    run(settings={"slow": {"threads": 2}})  # what is already known is that of the others
    assert trained[2 * len(EVERY) :] == [("with_slow", 1), ("with_slow", 2)]
    description = Path("scoring/dataset.json")
    description.write_text(description.read_text().replace('"seed": 1', '"seed": 2'))
    run(runs=1)
    assert len(trained) == 3 * len(EVERY) + 2
    with pytest.raises(Mistake, match=r"images\.scoring: scoring has 3 images; give that or less"):
        run(images=SETTINGS["images"] | {"scoring": 4})


def test_a_record_has_every_picture_at_the_runs_own_threshold_and_topology_where_settings_are_compared(trained):
    run(runs=1)
    tables = {name: read_record(Path("out/records"), name, 1).answers["test"].table for name, _ in trained}
    assert [name for name, table in tables.items() if "betti_error" in table] == ["all", "with_cl_dice"]
    none, one = [0] * 3, [1] * 3
    threshold = [0.1] * 3  # of 0.1 to 0.4, which do equally well on the scoring set, the lowest
    assert tables["all"] == {
        **{"picture": ["a", "b", "c"], "threshold": threshold, "pixel_error": none, "mean_iou": one},
        **{"boundary_f1": one, "average_precision": one, "cl_dice": one, "betti_error": none, "matched_grains": one},
    }


@pytest.mark.slow
def test_a_run_is_trained_end_to_end_and_again_the_same(trained, tree, monkeypatch, tmp_path):
    assert not trained
    monkeypatch.undo()
    variant, pictures = plan(tree).variants["with_cl_dice"], (tmp_path / "scoring", tmp_path / "test_set")
    images, tables = Images(count=10, side_px=32, scoring=1), []
    for records in (tmp_path / "first", tmp_path / "again"):
        ablation_run.run(pickle.loads(pickle.dumps(Task(variant, 1, images, pictures, "inputs", records))))
        tables.append(told(records, ("with_cl_dice", 1), "inputs"))
    assert tables[0] == tables[1]
    assert tables[0]["picture"] == ["a", "b", "c"]
