"""Link runs to the commit made after them: as they began, none had the dvc.lock that names their networks yet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from micromime.mistakes import Mistake
from micromime.project.dvc_lock import LOCK
from micromime.team.contents import listing, read_json
from micromime.team.history import Version, commit_of, git, lock_at, short, version_at
from micromime.team.logged import COMMIT, GIT_TAG, MODEL, Trained, runs_of, store, versions_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

COMMITTED = (LOCK, "params.yaml")
"""What must be as in the commit that runs are linked to."""


class ArmHere(NamedTuple):
    """An arm whose networks the commit has."""

    version: Version
    trained: Trained
    seeds: frozenset[str]
    """Of the runs in its folder: MLflow may know more, which were trained with these settings elsewhere."""


@dataclass
class Linked:
    """What has been linked."""

    runs: int = 0
    models: int = 0
    before: int = 0
    """Runs and models that were linked before."""

    def __str__(self) -> str:
        """Return it as half a sentence."""
        said = f"{_counted(self.runs, 'run')} and {_counted(self.models, 'registered model')} linked"
        return f"{said}, {self.before} were linked before" if self.before else said


def tag(name: str = "") -> str:
    """Link the runs of every arm in dvc.lock, and their registered models, to HEAD; return what was done in words.

    With a name, HEAD is given that tag in git at the end, so that a rerun completes what was stopped. What is linked to
    an earlier commit stays so: that one had these very networks, too. Raises Mistake before anything is done where
    dvc.lock is not committed, the name is taken, or MLflow has none of the runs.
    """
    commit = _committed()
    exists = _checked_name(name, commit) if name else True
    arms = list(_arms())
    if not arms:
        raise Mistake(f"{LOCK} at {short(commit)} has no trained arm; train some with `make run`, and commit {LOCK}.")
    with store("to link runs") as client:
        of_arm = {arm: _runs_in(arm, runs_of(client, arm.trained)) for arm in arms}
        if not any(of_arm.values()):
            advice = "set MLFLOW_TRACKING_URI to the one that has them, or run `micromime sync` if they wait to be sent"
            raise Mistake(f"MLflow's store has no run of the {_counted(len(arms), 'arm')} in {LOCK}; {advice}.")
        linked = Linked()
        for arm, runs in of_arm.items():
            _link(client, arm, runs, _tags(arm, commit, name), linked)
    if not exists:
        _make(name, commit)
    return "\n".join([f"{short(commit)}: {linked}.", *_said(of_arm, name, exists)])


def _committed() -> str:
    """Return the commit that is checked out; Mistake unless dvc.lock and params.yaml are as it has them."""
    commit = commit_of("HEAD")
    if not commit:
        raise Mistake(f"This folder has no commit that runs could be linked to; commit {LOCK} with git first.")
    if not git("ls-files", LOCK):
        raise Mistake(f"{LOCK} is not in git; commit it first: it says which data and networks a commit has.")
    for file in COMMITTED:
        if git("status", "--porcelain", "--", file):
            first = "commit it first, so that runs are linked to the commit that has what they made"
            raise Mistake(f"{file} differs from what is committed; {first}.")
    return commit


def _checked_name(name: str, commit: str) -> bool:
    """Return whether HEAD has this tag; Mistake where git would not make it."""
    if name.startswith("-") or not git("check-ref-format", "--normalize", f"refs/tags/{name}"):
        raise Mistake(f"{name!r} cannot be the name of a tag; use letters, digits, dots and dashes, such as v1.2.")
    there = commit_of(f"refs/tags/{name}")
    if there and there != commit:
        raise Mistake(f"The tag {name} is at the commit {short(there)}, not at HEAD; choose another name.")
    if not there and not git("var", "GIT_COMMITTER_IDENT"):
        raise Mistake("git does not know who makes the tag; set user.name and user.email with `git config`.")
    return bool(there)


def _arms() -> Iterator[ArmHere]:
    """Yield every arm in dvc.lock, which is as it is committed."""
    for out in lock_at("HEAD").outs:
        whole = version_at(out, "HEAD") if out.startswith("models/") else None
        if whole is None:
            continue
        names = listing(whole)
        if names is None:
            raise Mistake(
                f"{out} as {LOCK} has it is neither here nor in DVC's cache or remote; `dvc pull {out}` first."
            )
        for name in sorted(name for name in names if PurePosixPath(name).name == "arm.json"):
            version = whole._replace(path=PurePosixPath(out, name).parent.as_posix())
            said = read_json(version, "arm.json")
            if said is None:
                raise Mistake(f"{version.path}/arm.json cannot be read; bring it back with `dvc pull {out}`.")
            runs = [PurePosixPath(each).parts[0] for each in listing(version) or {} if each.endswith("/run.json")]
            seeds = frozenset(str(int(run.removeprefix("run-"))) for run in runs)
            yield ArmHere(version, Trained(said["use_case"], said["arm"], said["fingerprint"]), seeds)


def _runs_in(arm: ArmHere, runs: list[Run]) -> list[Run]:
    """Return the arm's parent run and the finished ones with a seed of its folder."""
    tags = ((run, run.data.tags) for run in runs)
    return [
        run
        for run, said in tags
        if said.get("micromime.level") == "arm"
        or (run.info.status == "FINISHED" and said.get("micromime.seed") in arm.seeds)
    ]


def _tags(arm: ArmHere, commit: str, name: str) -> dict[str, str]:
    return {COMMIT: commit, MODEL: arm.version.digest} | ({GIT_TAG: name} if name else {})


def _link(client: MlflowClient, arm: ArmHere, runs: list[Run], tags: Mapping[str, str], linked: Linked) -> None:
    """Give runs and registered models the tags they do not have."""
    from mlflow.entities import RunTag

    for run in runs:
        if missing := {key: value for key, value in tags.items() if key not in run.data.tags}:
            client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in missing.items()])
        linked.runs += COMMIT in missing
        linked.before += COMMIT not in missing
    for version in versions_of(client, arm.trained):
        missing = {key: value for key, value in tags.items() if key not in version.tags}
        for key in sorted(missing, key=lambda key: key == COMMIT):  # the last one says that all is done
            client.set_model_version_tag(version.name, version.version, key, missing[key])
        linked.models += COMMIT in missing
        linked.before += COMMIT not in missing


def _make(name: str, commit: str) -> None:
    message = f"The runs of this commit's {LOCK} are linked to it in MLflow."
    command = ["git", "tag", "--annotate", "--message", message, name, commit]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        why = ended.stderr.strip().rpartition("\n")[2].rstrip(".")
        raise Mistake(
            f"MLflow's runs are linked, but git did not make the tag {name} ({why}); put that right, run again."
        )


def _said(of_arm: Mapping[ArmHere, list[Run]], name: str, exists: bool) -> Iterator[str]:
    for arm, runs in of_arm.items():
        if not runs:
            yield f"{arm.version.path}: MLflow has no run of it."
    if name:
        said = "is at this commit already" if exists else f"was made; `git push origin {name}` shares it"
        yield f"The tag {name} {said}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
