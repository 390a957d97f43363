"""Link runs to the commit made after them: as they began, none had the dvc.lock that names their networks yet."""

from collections.abc import Callable, Iterator
from functools import partial
from shlex import quote
from typing import Any

from micromime.mistakes import Mistake
from micromime.project.versions import LOCK, git, head, lock_at, run_git
from micromime.team.history import Version, arms_in, commit_of, names_in, run_numbers, short, version_at
from micromime.tracking.logged import COMMIT, GIT_TAG, MODEL, runs_of, store, versions_of


def tag(name: str = "") -> str:
    """Link the runs of every arm in dvc.lock, and their registered models, to HEAD; return what was done in words.

    With a name, HEAD is given that tag in git at the end, so that a rerun completes what was stopped. What is linked to
    an earlier commit stays so: that one had these very networks, too. Raises Mistake before anything is done where
    dvc.lock is not committed, the name is taken, or MLflow has none of the runs.
    """
    commit = _committed()
    exists = bool(name) and _exists(name, commit)
    arms, counted, said = list(_arms()), {"run": 0, "model": 0, "before": 0}, []
    with store("to link runs") as client:
        runs = {version: _linked(runs_of(client, arm), version) for version, arm in arms}
        if not any(runs.values()):
            advice = "set MLFLOW_TRACKING_URI to the one that has them, or tell it by `micromime publish`"
            raise Mistake(f"MLflow's store has no run of the arms in {LOCK} (they are {len(arms)}); {advice}.")
        for version, arm in arms:
            tags = {MODEL: version.digest, **({GIT_TAG: name} if name else {}), COMMIT: commit}  # which says: all done
            found: list[tuple[str, Any, Callable[..., object]]] = [
                ("run", each.data.tags, partial(client.set_tag, each.info.run_id)) for each in runs[version]
            ]
            for each in versions_of(client, arm):
                found.append(("model", each.tags, partial(client.set_model_version_tag, each.name, each.version)))
            for kind, known, set_tag in found:
                for key in (missing := [key for key in tags if key not in known]):
                    set_tag(key, tags[key])
                counted[kind if COMMIT in missing else "before"] += 1
            said += [] if runs[version] else [f"{version.path}: MLflow has no run of it."]
    if name:
        said.append(f"The tag {name} {'is at this commit already' if exists else _made(name, commit)}.")
    before = f", {counted['before']} were linked before" if counted["before"] else ""
    new = f"{_plural(counted['run'], 'run')} and {_plural(counted['model'], 'registered model')} linked"
    return "\n".join([f"{short(commit)}: {new}{before}.", *said])


def _committed() -> str:
    """Return the commit that is checked out; Mistake unless dvc.lock and params.yaml are as it has them."""
    commit, why = head()
    if why:
        raise Mistake(f"Runs cannot be linked to a commit: {why}.")
    if not git("ls-files", LOCK):
        raise Mistake(f"This folder has no commit with {LOCK} that runs could be linked to; make one with git first.")
    for file in (LOCK, "params.yaml"):
        if git("status", "--porcelain", "--", file):
            first = "commit it first, so that runs are linked to the commit that has what they made"
            raise Mistake(f"{file} differs from what is committed; {first}.")
    return commit


def _exists(name: str, commit: str) -> bool:
    """Return whether HEAD has this tag; Mistake where git would not make it."""
    if name.startswith("-") or not git("check-ref-format", "--normalize", f"refs/tags/{name}"):
        raise Mistake(f"{name!r} cannot be the name of a tag; use letters, digits, dots and dashes, such as v1.2.")
    there = commit_of(f"refs/tags/{name}")
    if there and there != commit:
        raise Mistake(f"The tag {name} is at the commit {short(there)}, not at HEAD; choose another name.")
    if not there and not git("var", "GIT_COMMITTER_IDENT"):
        raise Mistake("git does not know who makes the tag; set user.name and user.email with `git config`.")
    return bool(there)


def _arms() -> Iterator[tuple[Version, dict[str, Any]]]:
    """Yield every arm in dvc.lock, which is as it is committed, and what its arm.json says."""
    for out in lock_at("HEAD").outs:
        whole = version_at(out, "HEAD") if out.startswith("models/") else None
        found = arms_in(whole) if whole else {}
        if whole and not all(found.values() or [{}]):
            raise Mistake(f"What {out} holds by {LOCK} cannot be read; bring it back with `dvc pull {quote(out)}`.")
        yield from found.items()


def _linked(runs: list[Any], version: Version) -> list[Any]:
    """Return the arm's parent run and the finished ones with a seed of its folder: others were trained elsewhere."""
    seeds = {str(number) for number in run_numbers(names_in(version) or ())}
    return [
        run
        for run in runs
        if run.data.tags.get("micromime.level") == "arm"
        or (run.info.status == "FINISHED" and run.data.tags.get("micromime.seed") in seeds)
    ]


def _made(name: str, commit: str) -> str:
    message = f"The runs of this commit's {LOCK} are linked to it in MLflow."
    ended = run_git("tag", "--annotate", "--message", message, name, commit)
    if ended is None or ended.returncode:
        why = ended.stderr.strip().rpartition("\n")[2].rstrip(".") if ended else "it is gone"
        raise Mistake(
            f"MLflow's runs are linked, but git did not make the tag {name} ({why}); put that right, run again."
        )
    return f"was made; `git push origin {quote(name)}` shares it"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
