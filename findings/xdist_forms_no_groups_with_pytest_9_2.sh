#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` silently is `--dist load`; marks of xdist_group do nothing.
#
# pytest-xdist hands the group's name on in item._nodeid, which pytest 9.2 no longer reads: its node ids are objects. So
# the tests of one group go to any worker, and each worker makes anew whatever fixture of the session they share. All
# tests pass; the run only takes longer (here each of a project's slow fixtures was made once a worker).
# Seen: six tests of one group run in both workers with pytest 9.2.0, in one of them with 9.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
cd "$folder"
cat >test_group.py <<'PYTHON'
import os, time
from pathlib import Path
import pytest

pytestmark = pytest.mark.xdist_group("one")

@pytest.mark.parametrize("number", range(6))
def test_in_one_worker(number):
    Path(os.environ["PYTEST_XDIST_WORKER"]).touch()
    time.sleep(0.5)
PYTHON
workers() { # PYTEST: how many workers have run tests
  "$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install pytest=="$1" pytest-xdist==3.8.0
  rm -f gw*
  "$folder/env/bin/python" -m pytest -q -n 2 --dist loadgroup test_group.py >/dev/null
  find . -maxdepth 1 -name 'gw*' | wc -l
}
before=$(workers 9.1.1)
now=$(workers 9.2.0)
echo "six tests of one group ran in $before worker(s) with pytest 9.1.1, in $now with 9.2.0"
[ "$before" -eq 1 ] && [ "$now" -eq 2 ]
