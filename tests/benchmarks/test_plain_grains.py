"""The plain reading of the paper as an oracle: what it draws from the same geometry must be what the package draws."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.spatial import Voronoi

from micromime.partial_models.boundaries.grain_boundaries import GrainBoundaries, bend
from micromime.partial_models.boundaries.lines import draw_lines, label_grains
from micromime.partial_models.grains.grain_structure import GrainStructure, label_cells, tessellate
from micromime.scenario.arrays import STEPS
from micromime.scenario.parameters import read_tree
from micromime.scenario.streams import stream

plain = pytest.importorskip("plain_grains", reason="it needs the package noise, which needs a compiler")


@pytest.mark.parametrize("seed", range(2))
def test_both_draw_the_same_grains_and_lines(seed):
    rows, cols, diameter_px = 80, 100, 24.0
    cells = tessellate(GrainStructure(diameter_px=diameter_px), rows, cols, stream(seed, "cells"))
    model = GrainBoundaries(control_points=3, waviness=0.05, thickness_px=3, darkness=1)
    bent = bend(model, cells.edges, diameter_px, stream(seed, "bend"))
    labels, bent = label_grains(label_cells(cells, rows, cols), bent)
    mask, _ = draw_lines(bent, rows, cols)
    heights = {}
    for e, (left, right) in enumerate(zip(bent.edges.left, bent.edges.right, strict=True)):
        heights[frozenset((int(left), int(right)))] = (
            bent.edges.start[e],
            bent.heights[e, STEPS // 4 : -1 : STEPS // 4],
        )

    def offsets(p, q, start, end):
        ours, values = heights.get(frozenset((p, q)), (start, np.zeros(3)))
        # The same edge seen from its other end: the points in reverse, and left for right.
        return values if np.hypot(*(ours - start)) < np.hypot(*(ours - end)) else -values[::-1]

    voronoi = Voronoi(cells.nuclei)
    curves = plain.plain_edges(voronoi, offsets, points=STEPS + 1)
    theirs = plain.plain_labels(voronoi, curves, rows, cols)
    # Pillow's polygons take in the pixels that their outline touches: up to two beside each line may differ.
    change = np.gradient(labels.astype(float))
    near_a_line = binary_dilation((change[0] != 0) | (change[1] != 0))
    inside = (slice(2, -2), slice(2, -2))
    assert (theirs == labels)[inside][~near_a_line[inside]].all()
    assert (theirs == labels).mean() > 0.94
    lines = plain.plain_mask(curves, 3, rows, cols)
    assert not (lines & ~binary_dilation(mask, iterations=2))[inside].any()
    assert not (mask & ~binary_dilation(lines, iterations=2))[inside].any()


@pytest.mark.parametrize("profile", ["paper", "demo"])
def test_the_benchmark_makes_a_row_of_a_contest(project, profile):
    import render

    content = read_tree(project / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 72, "cols": 96}
    contest = render.grain_boundaries(profile, content | ({"styles": {}} if profile == "paper" else {}))
    row = render.measure(1, lambda: contest._replace(ours=2, plain=1))
    assert row["name"].startswith(f"grain_boundaries, {render.SCENARIOS[profile][0]}: ")
    assert set(row) == {"name", "per_second", "reference", "ratio", "peak_memory_mib"}
    assert 0 < row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
    assert row["per_second"] > 0
    assert row["peak_memory_mib"] > 50
