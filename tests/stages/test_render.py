"""Which data sets are rendered, of how many instances, from which streams, and what is said of each."""

import json
import shutil
from pathlib import Path

import pytest

from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.stages.render import render, render_own

GRAINS, CHIPS = "grain_boundaries", "chip_cracks"


@pytest.fixture
def tree(project, tmp_path, monkeypatch, crack_laws, dictionary_file):
    """The project's parameters with small sets, as a file in the working directory; measured is one dictionary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    tree = read_tree(project / "params.yaml")
    for use_case in (GRAINS, CHIPS):
        tree[use_case]["scenario"] |= {"rows": 40, "cols": 56}
        tree[use_case]["render"] = {"count": 3, "seed": 5}
    tree[GRAINS]["scoring"] = {"count": 2, "seed": 5}
    tree[CHIPS]["scenario"]["crack"] = crack_laws
    tree[CHIPS]["tiles"]["subsets"], tree[CHIPS]["ablation"] = ["all", 8], {"subset": 8, "ways": ["cut"]}
    for subset in ("all", "8"):
        folder = places.exemplars(CHIPS) / subset
        folder.mkdir(parents=True)
        shutil.copy(dictionary_file, folder / "dictionary.npz")
        measured = {"dictionary": str(folder / "dictionary.npz"), "made_from": {"tiles": subset}}
        (folder / "measured.yaml").write_text(json.dumps(measured))
    Path("params.yaml").write_text(json.dumps(tree))
    return tree


def test_sets_share_no_instance_though_their_seeds_are_the_same(tree, grains):
    for name in ("base", "scoring"):
        render(GRAINS, name)
    base, scoring = (Dataset(places.synthetic(GRAINS, name)) for name in ("base", "scoring"))
    assert (len(base.images), len(scoring.images), base.images[0].shape) == (3, 2, (40, 56))
    assert not {*base.samples["seed"]} & {*scoring.samples["seed"]}
    assert scoring.samples["seed"].tolist() == [grains.draw_one(5, n, "scoring").seed for n in range(2)]
    asked = {"use_case": GRAINS, "count": 2, "seed": 5, "purpose": "scoring", "parent": None}
    assert scoring.description.items() >= asked.items()
    assert scoring.description["scenario"] == tree[GRAINS]["scenario"]
    render_own(GRAINS, (3, 5), Path("own"), 1, (Path("params.yaml"), None))
    assert identity(Path("own")) == identity(base.folder) != identity(scoring.folder)
    with pytest.raises(Mistake, match="data set: 'test' is not known; use one of: base, pools, scoring"):
        render(GRAINS, "test")


@pytest.mark.usefixtures("tree")
def test_every_subset_has_a_pool_of_what_was_measured_on_it_and_one_a_texture():
    render(CHIPS, "pools")
    pools = {name: Dataset(places.synthetic(CHIPS, name)).description for name in ("all", "8", "8_cut")}
    for name, subset, way in (("all", "all", "filled"), ("8", "8", "filled"), ("8_cut", "8", "cut")):
        texture = {"dictionary": f"data/exemplars/{CHIPS}/{subset}/dictionary.npz", "way": way}
        assert pools[name]["scenario"]["exemplar_texture"] == texture
        assert [*pools[name]["named_files"]] == [texture["dictionary"]]
        assert pools[name]["made_from"]["measured"] == {"tiles": subset}
        assert pools[name]["made_from"]["scenario"]["exemplar_texture"]["way"] == way
        assert pools[name]["classes"] == ["intact", "crack"]
    assert len({identity(places.synthetic(CHIPS, name)) for name in pools}) == 3
