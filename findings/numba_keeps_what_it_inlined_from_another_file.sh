#!/usr/bin/env bash
# numba 0.68.1: a cached function goes on with the old code, constants and field order of another file that was edited.
#
# `@njit(cache=True)` asks of a cache whether the function's own file is the one it was made from. What the function has
# taken from other modules (a compiled function that was inlined, a constant, the place of a field in a named tuple) is in
# the compiled code as well, and is not asked about. So after an update of one module, a program goes on with a mixture of
# old and new, until the cache is deleted or the calling file changes, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install numba==0.68.1 numpy==2.4.6
cd "$folder"
cat >caller.py <<'PYTHON'
from numba import njit
from shared import FACTOR, Size, doubled


@njit(cache=True)
def area(size):
    return doubled(FACTOR * size.rows)


print(area(Size(rows=3, cols=5)))
PYTHON
shared() { # WHAT IT IS CALLED, FACTOR, FIELDS, WHAT DOUBLED RETURNS
  printf '%s: ' "$1"
  printf 'from typing import NamedTuple\nfrom numba import njit\nFACTOR = %s\n' "$2" >shared.py
  printf 'class Size(NamedTuple):\n    %s: int\n    %s: int\n' $3 >>shared.py
  printf '@njit(cache=True)\ndef doubled(value):\n    return %s\n' "$4" >>shared.py
  "$folder/env/bin/python" caller.py
}
{
  shared 'first' 10 'rows cols' '2 * value'
  shared 'another constant' 100 'rows cols' '2 * value'
  shared 'another function' 10 'rows cols' '7 * value'
  shared 'another order' 10 'cols rows' '2 * value'
  rm -r __pycache__
  shared 'without the cache' 100 'cols rows' '7 * value'
} | tee seen
diff seen - <<'SEEN'
first: 60
another constant: 60
another function: 60
another order: 100
without the cache: 2100
SEEN
