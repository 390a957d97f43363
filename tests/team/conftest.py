"""A small project with a history: made-up data and networks, DVC's hashes, git's commits and a store of MLflow."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML

STAGES = {  # name -> deps, outs
    "import_chip_cracks": (["data/sources/chip_cracks.json"], ["data/photographs/chip_cracks"]),
    "tile_chip_cracks": (["data/photographs/chip_cracks"], ["data/tiles/chip_cracks"]),
    "measure_chip_cracks": (["data/photographs/chip_cracks", "data/tiles/chip_cracks"], ["data/exemplars/chip_cracks"]),
    "render_chip_cracks": (["data/exemplars/chip_cracks"], ["data/synthetic/chip_cracks"]),
    "train_chip_cracks": (["data/synthetic/chip_cracks"], ["models/chip_cracks/synthetic"]),
    "mix_chip_cracks": (["data/tiles/chip_cracks", "models/chip_cracks/synthetic"], ["models/chip_cracks/mixed"]),
    "render_base": ([], ["data/synthetic/grain_boundaries/base"]),
    "render_scoring": ([], ["data/synthetic/grain_boundaries/scoring"]),
    "train_base": (["data/synthetic/grain_boundaries/base"], ["models/grain_boundaries/base"]),
    "score_base": (
        [
            "data/synthetic/grain_boundaries/base",
            "data/synthetic/grain_boundaries/scoring",
            "models/grain_boundaries/base",
        ],
        ["data/scores/grain_boundaries/base.parquet"],
    ),
    "resample": (["data/scores/grain_boundaries/base.parquet"], ["data/synthetic/grain_boundaries/adaptive"]),
    "finetune": (
        ["data/synthetic/grain_boundaries/adaptive", "models/grain_boundaries/base"],
        ["models/grain_boundaries/adaptive"],
    ),
}

GRAINS = "grain_boundaries"
BASE, ADAPTIVE = f"data/synthetic/{GRAINS}/base", f"data/synthetic/{GRAINS}/adaptive"


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def write(path: str, content: object) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content if isinstance(content, str) else json.dumps(content))


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def dvc_keeps(*stages: str) -> None:
    """Have DVC record what lies there as what these stages have made."""
    from dvc.repo import Repo

    with Repo() as repo:
        for stage in stages:
            repo.commit(stage, force=True)


def recorded(path: str) -> str:
    stages = YAML(typ="safe").load(Path("dvc.lock"))["stages"].values()
    return next(out["md5"] for stage in stages for out in stage["outs"] if out["path"] == path)


def committed(message: str, *tags: str) -> str:
    git("add", ".")
    git("commit", "--quiet", "--message", message)
    for tag in tags:
        git("tag", tag)
    return git("rev-parse", "HEAD")


def write_synthetic(path: str, use_case: str, seed: int, **more: object) -> None:
    scenario = {"white_noise": {"sd_grey": {"uniform": [2, 25]}}}
    write(f"{path}/dataset.json", {"use_case": use_case, "scenario": scenario, "count": 8, "seed": seed, **more})
    write(f"{path}/shard-00000/images.npy", f"{path} {seed}")


def named(path: str) -> dict[str, str]:
    return {"path": path, "sha256": sha256(f"{path}/dataset.json")}


def write_adaptive(seed: int) -> None:
    sampler = {"worst_fraction": {"fraction": 0.1, "keep_seed": False, "within": {"white_noise": {"sd_grey": 2}}}}
    scores = sha256(f"data/scores/{GRAINS}/base.parquet")
    about = {"parent": named(BASE), "scores": scores, "arm": "base", "runs": 2, "sampler": sampler}
    write_synthetic(ADAPTIVE, GRAINS, seed, **about)


def write_arm(folder: str, fingerprint: str, data: tuple[str, str], start: str | None = None, runs: int = 2) -> None:
    """Write an arm, whose second run was taken from its record: it has no weights."""
    path, digest = data
    train = {"architecture": "unet_efficientnet_lite0"}
    said = {"use_case": folder.split("/")[1], "arm": Path(folder).name, "profile": "tiny", "fingerprint": fingerprint}
    said |= {"base": json.loads(Path(start, "arm.json").read_text())["fingerprint"] if start else "", "start": start}
    version = {"name": Path(path).name, "path": path, "digest": digest, "context": "training"}
    write(f"{folder}/arm.json", {**said, "params": {"data": {}, "train": train}, "data": [version]})
    for run in range(1, runs + 1):
        weights = f"weights of {folder} {fingerprint} {run}"
        md5 = hashlib.md5(weights.encode(), usedforsecurity=False).hexdigest()
        write(f"{folder}/run-{run:03d}/run.json", {"run": run, "weights_md5": md5})
        if run == 1:
            write(f"{folder}/run-001/weights.safetensors", weights)


def write_cracks() -> None:
    """Photographs, tiles of a subset, what is measured on it, its pool, a synthetic and a mixed arm."""
    write("data/sources/chip_cracks.json", {"kind": "real", "files": {"images/a.png": "0"}})
    write("data/photographs/chip_cracks/images.csv", "image,mask,source\n")
    dvc_keeps("import_chip_cracks")
    for part, specimens in (("32", ["kos01", "kos03"]), ("all", ["kos01", "kos03", "kos06"])):
        tiles = {"use_case": "chip_cracks", "part": part, "kind": "real", "count": 32, "specimens": specimens}
        write(f"data/tiles/chip_cracks/{part}/dataset.json", tiles)
        write(f"data/exemplars/chip_cracks/{part}/dictionary.npz", f"patches {part}")
    dvc_keeps("tile_chip_cracks", "measure_chip_cracks")
    for part in ("32", "all"):
        dictionary = f"data/exemplars/chip_cracks/{part}/dictionary.npz"
        about = {"parent": None, "named_files": {dictionary: sha256(dictionary)}}
        write_synthetic(f"data/synthetic/chip_cracks/{part}", "chip_cracks", 0, **about)
    dvc_keeps("render_chip_cracks")
    pool, tiles = (
        (f"data/{kind}/chip_cracks/32", recorded(f"data/{kind}/chip_cracks")) for kind in ("synthetic", "tiles")
    )
    write_arm("models/chip_cracks/synthetic/synthetic_32", "c" * 32, pool)
    dvc_keeps("train_chip_cracks")
    write_arm("models/chip_cracks/mixed/mixed_32", "d" * 32, tiles, "models/chip_cracks/synthetic/synthetic_32")
    dvc_keeps("mix_chip_cracks")


def write_base(seed: int, fingerprint: str) -> None:
    write_synthetic(BASE, GRAINS, seed, parent=None)
    dvc_keeps("render_base")
    write_arm(f"models/{GRAINS}/base", fingerprint, (BASE, recorded(BASE)))
    dvc_keeps("train_base")


def write_round(seed: int, fingerprint: str) -> None:
    write_adaptive(seed)
    dvc_keeps("resample")
    write_arm(f"models/{GRAINS}/adaptive", fingerprint, (ADAPTIVE, recorded(ADAPTIVE)), f"models/{GRAINS}/base")
    dvc_keeps("finetune")


def write_history() -> dict[str, str]:
    """Make three commits: everything; another adaptive round; another base, after which no round was made again."""
    write_cracks()
    write_base(0, "a" * 32)
    write_synthetic(f"data/synthetic/{GRAINS}/scoring", GRAINS, 1, parent=None)
    write(f"data/scores/{GRAINS}/base.parquet", "scores")
    dvc_keeps("render_scoring", "score_base")
    write_round(3, "b" * 32)
    commits = {"first": committed("Everything", "v1")}
    write_round(4, "e" * 32)
    commits["round"] = committed("Another round", "v2")
    write_base(9, "f" * 32)
    commits["base"] = committed("Another base")
    return commits


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The project: `folder`, `commits` by name. Not to be changed."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for key, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org")):
            patch.setenv(f"GIT_AUTHOR_{key}", value)
            patch.setenv(f"GIT_COMMITTER_{key}", value)
        git("init", "--quiet", "--initial-branch", "main")
        with Repo.init() as repo, repo.config.edit() as config:
            config["core"] |= {"analytics": False, "check_update": False, "autostage": False}
        stages = {name: {"cmd": "true", "deps": deps, "outs": outs} for name, (deps, outs) in STAGES.items()}
        YAML().dump({"stages": stages}, Path("dvc.yaml"))
        write("params.yaml", "profile: tiny\n")
        outs = [out for _, outs in STAGES.values() for out in outs]
        write(".gitignore", "".join(f"/{line}\n" for line in (*outs, "mlflow.db", "mlruns", ".micromime", "given")))
        return SimpleNamespace(folder=folder, commits=write_history())


@pytest.fixture
def project_copy(made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The same project for a test to change, without a store of MLflow; the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(made.folder, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for key, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{key}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{key}", value)
    return SimpleNamespace(folder=folder, commits=made.commits)


@pytest.fixture(scope="session")
def filled_store(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store that knows the runs of every arm of every commit, and one registered network."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        _fill(made)
    return folder / "mlflow.db"


def _fill(made: SimpleNamespace) -> None:
    from micromime.tracking.store import prepare_store, store_client

    prepare_store(GRAINS)
    client = store_client()
    for commit in made.commits.values():
        lock = subprocess.run(["git", "-C", made.folder, "show", f"{commit}:dvc.lock"], capture_output=True, check=True)
        for stage in YAML(typ="safe").load(lock.stdout)["stages"].values():
            for out in stage["outs"]:
                if out["path"].startswith("models/"):
                    _log_arms(made.folder, out["md5"])
    base = client.search_runs(["1"], "tags.`micromime.level` = 'arm' and tags.`micromime.arm` = 'base'")[-1]
    client.create_registered_model("micromime-grain_boundaries-tiny")
    tags = {key: value for key, value in base.data.tags.items() if key.startswith("micromime.")}
    weights = f"weights of models/{GRAINS}/base {tags['micromime.fingerprint']} 1"
    tags |= {"micromime.seed": "1", "micromime.weights_sha256": hashlib.sha256(weights.encode()).hexdigest()}
    version = client.create_model_version("micromime-grain_boundaries-tiny", "here", base.info.run_id, tags)
    client.set_registered_model_alias("micromime-grain_boundaries-tiny", "base", version.version)


def _log_arms(project: Path, digest: str) -> None:
    """Log the arms of a folder in DVC's cache, each once, as judging does."""
    from micromime.tracking.publish import publish_verdict

    cache = project / ".dvc" / "cache" / "files" / "md5"
    data = {"name": "test_set", "path": "data/test_set", "digest": "0" * 32 + ".dir", "context": "testing"}
    test_set = {"kind": "surrogate", "reason": None, "data": data}
    by_run = {seed: {"mean_iou": 0.5 + seed / 100} for seed in (1, 2)}
    for entry in json.loads((cache / digest[:2] / digest[2:]).read_text()):
        if entry["relpath"].endswith("arm.json"):
            said = json.loads((cache / entry["md5"][:2] / entry["md5"][2:]).read_text())
            publish_verdict(said, test_set, by_run, {"mean_iou": {"mean": 0.515, "sd": 0.007}, "n_runs": 2}, [], {})


@pytest.fixture
def project_with_runs(project_copy: SimpleNamespace, filled_store: Path) -> SimpleNamespace:
    """The project with a store of MLflow of its own, `mlflow.db`."""
    shutil.copy(filled_store, project_copy.folder)
    return project_copy
