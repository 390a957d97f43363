#!/usr/bin/env bash
# DVC 3.67.1: `dvc exp run --set-param KEY=VALUE` writes every list of params.yaml anew, an item a line, not only KEY.
#
# DVC keeps comments and the order of keys in params.yaml, so one would expect the diff of an experiment to be one line.
# But it hands the whole file to OmegaConf and puts back plain lists for those it has read: `[1, 2]` under a block key
# becomes two lines, and the mappings in a list of `- {size: 64, epochs: 2}` become blocks, wherever they stand. Lists
# within a mapping in braces stay as they are. Written an item a line to begin with, the file changes in one line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install dvc==3.67.1
export DVC_SITE_CACHE_DIR="$folder/site" DVC_NO_ANALYTICS=1 PATH="$folder/env/bin:$PATH"
mkdir "$folder/project"
cd "$folder/project"
git init --quiet
git config user.name a
git config user.email a@b
dvc init --quiet
cat >params.yaml <<'YAML'
runs: 3 # of each
range: {uniform: [0, 1]}
sides: [32, 64]
phases:
- {size: 64, epochs: 2}
YAML
cat >dvc.yaml <<'YAML'
stages:
  copy:
    cmd: cp params.yaml out.txt
    params: [runs]
    outs: [out.txt]
YAML
git add . && git commit --quiet --message one
dvc exp run --quiet --set-param runs=2
echo "--- git diff of params.yaml after --set-param runs=2:"
git diff --unified=0 params.yaml | tee "$folder/diff"
grep '^[+-][^+-]\|^[+-]- ' "$folder/diff" | diff - <(cat <<'SEEN'
-runs: 3 # of each
+runs: 2 # of each
-sides: [32, 64]
+sides:
+- 32
+- 64
-- {size: 64, epochs: 2}
+- size: 64
+  epochs: 2
SEEN
)
