import json
from pathlib import Path

import pandas as pd
import pytest

from micromime.fitting.cracks.statistics import CrackStatistics
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.stages import measure
from micromime.stages.render import scenario_of
from micromime.stages.tile import write_tiles
from micromime.use_cases import instance_kind

PARAMETERS = {"segments": 9, "segment_px": 12.0, "segment_spread": 0.3, "bend_deg": 15.0, "bend_spread": 0.3}
PARAMETERS |= {"return_share": 0.7, "direction_deg": {"normal": {"mean": 0, "sd": 5, "low": -20, "high": 20}}}
PARAMETERS |= {"width_px": 5.0, "depth": {"uniform": [0.3, 0.5]}, "depth_spread": 0.2, "depth_correlation_px": 13.0}
PARAMETERS |= {"taper_px": 20.0, "tips": 1}


@pytest.fixture
def project(tmp_path, monkeypatch, gravel_tiles):
    """Divided tiles and params.yaml in the working directory; cracks are measured in no time."""
    monkeypatch.chdir(tmp_path)
    for name, tiles in (("test", gravel_tiles(4)), ("all", gravel_tiles(12)[4:]), ("4", gravel_tiles(12)[8:])):
        write_tiles(
            tiles, places.tiles("chip_cracks") / name, {"use_case": "chip_cracks", "classes": ["intact", "crack"]}
        )
    asked = {
        "tiles": {"test_tiles": 4, "seed": 0, "subsets": ["all", 4]},
        "exemplars": {"patches": 300, "seed": 0, "simulated_cracks": 30},
    }
    Path("params.yaml").write_text(json.dumps({"chip_cracks": asked}))
    asked_about = []

    def statistics(pictures, whole, seed, simulated, _mapped):
        asked_about.append((len(pictures), whole, seed, simulated))
        table = pd.DataFrame({key: [1.0, 2.0] for key in measure.TITLES})
        fits = pd.DataFrame({"law": ["normal"]})
        return CrackStatistics(PARAMETERS, {"depth": {"choice": [0.3, 0.5]}}, fits, table, table)

    monkeypatch.setattr(measure, "crack_statistics", statistics)
    monkeypatch.setattr(measure, "whole_photographs", lambda _folder, _test: ["one", "two", "three"])
    monkeypatch.setattr(measure, "listed_files", lambda _folder: {"photograph.png": "0f"})
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    return asked_about


def test_each_subset_is_measured_alone_and_the_scenario_of_params_yaml_finds_all_that_it_refers_to(project):
    measure.measure("chip_cracks")
    out = places.exemplars("chip_cracks")
    assert project == [(3, True, 0, 30), (4, False, 0, 30)]  # of all subsets together whole photographs
    for subset in ("all", "4"):
        folder = out / subset
        names = ["cracks.csv", "dictionary.npz", "fits.csv", "fitted.svg", "measured.yaml"]
        assert sorted(each.name for each in folder.iterdir()) == names
        assert Dictionary.read(folder / "dictionary.npz").patches.shape == (300, 17, 17)
    tree = read_tree(Path(__file__).parents[2] / "params.yaml")
    content = scenario_of(tree, "chip_cracks", out / "4")["scenario"]
    scenario = Scenario.read(instance_kind("chip_cracks"), content, "scenario")
    tile = scenario.draw_one(0, 1)
    assert tile.exemplar_texture.dictionary == "data/exemplars/chip_cracks/4/dictionary.npz"
    assert (tile.crack.segments, tile.crack.tips) == (9, 1)
    assert 0.3 <= tile.crack.depth <= 0.5
    assert tile.render().mask.any()
    content["crack"]["depth"] = read_tree(out / "4/measured.yaml")["depth_empirical"]
    scenario = Scenario.read(instance_kind("chip_cracks"), content, "scenario")
    assert {scenario.draw_one(0, n).crack.depth for n in range(12)} == {0.3, 0.5}
