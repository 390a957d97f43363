"""A network as MLflow serves it: model code, which MLflow copies beside the weights and runs wherever it loads them.

MLflow's models from code hold no pickle. Running this file is how it learns which class to ask; it imports MLflow.
It runs it as it saves a model, too, before the code copied beside it can be found: ours is imported within functions.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray


class ServedModel(PythonModel):
    """Says how likely each pixel of images is a boundary, or how likely each image is of the second class.

    Which of these, the network's architecture decides; the numbers are those that it was judged by.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network of the artifacts `weights.safetensors` and `model.json`: MLflow puts them side by side."""
        from micromime.inference.networks import class_probabilities, probabilities
        from micromime.inference.views import in_all_views
        from micromime.training.architectures import finds
        from micromime.training.networks import description_of, load_network

        folder = Path(context.artifacts["weights.safetensors"]).parent
        network, described = load_network(folder), description_of(folder)

        def in_views(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = [in_all_views(lambda seen: probabilities(network, seen[None])[0], image) for image in pixels]
            return np.array(found, np.float32).reshape(len(pixels), *pixels.shape[2:])

        self.of_class = finds(described["architecture"]) == "class"
        of_class = partial(class_probabilities, network, size_px=described.get("size_px", 0))
        self.answer = of_class if self.of_class else in_views

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow hands it over
        model_input: np.ndarray,  # a hint that MLflow knows; it grumbles about NDArray
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow hands them over
    ) -> NDArray[np.float32]:
        """Return numbers from 0 to 1 for pixel values (n, 3, rows, cols), whole numbers of 8 or 16 bits, of any size.

        They are (n, rows, cols), one for each pixel, where the network finds a mask, (n,) where it finds a class.
        A grey image is given three times over: `np.repeat(image[None, None], 3, axis=1)`. Whole micrographs are
        stretched as test pictures are (`pictures.greys`). A tile is asked about as it is, in 8 bits: how it would be
        stretched, its photograph decides. MlflowException for all else, which a server answers with status 400.
        """
        from micromime.pictures.greys import in_8_bits

        stored = _whole_numbers(model_input, 255 if self.of_class else 65535)
        if self.of_class or not len(stored):
            return self.answer(stored.astype(np.uint8))
        # A request in JSON does not say how many bits: each picture by its own greys, not by those beside it.
        own = [image if image.dtype in (np.uint8, np.uint16) else image.astype(bits_of(image)) for image in stored]
        return self.answer(np.stack([in_8_bits(image)[0] for image in own]))


def bits_of(image: NDArray[Any]) -> type[np.uint8 | np.uint16]:
    """Return the smallest kind of pixel values that holds those of a picture."""
    return np.uint16 if image.max() > np.iinfo(np.uint8).max else np.uint8


def _whole_numbers(given: Any, most: int) -> NDArray[Any]:
    """Return pixel values as an array of whole numbers; MlflowException for what is none."""
    pixels = np.asarray(given)
    expected = f"whole numbers from 0 to {most} of the shape (n, 3, rows, cols), grey ones three times over"
    seen = f"{pixels.dtype} of the shape {pixels.shape}"
    if pixels.size and np.issubdtype(pixels.dtype, np.number):
        seen += f" from {pixels.min():g} to {pixels.max():g}"
    sound = pixels.ndim == 4 and pixels.shape[1] == 3 and np.issubdtype(pixels.dtype, np.integer)
    if not sound or (pixels.size and not 0 <= pixels.min() <= pixels.max() <= most):
        raise MlflowException.invalid_parameter_value(f"Pixel values must be {expected}; given was {seen}.")
    if 0 in pixels.shape[2:]:
        raise MlflowException.invalid_parameter_value(f"A picture has no pixel; given was {seen}.")
    return pixels


set_model(ServedModel())
