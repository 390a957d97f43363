#!/usr/bin/env bash
# numba 0.68.1: an expression of float32 arrays and a whole number is float32, as in NumPy, but computed in double precision.
#
# NumPy 2 takes the 1 in `g * (1 - b)` for a float32, rounds 1 - b, and rounds the product. numba fuses the expression to
# one loop, in which an int64 less a float32 is a float64, and rounds once at its end. The types are the same, the last
# bits are not: a loop written out by hand, or NumPy itself, gives other numbers than the compiled expression.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install numba==0.68.1 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' | tee "$folder/seen"
import numpy as np
from numba import njit


def expression(g, b):
    return g * (1 - b)


g, b = np.random.default_rng(0).standard_normal((2, 10_000), dtype=np.float32)
plain, compiled = expression(g, b), njit(expression)(g, b)
double = (g.astype(np.float64) * (1 - b.astype(np.float64))).astype(np.float32)
print("types:", plain.dtype, compiled.dtype)
print("compiled is that of double precision, rounded once:", bool((compiled == double).all()))
print("compiled is NumPy's for most, not for all:", 0 < int((compiled != plain).sum()) < 5_000)
PYTHON
diff "$folder/seen" - <<'SEEN'
types: float32 float32
compiled is that of double precision, rounded once: True
compiled is NumPy's for most, not for all: True
SEEN
