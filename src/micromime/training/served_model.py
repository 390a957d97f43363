"""A network as MLflow serves it: model code, which MLflow copies beside the weights and runs wherever it loads them.

MLflow's models from code hold no pickle. Running this file is how it learns which class to ask; it imports MLflow.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray


class ServedModel(PythonModel):
    """Says how likely each pixel of images is a boundary; the numbers are those of `networks.probability`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network of the artifacts `weights.safetensors` and `model.json`: MLflow puts them side by side."""
        from micromime.training.networks import load_network  # torch takes seconds, and logging a model needs none

        self.network = load_network(Path(context.artifacts["weights.safetensors"]).parent)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow hands it over
        model_input: np.ndarray,  # a hint that MLflow knows; it grumbles about NDArray
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow hands them over
    ) -> NDArray[np.float32]:
        """Return (n, rows, cols) from 0 to 1 for pixel values (n, 3, rows, cols) uint8, of any size.

        A grey image is given three times over: `np.repeat(image[None, None], 3, axis=1)`.
        """
        from micromime.training.networks import probabilities

        return probabilities(self.network, model_input)


set_model(ServedModel())
