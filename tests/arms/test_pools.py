import pytest

from micromime.arms.comparisons import measured, pools
from micromime.mistakes import Mistake


def tree(subsets, ways, subset=32):
    tiles = {"test_tiles": 60, "seed": 0, "subsets": subsets}
    return {"chips": {"tiles": tiles, "ablation": {"subset": subset, "ways": ways}}}


def test_every_subset_has_a_pool_and_one_subset_those_with_other_textures():
    found = pools(tree(["all", 32], ["cut", "white_noise"]), "chips")
    assert [pool.name for pool in found] == ["all", "32", "32_cut", "32_white_noise"]
    assert [pool.subset for pool in found] == ["all", "32", "32", "32"]
    assert [pool.way for pool in found] == ["filled", "filled", "cut", "white_noise"]


def test_an_ablation_that_is_left_out_may_name_any_subset():
    assert [pool.name for pool in pools(tree(["all"], []), "chips")] == ["all"]


@pytest.mark.parametrize(
    ("subsets", "ways", "said"),
    [
        (["all", "all"], [], "names a subset twice"),
        ([16], ["cut"], "32 is no subset; use one of: 16"),
        ([3], [], "3 is not allowed"),
        (["most"], [], "'most' is not allowed"),
        ([], [], "chips.tiles.subsets"),
        ([32], ["painted"], "'painted' is not allowed"),
    ],
)
def test_what_is_wrong_is_said(subsets, ways, said):
    with pytest.raises(Mistake, match=said):
        pools(tree(subsets, ways), "chips")


def test_what_was_measured_is_read(tmp_path):
    (tmp_path / "measured.yaml").write_text("depth: {uniform: [0.1, 0.2]}\ndictionary: somewhere.npz\n")
    assert measured(tmp_path) == {"depth": {"uniform": [0.1, 0.2]}, "dictionary": "somewhere.npz"}
