#!/usr/bin/env bash
# numba 0.68.1: `table[n] = a, b` in a compiled function takes seconds to compile, `table[n, 0], table[n, 1] = a, b` a part of it.
#
# To assign a tuple or an array to a row or a slice, numba compiles a check of the shapes whose message is put together
# from strings at run time, so that its whole implementation of Unicode strings is compiled along, once in each process.
# A cache keeps it, but a fresh installation pays, and so does every worker that starts beside others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install numba==0.68.1 numpy==2.4.6
cd "$folder"
cat >compiled.py <<'PYTHON'
import sys, time
import numpy as np
from numba import njit
from numba.core import dispatcher

names = []
compiled = dispatcher._FunctionCompiler.compile
dispatcher._FunctionCompiler.compile = lambda self, *given: names.append(self.py_func.__module__) or compiled(self, *given)


@njit
def warm(table):
    table[0, 0] = len(table)


@njit
def whole(table):
    for n in range(len(table)):
        table[n] = n, n + 1


@njit
def one_by_one(table):
    for n in range(len(table)):
        table[n, 0], table[n, 1] = n, n + 1


table = np.zeros((4, 2), np.int64)
warm(table)  # what starts numba is not counted
names.clear()
began = time.process_time()
(whole if sys.argv[1] == "whole" else one_by_one)(table)
taken = time.process_time() - began
assert table.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
print(taken, sum("unicode" in each for each in names))
PYTHON
read -r whole strings < <("$folder/env/bin/python" compiled.py whole)
read -r each none < <("$folder/env/bin/python" compiled.py one_by_one)
printf 'as a whole: %.2f s and %d functions of strings compiled; one by one: %.2f s and %d\n' "$whole" "$strings" "$each" "$none"
python3 - "$whole" "$strings" "$each" "$none" <<'PYTHON'
import sys

whole, strings, each, none = map(float, sys.argv[1:])
sys.exit(not (whole > 3 * each and strings > 5 and none == 0))
PYTHON
