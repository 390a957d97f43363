"""The chain of what a network or a data version comes from, down to scenarios, seeds and real pictures."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from micromime.mistakes import Mistake
from micromime.project.work import fingerprint
from micromime.team.contents import committed, listing, read, read_json, sha256_of
from micromime.team.history import (
    Version,
    command_for,
    kept_whole,
    lock_at,
    made_from,
    tags_of,
    version_at,
    version_of,
    versions,
)
from micromime.team.logged import Logged, Trained

WEIGHTS = "weights.safetensors"

NOWHERE = "is neither here nor in DVC's cache or remote, so this goes by dvc.lock alone"


@dataclass
class Link:
    """One version in a chain."""

    role: str
    """What it is to the link above it."""
    version: Version
    kind: str = "files"
    """arm, run, data or files: which facts are known of it."""
    facts: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """What does not fit, or could not be found out."""
    made_from: list["Link"] = field(default_factory=list)
    again: bool = False
    """Whether it stands further up, with all it was made from."""

    @property
    def tags(self) -> list[str]:
        """Names of git's tags that have this version."""
        return tags_of(self.version)

    @property
    def command(self) -> str:
        """What brings it back; empty where no commit has it."""
        return command_for(self.version)


def _only(link: Link, run: int) -> None:
    """Make of an arm's link that of one of its runs: of its weights, or of its record where those were not kept."""
    link.kind, of_arm = "run", link.facts.pop("runs")
    try:
        link.facts |= next(each for each in of_arm if each["run"] == run)
    except StopIteration:
        has = ", ".join(str(each["run"]) for each in of_arm) or "none"
        raise Mistake(f"{link.version.path} has no run {run}; its runs are: {has}.") from None
    folder = f"run-{run:03d}"
    link.version = link.version.part(f"{folder}/{WEIGHTS}" if link.facts["kept"] else folder)


@dataclass
class Chain:
    """Follows versions to what they were made from, each of them once."""

    logged: Logged
    _seen: set[tuple[Version, int | None]] = field(default_factory=set)

    def link(self, role: str, version: Version, run: int | None = None) -> Link:
        """Return what a version is made from, whatever it is; of an arm one run alone where that is all that counts."""
        if (version, run) in self._seen:
            return Link(role, version, again=True)
        self._seen.add((version, run))
        names = listing(version)
        if names is None:
            said = [f"{version.path} {NOWHERE}"] if version.digest.endswith(".dir") else []
            return Link(role, version, remarks=said, made_from=self._rest(version))
        if "arm.json" in names:
            return self._arm(role, version, run)
        if "dataset.json" in names:
            return self._data(role, version)
        return Link(role, version, facts=_source(version), made_from=self._rest(version))

    def _arm(self, role: str, version: Version, run: int | None) -> Link:
        said = read_json(version, "arm.json")
        if said is None:
            return Link(role, version, remarks=[f"{version.path}/arm.json {NOWHERE}"], made_from=self._rest(version))
        facts = {key: said[key] for key in ("use_case", "arm", "profile", "fingerprint")}
        facts["architecture"] = said["params"]["train"]["architecture"]
        link = Link(role, version, "arm", facts | self._runs(version, said))
        if run is not None:
            _only(link, run)
        for each in said["data"]:
            recorded = each["digest"] if not each["digest"].startswith("unversioned-") else ""
            link.made_from.append(self.link("data", _dep(version, each["path"], recorded)))
        if said["start"]:
            misfit = _by_fingerprint(said["base"])
            link.made_from.append(self._checked("goes on with", said["start"], version, misfit, run))
        return link

    def _runs(self, version: Version, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return an arm's runs, each with the hash of its weights and whether they were kept, and MLflow's ids."""
        logged = self.logged.runs_of(Trained(said["use_case"], said["arm"], said["fingerprint"]))
        names, runs = listing(version) or {}, []
        for folder in sorted({PurePosixPath(name).parts[0] for name in names if name.endswith("/run.json")}):
            number = int(folder.removeprefix("run-"))
            md5 = (read_json(version, f"{folder}/run.json") or {}).get("weights_md5", "")
            ids = [run.info.run_id for run in logged if run.data.tags.get("micromime.seed") == str(number)]
            runs.append({"run": number, "md5": md5, "kept": f"{folder}/{WEIGHTS}" in names, "mlflow_runs": ids})
        arms = [run.info.run_id for run in logged if run.data.tags.get("micromime.level") == "arm"]
        return {"runs": runs, "mlflow_arms": arms}

    def _data(self, role: str, version: Version) -> Link:
        said = read_json(version, "dataset.json")
        if said is None:
            return Link(
                role, version, remarks=[f"{version.path}/dataset.json {NOWHERE}"], made_from=self._rest(version)
            )
        link = Link(role, version, "data", _data_facts(said))
        if said.get("parent"):
            misfit = _by_sha256(said["parent"]["sha256"], "dataset.json")
            link.made_from.append(self._checked("parent", said["parent"]["path"], version, misfit))
        for file, sha256 in said.get("named_files", {}).items():
            folder, name = PurePosixPath(file).parent.as_posix(), PurePosixPath(file).name
            link.made_from.append(self._checked("made from", folder, version, _by_sha256(sha256, name)))
        link.made_from += self._rest(version, [each.version.path for each in link.made_from])
        scores = next((each for each in link.made_from if each.role == "scores"), None)
        if scores and said.get("scores") and (found := sha256_of(scores.version)) not in ("", said["scores"]):
            scores.remarks.append(f"its SHA-256 is {found[:12]}..., not {said['scores'][:12]}... as named above")
        return link

    def _checked(
        self, role: str, path: str, child: Version, misfit: Callable[[Version], str], run: int | None = None
    ) -> Link:
        """Return the version of a path that fits what its child says of it; where none does, the likeliest one."""
        likeliest = _dep(child, path)
        fitting = next((each for each in _candidates(likeliest, path) if not misfit(each)), None)
        link = self.link(role, fitting or likeliest, run)
        if fitting is None:
            link.remarks.append(misfit(likeliest))
        return link

    def _rest(self, version: Version, known: Iterable[str] = ()) -> list[Link]:
        """Return what the stage has read by dvc.lock, but for what is known already."""
        links, taken = [], [PurePosixPath(path) for path in known]
        for path, digest in made_from(version).items():
            if not any(each.is_relative_to(path) for each in taken):
                part = f"{path}/{version.inner}"
                dep = _dep(version, path, digest)
                inner = dep._replace(path=part) if version.inner != "." and listing(dep._replace(path=part)) else dep
                links.append(self.link(_role(path), inner))
        return links


def _dep(child: Version, path: str, digest: str = "") -> Version:
    """Return the version of a path that a version was made from: the one its stage has read, or that of its commit."""
    kept = kept_whole(made_from(child), path)
    digest = digest or (kept[1] if kept else "")
    if digest and digest != ".dir":
        found = version_of(path, digest)
        in_git = not found.commit and not digest.endswith(".dir") and not kept_whole(lock_at(child.commit).outs, path)
        return committed(path, digest, child.commit) if in_git else found
    return version_at(path, child.commit) or Version(path, path, "", "")


def _candidates(likeliest: Version, path: str) -> Iterator[Version]:
    yield likeliest
    yield from versions(path)


def _by_sha256(expected: str, name: str) -> Callable[[Version], str]:
    """Return what says how a version's file differs from the one that was named; nothing if it does not."""

    def misfit(version: Version) -> str:
        found = sha256_of(version, name)
        if found == expected:
            return ""
        if not found:
            return f"{name} cannot be had: whether it is the one with SHA-256 {expected[:12]}... is not known"
        return f"{name} has the SHA-256 {found[:12]}..., not {expected[:12]}... as named above; no commit has that one"

    return misfit


def _by_fingerprint(expected: str) -> Callable[[Version], str]:
    def misfit(version: Version) -> str:
        said = read_json(version, "arm.json")
        if said is None:
            return f"arm.json cannot be had: whether it is the arm with fingerprint {expected} is not known"
        found = said["fingerprint"]
        return (
            ""
            if found == expected
            else f"its fingerprint is {found}, not {expected} as named above; no commit has that"
        )

    return misfit


def _role(path: str) -> str:
    return "networks" if path.startswith("models/") else "scores" if path.endswith(".parquet") else "made from"


def _data_facts(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides a data set; its scenario as a hash of all settings."""
    kept = ("use_case", "count", "seed", "sampler", "score", "part", "kind", "specimens")
    facts = {key: said[key] for key in kept if said.get(key) is not None}
    return facts | ({"scenario": fingerprint(said["scenario"])[:12]} if said.get("scenario") else {})


def _source(version: Version) -> dict[str, Any]:
    """Return what data/sources/<use case>.json says of a test set; nothing for other files."""
    if not version.path.endswith(".json"):
        return {}
    try:
        said = json.loads(read(version) or b"{}")
        return {"kind": said["kind"], "files": len(said["files"])}
    except (ValueError, KeyError, TypeError):
        return {}
