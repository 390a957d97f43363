"""Tiles of the surface of electrical parts, with and without a crack (Trampert et al. 2021, section 3.1)."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np

from micromime.mistakes import Mistake
from micromime.partial_models.camera.illumination import Illumination, illuminate
from micromime.partial_models.cracks.crack import Crack, course, lost_light, through
from micromime.partial_models.surface.exemplar_texture import ExemplarTexture, surfaces
from micromime.scenario.arrays import Grey, Mask
from micromime.scenario.scenario import Instance, Sample


class ChipTile(Instance):
    """A tile cut from the photograph of a part: texture like that of its exemplars, and on half of them a crack."""

    classes: ClassVar[tuple[str, ...]] = ("intact", "crack")

    label: Literal["intact", "crack"]
    exemplar_texture: ExemplarTexture
    crack: Crack
    illumination: Illumination

    def render(self) -> Sample:
        """Return image and crack mask; the mask of an intact tile is empty."""
        return self.render_all([self])[0]

    @classmethod
    def render_all(cls, instances: Sequence[Self]) -> list[Sample]:
        """Return the samples; their textures are filled side by side, and are the same as alone."""
        textures = [each.exemplar_texture for each in instances]
        filled = surfaces(textures, [each.stream("exemplar_texture") for each in instances])
        return [each._finished(surface) for each, surface in zip(instances, filled, strict=True)]

    def crack_alone(self) -> tuple[Grey, Mask]:
        """Return the share of the light that the crack takes, (rows, cols), and its mask; nothing on an intact tile."""
        if self.label == "intact":
            return np.zeros((self.rows, self.cols), np.float32), np.zeros((self.rows, self.cols), np.bool_)
        rng = self.stream("crack")
        return lost_light(through(course(self.crack, rng), self.rows, self.cols, rng), self.rows, self.cols)

    def _finished(self, surface: Grey) -> Sample:
        """Return the sample on a surface: a crack takes a share of the light that the texture sends back."""
        if max(self.rows, self.cols) > len(surface):
            side = len(surface)
            raise Mistake(f"A tile of {self.rows} x {self.cols} px is larger than the exemplars, {side} x {side} px.")
        grey = surface[: self.rows, : self.cols] * illuminate(self.illumination, self.rows, self.cols)
        lost, mask = self.crack_alone()
        grey *= 1 - lost
        return Sample(np.clip(np.rint(grey), 0, 255).astype(np.uint8), mask)
