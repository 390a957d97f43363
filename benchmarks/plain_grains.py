"""A plain reading of the paper's section 3.2.1 with the tools it names: the reference of the benchmark, and an oracle.

SciPy's Voronoi tessellation, one CubicSpline an edge, a polygon a grain and a line an edge drawn by Pillow,
`noise.pnoise2` for every pixel. It shares no code with the package but the classes that hold the parameters.
"""

from collections.abc import Callable

import numpy as np
from noise import pnoise2
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from scipy.spatial import Voronoi

from micromime.scenario.scenario import Instance

Floats = NDArray[np.float64]
Offsets = Callable[[int, int, Floats, Floats], Floats]
"""Displacements of an edge's inner control points to its left: of two nuclei, start and end."""


def plain_nuclei(instance: Instance, rng: np.random.Generator) -> Floats:
    """Return nuclei in and around the image, moved to the centroids of their cells."""
    diameter, steps = instance.grain_structure.diameter_px, instance.grain_structure.relaxation_steps
    margin = 2 * diameter
    high = np.array([instance.rows, instance.cols]) + margin
    count = round(float(np.prod(high + margin)) / (np.pi / 4 * diameter**2))
    nuclei = rng.uniform(-margin, high, (count, 2))
    for _ in range(steps):
        voronoi = Voronoi(nuclei)
        for cell, region in enumerate(voronoi.point_region):
            corners = voronoi.regions[region]
            if corners and -1 not in corners:
                polygon = voronoi.vertices[corners]
                if (polygon > -margin).all() and (polygon < high).all():
                    nuclei[cell] = _centroid(polygon)
    return nuclei


def _centroid(polygon: Floats) -> Floats:
    after = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * after[:, 1] - polygon[:, 1] * after[:, 0]
    return ((polygon + after) * cross[:, None]).sum(axis=0) / (3 * cross.sum())


def plain_edges(voronoi: Voronoi, offsets: Offsets, points: int = 16) -> dict[tuple[int, int], Floats]:
    """Return each finite ridge as a curve (points, 2), by its two Voronoi vertices in rising order."""
    curves = {}
    for (p, q), ridge in zip(voronoi.ridge_points, voronoi.ridge_vertices, strict=True):
        if -1 in ridge:
            continue
        one, two = sorted(ridge)
        start, end = voronoi.vertices[one], voronoi.vertices[two]
        heights = offsets(int(p), int(q), start, end)
        spline = CubicSpline(np.linspace(0, 1, len(heights) + 2), [0, *heights, 0], bc_type="natural")
        along = np.linspace(0, 1, points)
        left = np.array([-(end - start)[1], (end - start)[0]]) / np.hypot(*(end - start))
        curves[one, two] = start + along[:, None] * (end - start) + spline(along)[:, None] * left
    return curves


def plain_labels(voronoi: Voronoi, curves: dict[tuple[int, int], Floats], rows: int, cols: int) -> NDArray[np.int32]:
    """Return the cell at each pixel: one filled polygon a cell."""
    canvas = Picture.new("I", (cols, rows), 0)
    draw = ImageDraw.Draw(canvas)
    for cell, region in enumerate(voronoi.point_region):
        corners = voronoi.regions[region]
        if not corners or -1 in corners:
            continue
        outline = []
        for one, two in zip(corners, corners[1:] + corners[:1], strict=True):
            curve = curves[min(one, two), max(one, two)]
            outline.extend((curve if one < two else curve[::-1])[:-1])
        outline = np.array(outline)
        if (outline.max(axis=0) < 0).any() or (outline.min(axis=0) > [rows, cols]).any():
            continue
        draw.polygon([(col, row) for row, col in outline], fill=cell)
    return np.asarray(canvas, dtype=np.int32)


def plain_mask(curves: dict[tuple[int, int], Floats], width: int, rows: int, cols: int) -> NDArray[np.bool_]:
    """Return the boundaries as lines of a width in whole pixels."""
    canvas = Picture.new("1", (cols, rows))
    draw = ImageDraw.Draw(canvas)
    for curve in curves.values():
        if (curve.max(axis=0) > 0).all() and (curve.min(axis=0) < [rows, cols]).all():
            draw.line([(col, row) for row, col in curve], fill=1, width=width, joint="curve")
    return np.asarray(canvas)


def plain_texture(labels: NDArray[np.int32], wavelength_px: float, rng: np.random.Generator) -> Floats:
    """Return Perlin noise of each pixel, with an offset of its own in every grain."""
    shift = rng.uniform(0, 256, (labels.max() + 1, 2))
    out = np.empty(labels.shape)
    for row in range(labels.shape[0]):
        for col in range(labels.shape[1]):
            down, right = shift[labels[row, col]]
            out[row, col] = pnoise2(col / wavelength_px + right, row / wavelength_px + down)
    return out


def render_plain(instance: Instance, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Return image, mask and labels with the parameters of an instance of the grain use case."""
    lines, rows, cols = instance.grain_boundaries, instance.rows, instance.cols
    voronoi = Voronoi(plain_nuclei(instance, rng))

    def offsets(p: int, q: int, start: Floats, end: Floats) -> Floats:  # noqa: ARG001 - drawn, whatever the edge
        return rng.normal(0, lines.waviness * min(np.hypot(*(end - start)), 100), lines.control_points)

    curves = plain_edges(voronoi, offsets)
    labels = plain_labels(voronoi, curves, rows, cols)
    mask = plain_mask(curves, round(lines.thickness_px), rows, cols)
    shades = rng.normal(instance.grain_shades.mean_grey, instance.grain_shades.contrast_grey, len(voronoi.points))
    wavelength = instance.perlin_texture.wavelength * instance.grain_structure.diameter_px
    grey = shades[labels] + instance.perlin_texture.amplitude_grey * plain_texture(labels, wavelength, rng)
    grey[mask] *= 1 - lines.darkness
    r, c = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, cols), indexing="ij")
    light, angle = instance.illumination, np.deg2rad(instance.illumination.direction_deg)
    grey *= 1 + light.gradient * (np.sin(angle) * r + np.cos(angle) * c) - light.vignette * (r**2 + c**2) / 2
    grey += rng.normal(0, instance.white_noise.sd_grey, grey.shape)
    grey = gaussian_filter(grey, instance.gaussian_blur.kernel_px / 6)
    seen, numbered = np.unique(labels, return_inverse=True)
    image = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return image, mask, (numbered.reshape(labels.shape) + 1).astype(np.uint16 if seen.size < 65536 else np.uint32)
