"""Write a profile (sizes for a purpose) into params.yaml; its comments and all keys the profile does not name stay."""

import io
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from micromime.commands.check import check_tree
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.versions import head, run_git
from micromime.scenario.parameters import one_of, parsed, read_tree


def profiles(folder: Path) -> list[str]:
    """Return the names of the profiles in a folder."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def write_profile(name: str, params: Path, folder: Path, force: bool) -> None:
    """Write a profile's values over those of params.yaml.

    Where there is no such file, or no folder of profiles, those are taken that come with this package. Refuses when
    that would lose edits: when the file is not what was committed, and what a profile names in it is as none has it.
    """
    folder = folder if folder.is_dir() else places.SUPPLIED / places.PROFILES
    one_of(name, profiles(folder), "profile")
    base = params if params.exists() else places.SUPPLIED / places.PARAMS
    tree, profile = read_tree(base), read_tree(folder / f"{name}.yaml")
    if base == params and not force and _has_edits(params, folder):
        why = f" (git cannot tell whether they are committed: {said})" if (said := head()[1]) else ""
        raise Mistake(f"{params} has edits that would be lost{why}; commit them, or write over them with --force.")
    text = overlaid(base.read_text(encoding="utf-8"), (folder / f"{name}.yaml").read_text(encoding="utf-8"))
    check_tree(written := parsed(text, str(params)))
    if written != _laid(tree, profile):  # an anchor names one thing in several places: all would be changed
        said = f"the profile {name} changes but some of the places that share a value by an anchor (&)"
        raise Mistake(f"{params}: {said}; write the value out in each.")
    unfinished = params.with_name(f".{params.name}")
    unfinished.write_text(text, encoding="utf-8")
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
            comment = tree.ca.items.get(key, [None] * 3)[2] if isinstance(tree, CommentedMap) else None
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


def _laid(tree: Any, profile: Any) -> Any:
    """Return a plain tree with a profile laid over it, nothing in it shared; both stay as they were."""
    alone, over = json.loads(json.dumps([tree, profile]))
    _lay(alone, over)
    return alone


def _has_edits(params: Path, folder: Path) -> bool:
    """Say whether a profile would write over what neither git nor a profile could give back.

    Keys that no profile names are kept by all of them, so that edits of these are no matter.
    """
    tree = read_tree(params)
    if any(_laid(tree, read_tree(folder / f"{name}.yaml")) == tree for name in profiles(folder)):
        return False
    here = run_git("-C", str(params.absolute().parent), "show", f"HEAD:./{params.name}")
    return not here or here.returncode != 0 or here.stdout != params.read_text(encoding="utf-8")
