"""What the camera and the file do: noise that grows with the light, tone, clipping, JPEG."""

import io

import numpy as np
import PIL.Image
from pydantic import Field

from micromime.scenario.arrays import Grey, Image
from micromime.scenario.partial_model import PartialModel


class Sensor(PartialModel):
    """The chain behind the lens, in this order."""

    shot_noise: float = Field(0.0, ge=0, le=4, description="Sd of the noise / square root of the grey.")
    read_noise_grey: float = Field(0.0, ge=0, le=80, description="Sd of the noise that is everywhere alike, grey.")
    black_grey: float = Field(0.0, ge=0, le=120, description="Grey that becomes 0, and all below it.")
    white_grey: float = Field(255.0, ge=130, le=400, description="Grey that becomes 255, and all above it.")
    gamma: float = Field(1.0, ge=0.4, le=2.5, description="Exponent of the tone curve between the two.")
    jpeg_quality: int = Field(100, ge=20, le=100, description="Quality of the JPEG file it was kept in; 100 is none.")


def photograph(model: Sensor, grey: Grey, rng: np.random.Generator) -> Image:
    """Return the picture that is kept of the light on the sensor, (rows, cols).

    noise: sd^2 = read^2 + shot^2 grey (Gaussian); then 255 ((grey - black) / (white - black))^gamma, clipped.
    """
    seen = grey
    if model.shot_noise > 0 or model.read_noise_grey > 0:
        variance = model.read_noise_grey**2 + model.shot_noise**2 * np.maximum(grey, 0)
        seen = grey + np.sqrt(variance).astype(np.float32) * rng.standard_normal(grey.shape, dtype=np.float32)
    if model.black_grey > 0 or model.white_grey != 255 or model.gamma != 1:
        share = (seen - model.black_grey) / (model.white_grey - model.black_grey)
        seen = (255 * np.clip(share, 0, 1) ** model.gamma).astype(np.float32)
    image: Image = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    if model.jpeg_quality < 100:
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "jpeg", quality=model.jpeg_quality)
        image = np.array(PIL.Image.open(file))
    return image
