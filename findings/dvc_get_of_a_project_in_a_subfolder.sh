#!/usr/bin/env bash
# DVC 3.67.1: in a project in a subfolder of its git repository, `dvc get .` takes paths from the repository's top.
#
# `dvc get . data/set --rev REVISION` is what brings an earlier version of a data set back. Where the project's folder is
# also the repository's, the path is as everywhere else in DVC: relative to where one stands. In a subfolder that ends with
# "unexpected error", which names nothing but the path; with the subfolder before it, it works, from the same place.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install dvc==3.67.1
export PATH="$folder/env/bin:$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$folder/site"
cd "$folder"
project() { # REPOSITORY, FOLDER OF THE PROJECT IN IT, HOW DVC IS TOLD
  git init --quiet "$1" 2>/dev/null
  mkdir -p "$1/$2/data/set" && cd "$1/$2"
  dvc init --quiet ${3:-}
  echo grain >data/set/one.txt
  dvc add --quiet data/set
  git add --all && git -c user.name=a -c user.email=a@b commit --quiet --message first
}
got() { # WHERE THE PROJECT IS, PATH
  if dvc get . "$2" --rev HEAD --out "$folder/brought" >"$folder/said" 2>&1; then
    echo "$1, $2: $(ls "$folder/brought")"
  else
    echo "$1, $2: $(grep -o "unexpected error - .*" "$folder/said")"
  fi
  rm -rf "$folder/brought"
}
{
  (project whole . && got "at the top" data/set)
  (project part sub --subdir && got "in a subfolder" data/set && got "in a subfolder" sub/data/set)
} | tee seen
diff seen - <<'SEEN'
at the top, data/set: one.txt
in a subfolder, data/set: unexpected error - ['data/set']
in a subfolder, sub/data/set: one.txt
SEEN
