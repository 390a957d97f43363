#!/usr/bin/env bash
# MLflow 3.17.2: a served model with a schema of uint8 is handed 0.9 as 0, with status 200.
#
# In Python, `predict` of such a model refuses an array of another dtype. Its server does not: it makes the array of the
# request with the schema's dtype, as `numpy.array(values, dtype)` does for floats, before anything compares types. So
# pictures scaled to 0 to 1, as most networks want them, are answered as if they were black, and the model's own code
# cannot tell. Without a schema of what goes in, it gets float64 and int64 as they were sent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install mlflow==3.17.2 httpx==0.28.1
cd "$folder"
cat >model.py <<'PYTHON'
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Told(PythonModel):
    def predict(self, context, model_input, params=None):
        return [f"{model_input.dtype} {model_input.ravel().tolist()}"]


set_model(Told())
PYTHON
cat >seen.py <<'PYTHON'
import numpy as np
from fastapi.testclient import TestClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import load_model, save_model
from mlflow.pyfunc.scoring_server import init
from mlflow.types import Schema, TensorSpec

uint8 = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1))])
answer = Schema([TensorSpec(np.dtype(np.float32), (-1,))])
for name, schema in {"schema": uint8, "none": None}.items():
    save_model(name, python_model="model.py", signature=ModelSignature(schema, answer), pip_requirements=["numpy"])
    model = load_model(name)
    for sent in ([[0.9, 1.0]], [[7.0, 0.5]]):
        replied = TestClient(init(model)).post("/invocations", json={"inputs": sent})
        print(name, sent, replied.status_code, replied.json()["predictions"][0])
    try:
        print(name, "in Python:", model.predict(np.array([[0.9, 1.0]]))[0])
    except MlflowException:
        print(name, "in Python: refused")
PYTHON
"$folder/env/bin/python" seen.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
schema [[0.9, 1.0]] 200 uint8 [0, 1]
schema [[7.0, 0.5]] 200 uint8 [7, 0]
schema in Python: refused
none [[0.9, 1.0]] 200 float64 [0.9, 1.0]
none [[7.0, 0.5]] 200 float64 [7.0, 0.5]
none in Python: float64 [0.9, 1.0]
SEEN
