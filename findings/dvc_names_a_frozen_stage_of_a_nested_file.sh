#!/usr/bin/env bash
# DVC 3.67.1: a frozen stage of a nested dvc.yaml is named by `dvc status` at the root where its outs are not there, and
# its params and deps are columns of `dvc exp show`.
#
# Commands at the root of a DVC project read every dvc.yaml below it. One might freeze what is not part of the product,
# such as an experiment, to keep it out of sight. But `frozen: true` hides its deps from `dvc status` alone. Seen: a
# changed dep of the frozen stage is not told; its missing out is (so it is in every fresh clone); and `dvc exp show` has
# a column for its parameter and its dep. A folder with a `.dvc` of its own (`dvc init --subdir`) is silent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install dvc==3.67.1
export DVC_SITE_CACHE_DIR="$folder/site" DVC_NO_ANALYTICS=1 PATH="$folder/env/bin:$PATH"
mkdir -p "$folder/project/side"
cd "$folder/project"
git init --quiet
dvc init --quiet
echo "nested_key: 1" >side/params.yaml
echo "a: 1" >side/input.txt
cat >side/dvc.yaml <<'YAML'
stages:
  sideline:
    cmd: cp input.txt output.txt
    deps: [input.txt]
    params: [nested_key]
    outs: [output.txt]
    frozen: true
YAML
cp side/input.txt side/output.txt
dvc commit --force --quiet side/dvc.yaml:sideline
git add . && git -c user.name=a -c user.email=a@b commit --quiet --message one
echo "a: 2" >side/input.txt
echo "--- dvc status at the root, after a dep of the frozen stage has changed:"
dvc status | tee "$folder/status"
rm side/output.txt
echo "--- dvc status at the root, after an out of the frozen stage is gone:"
dvc status | tee "$folder/status_without"
echo "--- columns of dvc exp show at the root:"
dvc exp show --csv | head -1 | tee "$folder/columns"
if grep -q sideline "$folder/status"; then exit 1; fi
grep -q "deleted: *side/output.txt" "$folder/status_without"
grep -q "nested_key,side/input.txt" "$folder/columns"
