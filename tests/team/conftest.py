"""A small project with a history: made-up data and networks, DVC's hashes, git's commits and a store of MLflow."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML
from stores import judged_on, stored

from micromime.project.versions import lock_at
from micromime.team.history import arms_in, version_at
from micromime.tracking.publish import Kept, publish_verdict
from micromime.tracking.store import OFFLINE, store_client

GRAINS = "grain_boundaries"
BASE, ADAPTIVE, SCORING = (f"data/synthetic/{GRAINS}/{name}" for name in ("base", "adaptive", "scoring"))
BASE_ARM, ARM = f"models/{GRAINS}/base", f"models/{GRAINS}/adaptive"
SCORES = f"data/scores/{GRAINS}/base.parquet"
SOURCE, PHOTOGRAPHS, TILES, TEXTURES, POOLS, SYNTHETIC, MIXED = (
    "data/sources/chip_cracks.json",
    *(f"data/{name}/chip_cracks" for name in ("photographs", "tiles", "exemplars", "synthetic")),
    "models/chip_cracks/synthetic",
    "models/chip_cracks/mixed",
)
STAGES = {  # name -> deps, out
    "photographs": ([SOURCE], PHOTOGRAPHS),
    "tiles": ([PHOTOGRAPHS], TILES),
    "textures": ([PHOTOGRAPHS, TILES], TEXTURES),
    "pools": ([TEXTURES], POOLS),
    "synthetic": ([POOLS], SYNTHETIC),
    "mixed": ([TILES, SYNTHETIC], MIXED),
    "base": ([], BASE),
    "scoring": ([], SCORING),
    "train": ([BASE], BASE_ARM),
    "score": ([BASE, SCORING, BASE_ARM], SCORES),
    "resample": ([SCORES], ADAPTIVE),
    "finetune": ([ADAPTIVE, BASE_ARM], ARM),
}


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def write(path: str, content: object) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content if isinstance(content, str) else json.dumps(content))


def dvc_keeps(*stages: str) -> None:
    """Have DVC record what lies there as what these stages have made."""
    from dvc.repo import Repo

    with Repo() as repo:
        for stage in stages:
            repo.commit(stage, force=True)


def committed(message: str, *tags: str) -> str:
    git("add", ".")
    git("commit", "--quiet", "--message", message)
    for tag in tags:
        git("tag", tag)
    return git("rev-parse", "HEAD")


def write_data(path: str, seed: int, **more: object) -> None:
    said = {"use_case": path.split("/")[2], "count": 8, "seed": seed, "scenario": {"white_noise": {"sd_grey": 2}}}
    write(f"{path}/dataset.json", said | more)
    write(f"{path}/shard-00000/images.npy", f"{path} {seed}")


def write_arm(folder: str, mark: str, data: str, kept: str, start: str | None = None) -> None:
    """Write an arm of two runs, whose second was taken from its record, on data that DVC keeps within `kept`."""
    said = {"use_case": folder.split("/")[1], "arm": Path(folder).name, "profile": "tiny", "fingerprint": mark * 32}
    said |= {"base": json.loads(Path(start, "arm.json").read_text())["fingerprint"] if start else "", "start": start}
    version = {"name": Path(data).name, "path": data, "digest": lock_at().outs[kept], "context": "training"}
    said |= {"params": {"data": {}, "train": {"architecture": "small_unet"}}, "data": [version]}
    write(f"{folder}/arm.json", said)
    weights = f"weights of {said['arm']} {mark}"
    write(f"{folder}/run-001/weights.safetensors", weights)
    for run in (1, 2):
        md5 = hashlib.md5(weights.encode(), usedforsecurity=False).hexdigest()
        write(f"{folder}/run-{run:03d}/run.json", {"run": run, "weights_md5": md5})


def write_cracks() -> None:
    """Photographs, tiles of a subset, what is measured on it, its pool, a synthetic and a mixed arm."""
    write(SOURCE, {"kind": "real", "files": {"images/a.png": "0"}})
    write(f"{PHOTOGRAPHS}/images.csv", "image,mask,source\n")
    for part, specimens in (("32", ["kos01", "kos03"]), ("all", ["kos01", "kos03", "kos06"])):
        about = {"part": part, "kind": "real", "count": 32, "specimens": specimens}
        write(f"{TILES}/{part}/dataset.json", {"use_case": "chip_cracks", **about})
        write(f"{TEXTURES}/{part}/dictionary.npz", f"patches {part}")
        write_data(f"{POOLS}/{part}", 0, parent=None)
    dvc_keeps("photographs", "tiles", "textures", "pools")
    write_arm(f"{SYNTHETIC}/synthetic_32", "c", f"{POOLS}/32", POOLS)
    dvc_keeps("synthetic")
    write_arm(f"{MIXED}/mixed_32", "d", f"{TILES}/32", TILES, f"{SYNTHETIC}/synthetic_32")
    dvc_keeps("mixed")


def write_base(seed: int, mark: str) -> None:
    write_data(BASE, seed, parent=None)
    dvc_keeps("base")
    write_arm(BASE_ARM, mark, BASE, BASE)
    dvc_keeps("train")


def write_round(seed: int, mark: str) -> None:
    sampler = {"worst_fraction": {"fraction": 0.1, "keep_seed": False, "within": {"white_noise": {"sd_grey": 2}}}}
    write_data(ADAPTIVE, seed, parent={"path": BASE}, scored={"path": SCORING}, sampler=sampler)
    dvc_keeps("resample")
    write_arm(ARM, mark, ADAPTIVE, ADAPTIVE, BASE_ARM)
    dvc_keeps("finetune")


def write_history() -> dict[str, str]:
    """Make three commits: everything; another adaptive round; another base, after which no round was made again."""
    write_cracks()
    write_base(0, "a")
    write_data(SCORING, 1, parent=None)
    write(SCORES, "scores")
    dvc_keeps("scoring", "score")
    write_round(3, "b")
    commits = {"first": committed("Everything", "v1")}
    write_round(4, "e")
    commits["round"] = committed("Another round", "v2")
    write_base(9, "f")
    return commits | {"base": committed("Another base")}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The project: `folder`, `commits` by name. Not to be changed."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "--quiet", "--initial-branch", "main")
        for key, value in {"name": "Ann", "email": "ann@example.org"}.items():
            git("config", f"user.{key}", value)
        with Repo.init() as repo, repo.config.edit() as config:
            config["core"] |= {"analytics": False, "check_update": False, "autostage": False}
        stages = {name: {"cmd": "true", "deps": deps, "outs": [out]} for name, (deps, out) in STAGES.items()}
        YAML().dump({"stages": stages}, Path("dvc.yaml"))
        write("params.yaml", "profile: tiny\n")
        outs = [out for _, out in STAGES.values()]
        write(".gitignore", "".join(f"/{line}\n" for line in (*outs, "mlflow.db", "mlruns", ".micromime", "given")))
        return SimpleNamespace(folder=folder, commits=write_history())


@pytest.fixture
def here(made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The project as the working directory, without a store of MLflow; not to be changed."""
    monkeypatch.chdir(made.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return made


@pytest.fixture
def project_copy(here: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The same for a test to change."""
    monkeypatch.chdir(shutil.copytree(here.folder, tmp_path / "project", symlinks=True))
    return here


@pytest.fixture
def project_in_a_part(here: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The same for a test to change, as a subfolder, with a blank in its name, of a larger repository."""
    part = tmp_path / "all" / "my part"
    shutil.copytree(here.folder, part, symlinks=True)
    (part / ".git").rename(tmp_path / "before")
    monkeypatch.chdir(part)
    git("init", "--quiet", "..")
    for key, value in {"name": "Ann", "email": "ann@example.org"}.items():
        git("config", f"user.{key}", value)
    for commit in here.commits.values():
        tags = git(f"--git-dir={tmp_path / 'before'}", "tag", "--points-at", commit).split()
        git(f"--git-dir={tmp_path / 'before'}", "--work-tree=.", "checkout", "--quiet", "--force", commit, "--", ".")
        committed(commit, *tags)
    return here


@pytest.fixture(scope="session")
def filled_store(made: SimpleNamespace, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store that knows the runs of every arm of every commit, and one registered network."""
    file = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("store")))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        patch.setenv(OFFLINE, "")
        _fill(made)
    return file


def _fill(made: SimpleNamespace) -> None:
    outs = dict.fromkeys(version_at(out, each) for each in made.commits.values() for out in lock_at(each).outs)
    for said in [said for out in outs if out.path.startswith("models/") for said in arms_in(out).values()]:
        by_run = {run: {"mean_iou": 0.5 + run / 100} for run in (1, 2)}
        publish_verdict(said, judged_on("surrogate"), by_run, {"mean_iou": 0.5}, Kept())
    client, query = store_client(), f" and tags.`micromime.fingerprint` = '{'a' * 32}'"
    (run, _) = stored("run", query, GRAINS)
    client.create_registered_model("grains-tiny")
    version = client.create_model_version("grains-tiny", "here", run.info.run_id, run.data.tags)
    client.set_registered_model_alias("grains-tiny", "base", version.version)


@pytest.fixture
def logged(here: SimpleNamespace, filled_store: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The project with its runs in MLflow; neither is to be changed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{filled_store}")
    return here


@pytest.fixture
def project_with_runs(project_copy: SimpleNamespace, filled_store: Path) -> SimpleNamespace:
    """The project with a store of MLflow of its own, `mlflow.db`, both to be changed."""
    shutil.copy(filled_store, Path())
    return project_copy
