"""Micrographs of polycrystals and their grain boundaries (Trampert et al. 2021, section 3.2)."""

import numpy as np

from micromime.arrays import Indices, Labels
from micromime.mistakes import Mistake
from micromime.partial_models.gaussian_blur import GaussianBlur, blur
from micromime.partial_models.grain_boundaries import GrainBoundaries, bend, draw_lines, label_grains, near
from micromime.partial_models.grain_shades import GrainShades, shade
from micromime.partial_models.grain_structure import GrainStructure, label_cells, tessellate
from micromime.partial_models.illumination import Illumination, illuminate
from micromime.partial_models.perlin_texture import PerlinTexture, texture
from micromime.partial_models.white_noise import WhiteNoise, white_noise
from micromime.scenario import Instance, Sample


class GrainMicrograph(Instance):
    """A polished and etched section: grains of different grey, dark boundaries between them."""

    grain_structure: GrainStructure
    grain_boundaries: GrainBoundaries
    grain_shades: GrainShades
    perlin_texture: PerlinTexture
    illumination: Illumination
    white_noise: WhiteNoise
    gaussian_blur: GaussianBlur

    def render(self) -> Sample:
        """Return image, boundary mask and grain label map.

        Geometry reaches beyond the picture and the picture beyond the crop, so that no border shows.
        """
        margin = self.gaussian_blur.margin_px
        rows, cols = self.rows + 2 * margin, self.cols + 2 * margin
        cells = tessellate(self.grain_structure, rows, cols, self.stream("grain_structure"))
        edges = near(cells.edges, cells.diameter_px, rows, cols)
        bent = bend(self.grain_boundaries, edges, cells.diameter_px, self.stream("grain_boundaries"))
        grains, bent = label_grains(label_cells(cells, rows, cols), bent)
        mask, taken = draw_lines(bent, rows, cols)

        count = len(cells.nuclei)
        grey = shade(self.grain_shades, edges, count, self.stream("grain_shades")).astype(np.float32)[grains]
        grey += texture(self.perlin_texture, grains, count, cells.diameter_px, self.stream("perlin_texture"))
        grey *= 1 - taken
        grey *= illuminate(self.illumination, rows, cols)
        grey += white_noise(self.white_noise, rows, cols, self.stream("white_noise"))
        image = np.clip(np.rint(blur(self.gaussian_blur, grey)), 0, 255).astype(np.uint8)
        inside = (slice(margin, margin + self.rows), slice(margin, margin + self.cols))
        return Sample(image, np.ascontiguousarray(mask[inside]), numbered(grains[inside], count))


def numbered(grains: Indices, count: int) -> Labels:
    """Return the grains that are seen, numbered 1 to n in the order of their nuclei."""
    seen = np.bincount(grains.ravel(), minlength=count) > 0
    if seen.sum() > np.iinfo(np.uint16).max:
        raise Mistake(f"The image would hold {seen.sum()} grains; 65535 fit a label map: use larger grains.")
    return np.cumsum(seen).astype(np.uint16)[grains]
