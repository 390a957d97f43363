"""Micrographs of polycrystals and their grain boundaries (Trampert et al. 2021, section 3.2)."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from micromime.mistakes import Mistake
from micromime.partial_models.boundaries.annotation import Annotation, jittered, pen_widths, seen
from micromime.partial_models.boundaries.boundary_contrast import BoundaryContrast, contrasted
from micromime.partial_models.boundaries.grain_boundaries import GrainBoundaries, bend, near
from micromime.partial_models.boundaries.lines import draw_lines, label_grains
from micromime.partial_models.camera.gaussian_blur import GaussianBlur, blur
from micromime.partial_models.camera.illumination import Illumination, illuminate
from micromime.partial_models.camera.sensor import Sensor, photograph
from micromime.partial_models.camera.white_noise import WhiteNoise, add_white_noise
from micromime.partial_models.grains.anisotropy import Anisotropy, stretched, unstretched_sides
from micromime.partial_models.grains.grain_shades import GrainShades, shade
from micromime.partial_models.grains.grain_structure import GrainStructure, label_cells, tessellate
from micromime.partial_models.grains.merged_cells import MergedCells, merge
from micromime.partial_models.grains.twins import Twins, bands, lay_bands
from micromime.partial_models.surface.etch_residue import EtchResidue, lay_residue
from micromime.partial_models.surface.inclusions import Inclusions, spots
from micromime.partial_models.surface.perlin_texture import PerlinTexture, texture
from micromime.partial_models.surface.scratches import Scratches, scratches
from micromime.partial_models.surface.stains import Stains, stains
from micromime.scenario.arrays import Boundaries, Grey, Indices, Labels, Mask, Reals, Tessellation
from micromime.scenario.scenario import Instance, Sample


class _Section(NamedTuple):
    """The polished and etched section: what is where, before any light falls on it."""

    grains: Indices
    objects: Indices
    """What is labelled: the grains, or the bands in them, too."""
    grey: Grey
    cells: Tessellation
    shades: Reals
    """Of every cell."""
    boundaries: Boundaries


class GrainMicrograph(Instance):
    """A polished and etched section: grains of different grey, boundaries between them, and what lies on them.

    The paper's own partial models are structure, boundaries, shades, texture, noise, blur and light; all others do
    nothing by default.
    """

    grain_structure: GrainStructure
    anisotropy: Anisotropy = Anisotropy()
    merged_cells: MergedCells = MergedCells()
    grain_boundaries: GrainBoundaries
    boundary_contrast: BoundaryContrast = BoundaryContrast()
    grain_shades: GrainShades
    perlin_texture: PerlinTexture
    twins: Twins = Twins()
    etch_residue: EtchResidue = EtchResidue()
    inclusions: Inclusions = Inclusions()
    scratches: Scratches = Scratches()
    stains: Stains = Stains()
    illumination: Illumination
    white_noise: WhiteNoise
    gaussian_blur: GaussianBlur
    sensor: Sensor = Sensor()
    annotation: Annotation = Annotation()

    def render(self) -> Sample:
        """Return image, boundary mask and grain label map.

        Geometry reaches beyond the picture and the picture beyond the crop, so that no border shows. The labels are
        the grains as they are; the mask is what the annotation makes of their boundaries.
        """
        margin = self.gaussian_blur.margin_px
        rows, cols = self.rows + 2 * margin, self.cols + 2 * margin
        section = self._section(rows, cols)
        widths = pen_widths(self.annotation, section.boundaries, section.shades)
        mask, taken = draw_lines(section.boundaries, rows, cols, widths)
        if self.twins.share > 0:
            section, taken, sides = self._twinned(section, taken)
            mask |= sides & (self.twins.labelled == 1)
        grey = self._surface(section, taken)
        mask = jittered(self.annotation, mask, self.stream("annotation"))
        grey *= illuminate(self.illumination, rows, cols)
        add_white_noise(self.white_noise, grey, self.stream("white_noise"))
        image = photograph(self.sensor, blur(self.gaussian_blur, grey), self.stream("sensor"))
        inside = (slice(margin, margin + self.rows), slice(margin, margin + self.cols))
        return Sample(image, np.ascontiguousarray(mask[inside]), numbered(section.objects[inside]))

    def _section(self, rows: int, cols: int) -> _Section:
        """Return grains, their greys and their boundaries on (rows, cols)."""
        laid = tessellate(
            self.grain_structure, *unstretched_sides(self.anisotropy, rows, cols), self.stream("grain_structure")
        )
        cells = stretched(self.anisotropy, laid, rows, cols)
        edges, count = near(cells.edges, cells.diameter_px, rows, cols), len(cells.nuclei)
        bent = bend(self.grain_boundaries, edges, cells.diameter_px, self.stream("grain_boundaries"))
        labels, bent = label_grains(label_cells(cells, rows, cols), bent)
        grain = merge(self.merged_cells, edges, count, self.stream("merged_cells"))
        bent = bent.only(grain[edges.left] != grain[edges.right])
        between = bent.edges._replace(left=grain[bent.edges.left], right=grain[bent.edges.right])
        shades = shade(self.grain_shades, between, count, self.stream("grain_shades"))[grain]
        bent = contrasted(self.boundary_contrast, bent, self.stream("boundary_contrast"))
        grains = _looked_up(grain, labels) if self.merged_cells.share > 0 else labels
        shade_of = shades.astype(np.float32)
        grey = texture(self.perlin_texture, grains, shade_of, cells.diameter_px, self.stream("perlin_texture"))
        return _Section(grains, grains, grey, cells, shades, bent)

    def _twinned(self, section: _Section, taken: Grey) -> tuple[_Section, Grey, Mask]:
        """Return the section with twins in its grains, what their sides and the boundaries take, and their sides."""
        laid = bands(self.twins, section.cells.nuclei, section.cells.diameter_px, self.stream("twins"))
        pen_px = self.annotation.width_px or self.twins.line_px
        added, by_sides, sides, numbers = lay_bands(self.twins, laid, section.grains, pen_px)
        sides &= _looked_up(seen(self.annotation, self.twins.line_darkness * section.shades, laid.grey), section.grains)
        objects = numbers if self.twins.labelled else section.grains
        _add_bands(section.grey, taken, added, by_sides)
        return section._replace(objects=objects), taken, sides

    def _surface(self, section: _Section, taken: Grey) -> Grey:
        """Return the grey of the section with all that lies on it; boundaries take `taken` of its light."""
        grey, (rows, cols) = section.grey, taken.shape
        if self.scratches.per_100000_px > 0:
            grey += scratches(self.scratches, rows, cols, self.stream("scratches"))
        _dim(grey, taken)
        if self.etch_residue.width > 0:
            rng = self.stream("etch_residue")
            lay_residue(self.etch_residue, grey, taken != 0, section.cells.diameter_px, rng)
        if self.inclusions.per_10000_px > 0:
            _dim(grey, spots(self.inclusions, rows, cols, self.stream("inclusions")))
        if self.stains.sd_grey > 0:
            grey += stains(self.stains, rows, cols, self.stream("stains"))
        return grey


def numbered(objects: Indices) -> Labels:
    """Return the objects that are seen, numbered 1 to n in the order of their numbers."""
    objects = np.ascontiguousarray(objects)  # each layout of arrays would be compiled for
    there = np.zeros(objects.max() + 1, dtype=np.bool_)
    _mark(there, objects)
    if there.sum() > np.iinfo(np.uint16).max:
        raise Mistake(f"The image would hold {there.sum()} grains; 65535 fit a label map: use larger grains.")
    return _looked_up(np.cumsum(there).astype(np.uint16), objects)


@njit(cache=True)
def _add_bands(grey: Any, taken: Any, added: Any, by_sides: Any) -> None:
    """Add the grey of bands, and take as much as their sides or the boundaries take, whichever is more."""
    for row in range(grey.shape[0]):
        for col in range(grey.shape[1]):
            grey[row, col] += added[row, col]
            taken[row, col] = taken[row, col] if abs(taken[row, col]) >= by_sides[row, col] else by_sides[row, col]


@njit(cache=True)
def _dim(grey: Any, taken: Any) -> None:
    """Take a share of its grey from each pixel."""
    for row in range(grey.shape[0]):
        for col in range(grey.shape[1]):
            grey[row, col] *= np.float32(1) - taken[row, col]


@njit(cache=True)
def _mark(there: Any, objects: Any) -> None:
    """Mark which numbers there are."""
    for row in range(objects.shape[0]):
        for col in range(objects.shape[1]):
            there[np.uintp(objects[row, col])] = True


@njit(cache=True)
def _looked_up(table: Any, objects: Any) -> Any:
    """Return what the table has for each pixel's number."""
    out = np.empty(objects.shape, dtype=table.dtype)
    for row in range(objects.shape[0]):
        for col in range(objects.shape[1]):
            out[row, col] = table[np.uintp(objects[row, col])]
    return out
