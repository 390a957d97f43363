"""A chain of versions as text for people, a tree of at most 100 columns where paths allow it, and as JSON."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from micromime.team.chain import Link
from micromime.team.contents import is_here
from micromime.team.history import Version, command_for, git, short
from micromime.team.lineage import Report

COLUMNS = 100

MOST_RUNS = 12
"""Runs of an arm that are listed one by one."""

MOST_TAGS = 3


def as_text(report: Report) -> str:
    """Return everything that was found, line by line."""
    found = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in report.found.items() if value)
    lines = _wrapped(found, "") if found else []
    for link in report.chains:
        lines += [*_tree(link), ""]
    if report.runs is not None:
        lines += [*_runs_on(report.runs, report.chains[0].version.path), ""]
    if report.derived:
        lines += ["made from it", *(f"  {line}" for each in report.derived for line in _derived(each)), ""]
    for remark in report.remarks:
        lines += _wrapped(f"! {remark}", "")
    return "\n".join(lines).strip()


def as_tree(report: Report) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "asked": report.asked,
        "found": report.found,
        "chains": [_link(each) for each in report.chains],
        "runs": report.runs,
        "made_from_it": [_version(each) for each in report.derived],
        "remarks": report.remarks,
    }


def _link(link: Link) -> dict[str, Any]:
    said = {"role": link.role, **_version(link.version)}
    if link.again:
        return said | {"as_above": True}
    facts = {"git_tags": link.tags, "kind": link.kind, "facts": link.facts, "remarks": link.remarks}
    return said | facts | {"made_from": [_link(each) for each in link.made_from]}


def _version(version: Version) -> dict[str, Any]:
    return {
        "path": version.path,
        "kept_as": version.out,
        "hash": version.digest,
        "commit": version.commit,
        "command": command_for(version),
    }


def _tree(link: Link, before: str = "", below: str = "") -> list[str]:
    """Return a link's lines, and under them those of all it was made from."""
    if link.again:
        return [f"{before}{link.role}: {link.version.path} (as above)"]
    bar = f"{below}│  " if link.made_from else f"{below}   "
    lines = [f"{before}{link.role}: {link.version.path}", *_wrapped(_where(link), bar)]
    lines += [bar + link.command] if link.command else []
    for said in (*_facts(link, root=not below), *(f"! {remark}" for remark in link.remarks)):
        lines += _wrapped(said, bar)
    for each in link.made_from:
        last = each is link.made_from[-1]
        lines += _tree(each, f"{below}{'└─' if last else '├─'} ", f"{below}{'   ' if last else '│  '}")
    return lines


def _where(link: Link) -> str:
    """Return the hash of a version, and what git knows of it."""
    version, tags = link.version, link.tags
    whole = "" if version.inner == "." else f" of {version.out}"
    if not version.digest:
        return "DVC has recorded no hash of it: it is not in dvc.lock"
    if version.commit:
        named = f" (tag {', '.join(tags[:MOST_TAGS])}{' ...' if len(tags) > MOST_TAGS else ''})" if tags else ""
        return f"{version.digest}{whole}, commit {short(version.commit)}{named}"
    if not git("rev-parse", "--git-dir"):
        return f"{version.digest}{whole}, without a revision: this is no git repository"
    if is_here(version):
        return f"{version.digest}{whole}, not committed yet: commit dvc.lock"
    return f"{version.digest}{whole}, in no commit: dvc.lock was never committed with it"


def _facts(link: Link, root: bool) -> list[str]:
    facts = link.facts
    if link.kind == "data":
        return _data(facts)
    if link.kind not in ("arm", "run"):
        return [", ".join(f"{key} {value}" for key, value in facts.items())] if facts else []
    named = f"arm {facts['arm']} of {facts['use_case']}, profile {facts['profile']}, {facts['architecture']}"
    arm = f"fingerprint {facts['fingerprint']}{''.join(f', MLflow {each}' for each in facts['mlflow_arms'][:1])}"
    return [
        *(_run(facts) if link.kind == "run" else []),
        named,
        arm,
        *(_runs(facts, root) if link.kind == "arm" else []),
    ]


def _run(facts: Mapping[str, Any]) -> list[str]:
    lost = "" if facts["kept"] else ", not kept: its record is, and it is trained anew when it is asked for"
    return [f"weights with MD5 {facts['md5']}{lost}", f"run {facts['run']}, trained with this seed{_logged(facts)}"]


def _runs(facts: Mapping[str, Any], root: bool) -> list[str]:
    """Return a line for each run of an arm; how many there are, where it is not the arm that was asked for."""
    runs = facts["runs"]
    if not root:
        return [
            f"runs: {', '.join(str(each['run']) for each in runs)}" if len(runs) <= MOST_RUNS else f"{len(runs)} runs"
        ]
    lines = [f"run {each['run']}: weights {each['md5']}{_logged(each)}" for each in runs[:MOST_RUNS]]
    return lines + ([f"and {len(runs) - MOST_RUNS} more: --json lists all"] if len(runs) > MOST_RUNS else [])


def _logged(run: Mapping[str, Any]) -> str:
    return "".join(f", MLflow {each}" for each in run["mlflow_runs"][:1])


def _data(facts: Mapping[str, Any]) -> list[str]:
    samples = f"{facts['count']} {facts['kind'] + ' tiles' if 'kind' in facts else 'samples'}"
    if "specimens" in facts:
        return [f"{samples} of {len(facts['specimens'])} specimens: {', '.join(facts['specimens'])}"]
    drawn = f"{samples}, seed {facts['seed']}, scenario {facts['use_case']} with settings {facts['scenario']}"
    return [drawn, *(f"sampler {name}: {_plain(how)}" for name, how in facts.get("sampler", {}).items())]


def _plain(value: Any) -> str:
    """Return settings in one line, without brackets where there are none within."""
    if isinstance(value, Mapping):
        inner = (
            (key, f"({_plain(each)})" if isinstance(each, Mapping) else _plain(each)) for key, each in value.items()
        )
        return ", ".join(f"{key} {each}" for key, each in inner)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _runs_on(runs: Sequence[Mapping[str, Any]], asked: str) -> list[str]:
    """Return a line for each run on a data version, those with one seed under their arm."""
    if not runs:
        return ["no run in MLflow was on it"]
    lines = ["runs on it in MLflow"]
    for run in runs:
        part = f" {run['path']}" if run["path"] != asked else ""
        name = f"    seed {run['seed']}" if run["seed"] else f"  {run['arm']}, {run['profile']}, {run['for']}{part}"
        reached = next(iter(f"{key} {value:.4g}" for key, value in run["judged"].items() if _tells(key)), "")
        commit = f"commit {short(run['commit'])}" if run["commit"] else ""
        said = (run["status"] if run["status"] != "FINISHED" else "", reached, commit)
        lines.append(f"{name}: {', '.join([run['mlflow_run'], *filter(None, said)])}")
    return lines


def _tells(key: str) -> bool:
    return key.partition(".")[2] in ("mean_iou", "error_rate")


def _derived(version: Version) -> list[str]:
    command = command_for(version)
    return [f"{version.path}: {version.digest}", *([f"  {command}"] if command else [])]


def _wrapped(text: str, before: str) -> list[str]:
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=before,
        subsequent_indent=f"{before}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
