"""Write a profile (sizes for a purpose) into params.yaml; its comments and all keys the profile does not name stay."""

import io
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from micromime.commands.check import check_tree
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import one_of, read_tree


def profiles(folder: Path) -> list[str]:
    """Return the names of the profiles in a folder."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def write_profile(name: str, params: Path, folder: Path, force: bool) -> None:
    """Write a profile's values over those of params.yaml.

    Where there is no such file, or no folder of profiles, those are taken that come with this package. Refuses when
    that would lose edits: when the file is neither what was committed nor that with a profile.
    """
    folder = folder if folder.is_dir() else places.SUPPLIED / places.PROFILES
    one_of(name, profiles(folder), "profile")
    base = params if params.exists() else places.SUPPLIED / places.PARAMS
    read_tree(base)
    if base == params and not force and _has_edits(params, folder):
        raise Mistake(f"{params} has edits that would be lost; commit them to git, or write over them with --force.")
    text = overlaid(base.read_text(), (folder / f"{name}.yaml").read_text())
    check_tree(YAML(typ="safe", pure=True).load(text))
    unfinished = params.with_name(f".{params.name}")
    unfinished.write_text(text)
    unfinished.replace(params)


def overlaid(text: str, overlay: str) -> str:
    """Return a YAML text with the values of another laid over it, key by key; lists and rounds are replaced whole.

    It is written as DVC writes it, so that `dvc exp run --set-param` changes no line but the one that it sets.
    """
    yaml, out = YAML(), io.StringIO()
    tree = yaml.load(text)
    _lay(tree, yaml.load(overlay))
    yaml.dump(tree, out)
    return out.getvalue()


def _lay(tree: Any, overlay: Any) -> None:
    for key, value in overlay.items():
        if key == "styles":
            _lay_weights(tree.get(key) or {}, value)
        elif isinstance(value, dict) and isinstance(tree.get(key), dict) and key != "rounds":  # one more is more to run
            _lay(tree[key], value)
        else:
            tree[key] = value
            comment = tree.ca.items.get(key, [None] * 3)[2]
            if comment:
                comment.column = 0  # One space after the value, wherever the comment stood before.


def _lay_weights(styles: Any, overlay: Any) -> None:
    """Lay weights over the styles that are there; where a profile leaves but one of them, others too get none."""
    alone = sum(each["weight"] > 0 for each in overlay.values()) == 1
    for name, style in styles.items():
        if name in overlay:
            _lay(style, overlay[name])
        elif alone:
            _lay(style, {"weight": 0})


def _has_edits(params: Path, folder: Path) -> bool:
    """Say whether a parameter file holds what neither git nor a profile could give back."""
    command = ["git", "-C", str(params.absolute().parent), "show", f"HEAD:./{params.name}"]
    try:
        base = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        base = (places.SUPPLIED / places.PARAMS).read_text()  # no git, or never committed: what this package can give
    written = params.read_text()
    laid = (overlaid(base, (folder / f"{name}.yaml").read_text()) for name in profiles(folder))
    return written != base and written not in laid
