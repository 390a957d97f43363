"""Where a network comes from, version by version, and which runs there are on a data version."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from micromime.mistakes import Mistake
from micromime.project.versions import data_version
from micromime.team.chain import WEIGHTS, Chain, Link
from micromime.team.contents import at_hand, listing, read_json
from micromime.team.history import HERE, Version, commit_of, commits, lock_at, made_of, version_at, version_of
from micromime.team.logged import COMMIT, Logged, judged
from micromime.tracking.registry import WEIGHTS as WEIGHTS_TAG

GIVE = (
    "give a path such as models/grain_boundaries/adaptive/run-001 or data/synthetic/grain_boundaries/base, "
    "a hash of DVC, the id of a run in MLflow, or models:/NAME@ALIAS"
)


@dataclass
class Report:
    """What is printed."""

    asked: str
    found: dict[str, Any] = field(default_factory=dict)
    """What MLflow says of the run or registered model that was asked for."""
    chains: list[Link] = field(default_factory=list)
    runs: list[dict[str, Any]] | None = None
    """Runs on a data version; None where a network was asked for, or where MLflow does not answer."""
    derived: list[Version] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def lineage(asked: str, revision: str = "") -> Report:
    """Return what a network or data version comes from, and what came of a data version.

    `asked` is a path in the working directory or at a revision, a hash of DVC, the id of a run in MLflow, or a
    registered model. Raises Mistake where it is none of these.
    """
    if not asked:
        raise Mistake(f"Nothing is named; {GIVE}.")
    commit = commit_of(revision) if revision else HERE
    if revision and not commit:
        raise Mistake(f"--rev {revision}: git knows no such commit, branch or tag here; `git tag` lists the tags.")
    logged, report = Logged(), Report(asked)
    if asked.startswith("models:/"):
        _of_registered(report, logged)
    elif re.fullmatch(r"[0-9a-f]{32}(\.dir)?", asked):
        _of_hash(report, logged)
    else:
        _of_path(report, logged, commit)
    if logged.why_not:
        report.remarks.append(f"MLflow's runs are left out: {logged.why_not}")
    return report


def _of_path(report: Report, logged: Logged, commit: str) -> None:
    path = PurePosixPath(Path(os.path.relpath(report.asked)).as_posix())
    folder = path.parent if path.name == WEIGHTS else path
    version = version_at(str(folder), commit)
    if version is None and not commit and folder.name and Path(folder).is_dir():  # DVC does not keep it
        version = Version(str(folder), str(folder), "", HERE)
    if version is None or listing(version) == {}:
        place = f"at --rev {commit[:9]} " if commit else ""
        raise Mistake(f"{report.asked} {place}is nothing that DVC keeps here; {GIVE}.")
    run = re.fullmatch(r"run-(\d+)", folder.name)
    if run and "arm.json" in (listing(above := version._replace(path=str(folder.parent))) or {}):
        report.chains.append(Chain(logged).link("weights", above, int(run[1])))
    else:
        _of_version(report, logged, version)


def _of_version(report: Report, logged: Logged, version: Version) -> None:
    names = listing(version) or {}
    arms = sorted(PurePosixPath(name).parent.as_posix() for name in names if name.endswith("/arm.json"))
    if arms:
        raise Mistake(f"{version.path} holds several arms; name one of them: {', '.join(arms)}.")
    is_arm = "arm.json" in names or (not names and version.path.startswith("models/"))
    report.chains.append(Chain(logged).link("arm" if is_arm else "data", version))
    if is_arm:
        return
    if not version.digest and "dataset.json" not in names:
        raise Mistake(f"{report.asked} is neither an arm nor a data set; {GIVE}.")
    digest = version.digest or data_version("", Path(version.path)).digest
    _add_runs(report, logged, digest, version.path if version.inner != "." else "")
    report.derived = made_of(version)


def _of_hash(report: Report, logged: Logged) -> None:
    """Report on an out by its hash, or else on a run by its id, or else on runs on data that no commit knows."""
    hashes = [report.asked] if report.asked.endswith(".dir") else [report.asked, f"{report.asked}.dir"]
    for digest in hashes:
        for lock in map(lock_at, (HERE, *commits(digest))):
            if path := next((out for out, md5 in lock.outs.items() if md5 == digest), None):
                _of_version(report, logged, version_of(path, digest))
                return
    run = logged.run(report.asked) if len(hashes) > 1 else None
    if run:
        report.found = {
            "mlflow_run": run.info.run_id,
            "status": run.info.status,
            "commit": run.data.tags.get(COMMIT, ""),
        }
        _of_tags(report, logged, run.data.tags)
        return
    for digest in hashes:
        _add_runs(report, logged, digest)
        if report.runs:
            paths = sorted({each["path"] for each in report.runs})
            report.chains = [Link("data", version_of(path, digest)) for path in paths]
            return
    why = f" ({logged.why_not.rstrip('.')})" if logged.why_not else ""
    raise Mistake(
        f"{report.asked} is neither a hash in dvc.lock or any commit of it, nor a run in MLflow{why}; {GIVE}."
    )


def _of_registered(report: Report, logged: Logged) -> None:
    version = logged.registered(report.asked)
    report.found = {
        "model": version.name,
        "version": str(version.version),
        "aliases": list(version.aliases),
        "mlflow_run": version.run_id,
        "commit": version.tags.get(COMMIT, ""),
    }
    _of_tags(report, logged, version.tags)
    network = report.chains[0].version if report.chains else None
    file = at_hand(network) if network and network.path.endswith(WEIGHTS) else None
    if file:
        with file.open("rb") as weights:
            fits = hashlib.file_digest(weights, "sha256").hexdigest() == version.tags.get(WEIGHTS_TAG)
        report.found["weights"] = "those below" if fits else "other than those below, which have the same settings"


def _of_tags(report: Report, logged: Logged, tags: Mapping[str, str]) -> None:
    """Report on the arm, or the one run of it, that a run or registered model in MLflow has the tags of."""
    seed = tags.get("micromime.seed")
    if version := _arm_with(tags):
        run = int(seed) if seed and f"run-{int(seed):03d}/run.json" in (listing(version) or {}) else None
        if seed and not run:
            report.remarks.append(
                f"{version.path} has no run {seed}: that one was trained elsewhere, or with more runs"
            )
        report.chains.append(Chain(logged).link("weights" if run else "arm", version, run))
        return
    report.remarks.append("no dvc.lock here has an arm with its fingerprint: its networks are in none of these commits")
    chain = Chain(logged)
    for digest in _digests(tags):
        for path in {out for lock in map(lock_at, commits(digest)) for out, md5 in lock.outs.items() if md5 == digest}:
            report.chains.append(chain.link("data", version_of(path, digest)))


def _arm_with(tags: Mapping[str, str]) -> Version | None:
    """Return the version of the arm with the fingerprint in these tags: of the linked commit, of here, of any."""
    for out, digest in dict.fromkeys(_models(tags)):
        version = version_of(out, digest, out)
        for name in listing(version) or {}:
            if PurePosixPath(name).name == "arm.json":
                said = read_json(version, name) or {}
                if all(said.get(key) == tags.get(f"micromime.{key}") for key in ("fingerprint", "arm")):
                    return version._replace(path=PurePosixPath(out, name).parent.as_posix())
    return None


def _models(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    linked = [commit] if (commit := commit_of(tags.get(COMMIT, ""))) else []
    later = (commit for digest in _digests(tags) for commit in commits(digest))
    for place in (*linked, HERE, *later):
        yield from ((out, md5) for out, md5 in lock_at(place).outs.items() if out.startswith("models/"))


def _digests(tags: Mapping[str, str]) -> list[str]:
    """Return the hashes of the data that a run was trained on."""
    data = {key: value for key, value in tags.items() if key.startswith("micromime.data.")}
    return [value for key, value in data.items() if key != "micromime.data.test_set"]


def _add_runs(report: Report, logged: Logged, digest: str, path: str = "") -> None:
    """Add every run on a data version, arm by arm, the parent run of each first."""
    rows = []
    for run, where, purpose in logged.runs_on(digest, path):
        tags = run.data.tags
        said = {key: tags.get(f"micromime.{key}", "") for key in ("use_case", "arm", "profile", "seed", "fingerprint")}
        about = {"mlflow_run": run.info.run_id, "status": run.info.status, "commit": tags.get(COMMIT, "")}
        rows.append(said | about | {"path": where, "for": purpose, "judged": judged(run.data.metrics)})
    if not logged.why_not:
        report.runs = sorted(rows, key=lambda row: (row["arm"], row["fingerprint"], row["for"], int(row["seed"] or 0)))
