#!/usr/bin/env bash
# statsmodels 0.15.0: every call of statsmodels.stats.multitest.multipletests runs a full garbage collection.
#
# A correction of three p values is a few multiplications, yet each call walks every object of the process: 0.2 s where
# torch and MLflow are imported, so that a table with hundreds of corrected tests takes minutes. Seen: one collection of
# generation 2 for each call, whatever the number of p values. gc.freeze() before a call, and gc.unfreeze() after it,
# leaves it nothing to walk, and the same numbers come out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" --quiet --disable-pip-version-check install statsmodels==0.15.0
"$folder/env/bin/python" - <<'PYTHON'
import gc
from statsmodels.stats.multitest import multipletests

collected = []
gc.callbacks.append(lambda phase, info: collected.append(info["generation"]) if phase == "stop" else None)
gc.disable()  # no collection but those that somebody asks for
for calls, p_values in enumerate(([0.5], [0.01, 0.2, 0.03], [0.01] * 50), 1):
    corrected = multipletests(p_values, method="holm")[1]
    print(f"{len(p_values)} p values, call {calls}: collections of generation 2 so far: {collected.count(2)}")
    assert collected.count(2) == calls, "no longer one for each call"
gc.freeze()
assert list(multipletests([0.01] * 50, method="holm")[1]) == list(corrected)
gc.unfreeze()
PYTHON
