#!/usr/bin/env bash
# MLflow 3.17.2: a model's scores on two data sets, told with the same time in milliseconds, are an IntegrityError.
#
# A LoggedModel may have one metric on several data sets, as `log_metric(..., model_id=, dataset_name=, dataset_digest=)`
# or a `log_batch` of such metrics tells them. But the table that keeps them knows a metric by model, name, time, step and
# run, not by its data set. So scores by source, told in one batch with one timestamp, fail; told one by one they fail now
# and then, on a fast machine. With a millisecond between them all are kept, and found by data set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install mlflow==3.17.2
cd "$folder"
cat >seen.py <<'PYTHON'
import logging

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

logging.disable()
client = MlflowClient("sqlite:///store.db")
experiment = client.create_experiment("materials")
run = client.create_run(experiment).info.run_id
model = client.create_logged_model(experiment, "network", run).model_id


def scores(*times):
    sets = [("steel", "1111"), ("iron", "2222")]
    return [
        Metric("iou", value, time, 0, model_id=model, dataset_name=name, dataset_digest=digest, run_id=run)
        for value, time, (name, digest) in zip((0.25, 0.5), times, sets)
    ]


try:
    client.log_batch(run, scores(1000, 1000))
    print("one time: kept")
except MlflowException as error:
    print("one time:", "IntegrityError" if "IntegrityError" in str(error) else error)
client.log_batch(run, scores(2000, 2001))
kept = {metric.dataset_name: metric.value for metric in client.get_logged_model(model).metrics}
print("a millisecond apart:", sorted(kept.items()))
PYTHON
"$folder/env/bin/python" seen.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
one time: IntegrityError
a millisecond apart: [('iron', 0.5), ('steel', 0.25)]
SEEN
