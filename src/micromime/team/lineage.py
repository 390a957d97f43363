"""What a network or a data version was made from, down to scenarios, seeds and real pictures, and what was made of it.

dvc.lock says which versions; arm.json and dataset.json say what each of them is, and what it is to the next.
"""

import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from micromime.judging.metrics import SCORES
from micromime.mistakes import Mistake
from micromime.project.versions import HERE, data_version, head, lock_at
from micromime.project.work import fingerprint
from micromime.team import history
from micromime.team.history import Version, arms_in, names_in, read_json, run_numbers, version_of
from micromime.tracking.logged import COMMIT, Logged, registered, runs_of, runs_on

WEIGHTS = "weights.safetensors"
COLUMNS = 100

OF_ARM = ("use_case", "arm", "profile", "fingerprint")
OF_DATA = ("use_case", "count", "seed", "sampler", "score", "part", "kind", "specimens")

GIVE = (
    "give a path such as models/grain_boundaries/adaptive/run-001 or data/synthetic/grain_boundaries/base, "
    "a hash of DVC, the id of a run in MLflow, or models:/NAME@ALIAS"
)


def lineage(asked: str, revision: str = "") -> dict[str, Any]:
    """Return what a network or data version comes from, and what came of a data version, as JSON has it.

    `asked` is a path in the working directory or at a revision, a hash of DVC, the id of a run in MLflow, or a
    registered model. Raises Mistake where it is none of these.
    """
    if not asked:
        raise Mistake(f"Nothing is named; {GIVE}.")
    logged = Logged()
    run: int | None = None
    found: dict[str, Any] = {}
    if asked.startswith("models:/"):
        model = registered(asked)
        version, run = _tagged(model.tags)
        found = {"model": model.name, "version": str(model.version), "aliases": list(model.aliases)}
        found |= {"mlflow_run": model.run_id, "commit": model.tags.get(COMMIT, "")}
    elif re.fullmatch(r"[0-9a-f]{32}(\.dir)?", asked):
        version, run, found = _with_hash(asked, logged)
    else:
        version, run = _at_path(asked, revision)
    arms, names = arms_in(version), names_in(version)
    if arms and version not in arms:
        several = sorted(os.path.relpath(arm.path, version.path) for arm in arms)
        raise Mistake(f"{version.path} holds several arms; name one of them: {', '.join(several)}.")
    is_arm = bool(arms) or (not names and version.path.startswith("models/"))
    if not (is_arm or version.digest or "dataset.json" in (names or ())):
        raise Mistake(f"{asked} is neither an arm nor a data set; {GIVE}.")
    chain = _link("weights" if run else "arm" if is_arm else "data", (version, run), logged, set())
    of_data = {"runs": None, "made_from_it": []} if is_arm else _made_from_it(version, logged)
    remarks = [f"MLflow's runs are left out: {logged.why_not}"] if logged.why_not else []
    remarks += [f"No commit is known: {why}."] if (why := head()[1]) else []
    return {"asked": asked, "found": found, "chains": [chain], **of_data, "remarks": remarks}


def _at_path(asked: str, revision: str) -> tuple[Version, int | None]:
    """Return the version of a path: of an arm where a run of it is named, with that run's number."""
    commit = history.commit_of(revision)
    if revision and not commit:
        why = head()[1] or "`git tag` lists the tags"
        raise Mistake(f"--rev {revision}: git knows no such commit, branch or tag here; {why}.")
    path = PurePosixPath(Path(os.path.relpath(asked)).as_posix())
    folder = path.parent if path.name == WEIGHTS else path
    version = history.version_at(str(folder), commit)
    if version is None and not commit and folder.name and Path(folder).is_dir():  # DVC does not keep it
        version = Version(str(folder), str(folder), "", HERE)
    if version is None or names_in(version) == set():
        place = f"at --rev {revision} " if commit else ""
        raise Mistake(f"{asked} {place}is nothing that DVC keeps here; {GIVE}.")
    number, above = re.fullmatch(r"run-(\d+)", folder.name), version._replace(path=str(folder.parent))
    if number and int(number[1]) in run_numbers(names_in(above) or ()):
        return above, int(number[1])
    return version, None


def _with_hash(asked: str, logged: Logged) -> tuple[Version, int | None, dict[str, Any]]:
    """Return the out that has a hash, or the arm or run that has it as its id in MLflow."""
    for digest in (asked, f"{asked}.dir"):
        for lock in map(lock_at, (HERE, *history.commits(digest))):
            if path := next((out for out, md5 in lock.outs.items() if md5 == digest), None):
                return version_of(path, digest), None, {}
    if run := logged.run(asked):
        found = {"mlflow_run": asked, "status": run.info.status, "commit": run.data.tags.get(COMMIT, "")}
        return *_tagged(run.data.tags), found
    why = f" ({logged.why_not.rstrip('.')})" if logged.why_not else ""
    raise Mistake(f"{asked} is neither a hash in dvc.lock or its history, nor a run in MLflow{why}; {GIVE}.")


def _tagged(tags: Mapping[str, str]) -> tuple[Version, int | None]:
    """Return the version of the arm that MLflow's tags name, at the linked commit, here or before, and the run."""
    data = {value for key, value in tags.items() if re.match(r"micromime\.data\.(?!test_set$)", key)}
    commits = (commit for digest in sorted(data) for commit in history.commits(digest))
    places = (history.commit_of(tags.get(COMMIT, "")), HERE, *commits)
    for out, digest in dict.fromkeys(each for place in places for each in lock_at(place).outs.items()):
        for arm, said in arms_in(version_of(out, digest, places[0])).items() if out.startswith("models/") else ():
            if all(said.get(key) == tags.get(f"micromime.{key}") for key in ("fingerprint", "arm")):
                run = int(tags.get("micromime.seed", 0))
                return arm, run if run in run_numbers(names_in(arm) or ()) else None
    trained_on = ", ".join(sorted(data)) or "unknown"
    raise Mistake(f"No dvc.lock up to HEAD has the networks of this run; ask for its data instead: {trained_on}.")


def _link(role: str, what: tuple[Version, int | None], logged: Logged, seen: set[Any]) -> dict[str, Any]:
    """Return a version with all that it was made from, each once; of an arm one run alone where that is what counts."""
    version, run = what
    if what in seen:
        return {"role": role, **_described(version), "as_above": True}
    seen.add(what)
    names, shown, kind, facts, named, remarks = names_in(version), version, "files", {}, {}, []
    if names is None and version.digest.endswith(".dir"):
        remarks = [f"{version.path} is neither here nor in DVC's cache or remote, so this goes by dvc.lock alone"]
    if "arm.json" in (names or ()) and (said := read_json(version, "arm.json")):
        kind, facts = "arm", _arm(version, said, names or set(), logged)
        named = {each["path"]: ("data", each["digest"]) for each in said["data"]}
        named |= {said["start"]: ("goes on with", "")} if said["start"] else {}
        if run:
            kind, facts = "run", facts | next(each for each in facts.pop("runs") if each["run"] == run)
            shown = version._replace(path=f"{version.path}/run-{run:03d}{f'/{WEIGHTS}' * facts['kept']}")
    elif "dataset.json" in (names or ()) and (said := read_json(version, "dataset.json")):
        kind, facts = "data", {key: said[key] for key in OF_DATA if said.get(key) is not None}
        facts |= {"scenario": fingerprint(said["scenario"])[:12]} if said.get("scenario") else {}
        named = {said["parent"]["path"]: ("parent", "")} if said.get("parent") else {}
    elif version.path.endswith(".json"):  # where real pictures come from
        said = read_json(version)
        facts = {"kind": said.get("kind"), "files": len(said.get("files", ()))}
    known = {"git_tags": history.tags_of(version), "kind": kind, "facts": facts, "remarks": remarks}
    sources = [
        _link(as_, (each, run if as_ == "goes on with" else None), logged, seen)
        for as_, each in _sources(version, named)
    ]
    return {"role": role, **_described(shown), **known, "made_from": sources}


def _arm(version: Version, said: Mapping[str, Any], names: Iterable[str], logged: Logged) -> dict[str, Any]:
    """Return what an arm is, its runs with the hash of their weights and whether they were kept, MLflow's ids."""
    found = logged.ask(runs_of, said) or ()
    facts, runs = {key: said[key] for key in OF_ARM}, []
    for number in run_numbers(names):
        md5 = read_json(version, f"run-{number:03d}/run.json").get("weights_md5", "")
        ids = [run.info.run_id for run in found if run.data.tags.get("micromime.seed") == str(number)]
        runs.append({"run": number, "md5": md5, "kept": f"run-{number:03d}/{WEIGHTS}" in names, "mlflow_runs": ids})
    arms = [run.info.run_id for run in found if run.data.tags.get("micromime.level") == "arm"]
    return facts | {"architecture": said["params"]["train"]["architecture"], "runs": runs, "mlflow_arms": arms}


def _sources(version: Version, named: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, Version]]:
    """Yield role and version of what a version's own file names, and then of all else that its stage has read."""
    for path, (role, digest) in named.items():
        recorded = digest and not digest.startswith("unversioned-")
        yield role, version_of(path, digest, version.commit) if recorded else history.ancestor(version, path)
    inner = PurePosixPath(version.path).relative_to(version.out)
    for path, digest in history.made_from(version).items():
        if not any(PurePosixPath(each).is_relative_to(path) for each in named):
            whole = version_of(path, digest, version.commit)
            part = whole._replace(path=(PurePosixPath(path) / inner).as_posix())
            role = "networks" if path.startswith("models/") else "scores" if path.endswith(".parquet") else "made from"
            yield role, part if names_in(part) else whole


def _made_from_it(version: Version, logged: Logged) -> dict[str, Any]:
    """Return every run on a data version, arm by arm, the parent run of each first, and all that was made from it."""
    digest = version.digest or data_version("", Path(version.path))["digest"]
    path, rows = "" if version.path == version.out else version.path, []
    for run, where, purpose in logged.ask(runs_on, digest, path) or ():
        tags = run.data.tags
        row = {key: tags.get(f"micromime.{key}", "") for key in ("arm", "profile", "seed", "use_case", "fingerprint")}
        row |= {"mlflow_run": run.info.run_id, "status": run.info.status, "commit": tags.get(COMMIT, "")}
        rows.append(row | {"path": where, "for": purpose, "judged": _judged(run)})
    rows.sort(key=lambda row: (row["arm"], row["fingerprint"], row["for"], int(str(row["seed"] or 0))))
    derived = [_described(each) for each in history.made_of(version)]
    return {"runs": None if logged.why_not else rows, "made_from_it": derived}


def _judged(run: Any) -> dict[str, Any]:
    """Return the test set of a run or an arm and what it has reached on it, of an arm the means over its runs."""
    scores = {name: run.data.metrics[name] for name in SCORES if name in run.data.metrics}
    return {"test_set": run.data.tags.get("micromime.test_set", ""), **scores} if scores else {}


def _described(version: Version) -> dict[str, str]:
    path, out, digest, commit = version
    return {"path": path, "kept_as": out, "hash": digest, "commit": commit, "command": history.command_for(version)}


def as_text(said: Mapping[str, Any]) -> str:
    """Return what `lineage` says for people: line by line, chains as trees, at most 100 columns where paths allow."""
    lines = _wrapped(_plain(said["found"]))
    for link in said["chains"]:
        lines += [*_tree(link), ""]
    if said["runs"] is not None:
        lines.append("runs on it in MLflow" if said["runs"] else "no run in MLflow was on it")
        lines += [*(line for run in said["runs"] for line in _wrapped(_plain(run), "  ")), ""]
    lines += ["made from it"] if said["made_from_it"] else []
    for each in said["made_from_it"]:
        lines += [f"  {each['path']}: {each['hash']}", *([f"    {each['command']}"] if each["command"] else [])]
    return "\n".join([*lines, *(line for each in said["remarks"] for line in _wrapped(f"! {each}"))]).strip()


def _tree(link: Mapping[str, Any], before: str = "", below: str = "") -> list[str]:
    """Return a link's lines, and under them those of all it was made from."""
    if "as_above" in link:
        return [f"{before}{link['role']}: {link['path']} (as above)"]
    bar = f"{below}│  " if link["made_from"] else f"{below}   "
    lines = [f"{before}{link['role']}: {link['path']}", *_wrapped(_where(link), bar)]
    lines += [bar + link["command"]] if link["command"] else []
    runs = link["facts"].get("runs", []) if not below else []
    facts = _plain({key: value for key, value in link["facts"].items() if key != "runs"})
    for text in (facts, *map(_plain, runs), *(f"! {each}" for each in link["remarks"])):
        lines += _wrapped(text, bar)
    for each in link["made_from"]:
        last = each is link["made_from"][-1]
        lines += _tree(each, f"{below}{'└─' if last else '├─'} ", f"{below}{'   ' if last else '│  '}")
    return lines


def _where(link: Mapping[str, Any]) -> str:
    """Return the hash of a version, and what git knows of it."""
    if not link["hash"]:
        return "DVC has recorded no hash of it: it is not in dvc.lock"
    said = link["hash"] if link["path"] == link["kept_as"] else f"{link['hash']} of {link['kept_as']}"
    tags = f" (tag {', '.join(link['git_tags'])})" if link["git_tags"] else ""
    commit = f"commit {history.short(link['commit'])}{tags}" if link["commit"] else "in no commit up to here"
    return f"{said}, {commit}"


def _plain(value: Any) -> str:
    """Return settings in one line, without what is empty, and without brackets where there are none within."""
    if isinstance(value, Mapping):
        inner = {key: f"({_plain(each)})" if isinstance(each, Mapping) else _plain(each) for key, each in value.items()}
        return ", ".join(
            f"{key.replace('mlflow_', 'MLflow ')} {text}" for key, text in inner.items() if text.strip("()")
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _wrapped(text: str, before: str = "") -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent=before, subsequent_indent=f"{before}  ", break_long_words=False)
