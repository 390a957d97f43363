#!/usr/bin/env bash
# DVC 3.67.1 with ruamel.yaml 0.19.1: YAML is parsed by pure Python, since ruamel.yaml no longer brings its C parser.
#
# DVC asks ruamel.yaml for the "safe" loader, which takes libyaml where the package ruamel.yaml.clib is installed. Up to
# 0.18 that was a dependency; from 0.19 on it is an extra (oldlibyaml) that DVC does not ask for, and nothing says so.
# And DVC reads the whole params.yaml anew for each stage that has `params`. So `dvc repro` in which nothing has changed
# spends most of its time in the parser. Seen, with 20 stages and 400 lines of parameters: the same up-to-date project
# takes more than 1.5 times the CPU seconds without ruamel.yaml.clib, and the trees that are read are equal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
pip() { "$folder/env/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install dvc==3.67.1 ruamel.yaml==0.19.1
export DVC_SITE_CACHE_DIR="$folder/site" DVC_NO_ANALYTICS=1 PATH="$folder/env/bin:$PATH"

mkdir "$folder/project"
cd "$folder/project"
python - <<'PYTHON'
from pathlib import Path

keys = "".join(f"  key_{n}: {{uniform: [{n}, {n + 1}], weight: 0.5}} # what this one is for\n" for n in range(400))
Path("params.yaml").write_text(f"settings:\n{keys}")
stage = "  stage_{n}:\n    cmd: touch out_{n}\n    params: [settings.key_{n}]\n    outs: [out_{n}]\n"
Path("dvc.yaml").write_text("stages:\n" + "".join(stage.format(n=n) for n in range(20)))
PYTHON
dvc init --quiet --no-scm
dvc repro --quiet

cat >measure.py <<'PYTHON'
import resource, subprocess, sys
from ruamel.yaml import YAML

def seconds():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(["dvc", "repro"], check=True, capture_output=True, text=True).stdout
    assert "up to date" in said, said
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime

reader = YAML(typ="safe")
reader.load("a: 1")
print(f"{min(seconds() for _ in range(3)):.2f} {reader.Parser.__module__} {hash(str(reader.load(open('params.yaml'))))}")
PYTHON
export PYTHONHASHSEED=0
read -r without parser tree <<<"$(python measure.py)"
pip install ruamel.yaml.clib==0.2.15
read -r with parser_c tree_c <<<"$(python measure.py)"
echo "dvc repro of what is up to date: $without CPU s by $parser, $with CPU s by $parser_c"
[ "$parser" = ruamel.yaml.parser ] && [ "$parser_c" != ruamel.yaml.parser ] && [ "$tree" = "$tree_c" ]
python -c "import sys; sys.exit($without < 1.5 * $with)"
