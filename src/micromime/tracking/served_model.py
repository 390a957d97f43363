"""A network as MLflow serves it: model code, which MLflow copies beside the weights and runs wherever it loads them.

MLflow's models from code hold no pickle. Running this file is how it learns which class to ask; it imports MLflow.
It runs it as it saves a model, too, before the code copied beside it can be found: ours is imported within functions.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
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

        of_class = finds(described["architecture"]) == "class"
        self.answer = partial(class_probabilities, network, size_px=described["size_px"]) if of_class else in_views

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow hands it over
        model_input: np.ndarray,  # a hint that MLflow knows; it grumbles about NDArray
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow hands them over
    ) -> NDArray[np.float32]:
        """Return numbers from 0 to 1 for pixel values (n, 3, rows, cols) uint8, of any size.

        They are (n, rows, cols), one for each pixel, where the network finds a mask, (n,) where it finds a class.
        A grey image is given three times over: `np.repeat(image[None, None], 3, axis=1)`.
        """
        return self.answer(model_input)


set_model(ServedModel())
