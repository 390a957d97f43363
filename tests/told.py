"""What every command of README and docs must say where it is given as written; of those that are not given, why not.

A command that ends well and says something else, or nothing, fails the test of its place. Words that stand for a
reader's own (`lab`, REVISION, a folder of a workstation) are replaced where the command is given.
"""

from collections.abc import Mapping

ADAPTIVE, BASE = "models/grain_boundaries/adaptive/run-001", "data/synthetic/grain_boundaries/base"

Said = Mapping[str, tuple[str, ...]]

IN_TURN: Said = {
    "micromime render grain_boundaries --count 24 --seed 0 --out my_set": ("24 samples in my_set; my_set/preview.png",),
    "micromime render grain_boundaries --count 24 --seed 0 --out my_set --workers 2": ("24 samples in my_set",),
    "micromime preview my_set --out my_set.png": ("my_set.png\n",),
    "micromime rerender my_set --sample 17": ("sample 17: equal to what is stored, byte by byte",),
    "micromime check": ("params.yaml: every key is known and within its bounds.",),
    "micromime profile demo": ("params.yaml now holds the profile demo.",),
    "micromime profile evidence": ("params.yaml now holds the profile evidence.",),
}
"""test_docs.py: page by page, in a folder that has the project's settings alone."""

AFTER_THE_CYCLE: Said = {
    "micromime explain models/grain_boundaries/base": (
        "Why networks fail: ",
        "worst samples",
        "The page: .micromime/exp",
    ),
    "micromime render chip_cracks --exemplars data/exemplars/chip_cracks/all --out my_tiles": (
        "64 samples in my_tiles",
    ),
    "micromime resample grain_boundaries adaptive --from-run RUN_ID --out my_round": (
        "my_round holds the new samples",
    ),
    "micromime retrain models/grain_boundaries/base 1": ("The network of run 1 lies in .micromime/",),
    "micromime pack evidence": ("metrics/evidence/runs/grain_boundaries", "metrics/evidence/runs/chip_cracks"),
    "micromime publish": ("grain_boundaries: MLflow knows 5 arms.", "chip_cracks: MLflow knows 4 arms."),
}
"""test_cycle.py: in the folder in which all stages have run."""

AFTER_AN_EXPERIMENT: Said = {
    "dvc metrics show": ("base.mean_iou", "adaptive_2.matched_grains", "mixed.error_rate", "difference"),
    "dvc metrics diff": ("Path", "HEAD", "workspace", "Change", "grain_boundaries.json", "base.mean_iou"),
    "dvc plots show": ("dvc_plots/index.html",),
    "dvc params diff": ("params.yaml", "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"),
    "dvc diff": ("Modified:", "data/synthetic/grain_boundaries/adaptive/", "models/grain_boundaries/adaptive/"),
    "dvc exp show --only-changed --drop '^(data|models)/|parquet|csv|verdict'": ("workspace", "adaptive_2.mean_iou"),
    "dvc repro judge_grain_boundaries": ("Stage 'judge_grain_boundaries' didn't change, skipping",),
    "dvc exp run -S grain_boundaries.train.runs=2": (
        "Stage 'train_grain_boundaries' didn't change, skipping",
        "Ran exp",
    ),
}
"""pipeline.py: after the tiny profile's pipeline and an experiment with it, in this order."""

BY_A_TEAM: Said = {
    "python docs/team_server.py start ~/team --host 0.0.0.0 --name lab": ("mlflow started: ", "s3 started: "),
    'eval "$(python docs/team_server.py add-user ~/team ada)"': (),  # which sets what all that follows needs
    "micromime remote add s3://dvc/micromime --endpoint http://lab:8333 --save-keys": (
        "The remote team is this project's storage now; commit .dvc/config",
    ),
    'git commit --message "Our storage" .dvc/config': ("Our storage", "1 file changed"),
    "make run": (
        "Arms side by side in MLflow:",
        "grain_boundaries: ",
        "The report:",
        "grain_boundaries.json (dvc metr",
    ),
    'git add --all && git commit --message "Our first model"': ("Our first model", "changed"),
    "micromime tag first-model": (" runs and ", " registered models linked", "`git push origin first-model` shares it"),
    "micromime push": ("pushed",),
    "git push --tags origin HEAD": ("[new tag]", "first-model -> first-model"),
    "micromime remote login --save-keys": ("The project's storage lets you in.",),
}
"""servers/test_story.py: docs/team.md from its first line to its last; `micromime publish` is one of them, too."""

LATER_IN_THE_TEAM: Said = {
    'git add -A && git commit -m "Another adaptive round"': ("Another adaptive round", "1 file changed"),
    "micromime tag v1.0": (" were linked before", "The tag v1.0 was made; `git push origin v1.0` shares it."),
    f"micromime lineage {ADAPTIVE}": (
        f"weights: {ADAPTIVE}/weights.safetensors\n",
        "(tag first-model, v1.0)",
        "├─ data: data/synthetic/grain_boundaries/adaptive\n",
        "└─ goes on with: models/grain_boundaries/base/run-001/weights.safetensors\n",
    ),
    f"micromime lineage {BASE}": (f"data: {BASE}\n", "runs on it in MLflow\n", "made from it\n"),
    "dvc diff v1.0 HEAD": ("Modified:", "data/synthetic/grain_boundaries/adaptive/"),
    "dvc get . data/synthetic/grain_boundaries/adaptive --rev REVISION": (),  # without a terminal it says nothing
    "git checkout v1.0 && dvc checkout": ("HEAD is now at ", "Another adaptive round"),
}
"""The same: docs/lineage.md after it."""

ON_THE_SERVER: Said = {
    "python docs/team_server.py status /srv/lab": ("mlflow", "s3", "postgresql"),
    "python docs/team_server.py add-user /srv/lab ada": (
        "export MLFLOW_TRACKING_URI=",
        "export AWS_SECRET_ACCESS_KEY=",
    ),
    'export PGPASSWORD="$(python -c \'import json; print(json.load(open("/srv/lab/secrets.json"))["database"])\')"': (),
    "for name in mlflow mlflow_auth; do pg_dump -h 127.0.0.1 -p 21000 -U mlflow $name > $name.sql; done": (),
    "mlflow db upgrade \"$(sed -n 's/^database_uri = \\(.*\\)_auth$/\\1/p' /srv/lab/auth.ini)\"": (
        "Updating database tables",
    ),
    "python docs/team_server.py start /srv/lab": ("mlflow runs already: ", "postgresql runs already: "),
}
"""servers/test_team_server.py; what the dumps hold is looked at there."""

PLACES = (IN_TURN, AFTER_THE_CYCLE, AFTER_AN_EXPERIMENT, BY_A_TEAM, LATER_IN_THE_TEAM, ON_THE_SERVER)

NOT_GIVEN = {
    "pip install .": "needs an index of packages and half a minute; test_install.py looks at what it would bring",
    "pip install '.[server]'": "as before",
    "source .venv/bin/activate": "says nothing; tests run in an active environment",
    "git init && git add --all && git commit --message Begin": "tests/project/test_versions.py gives it",
    "make test": "it runs this very test",
    "make test-ci": "as before; .ci/run gives both of its parts",
    "make test-all": "as before, with hours more",
    "make docs": "a minute; .ci/run does it",
    "make readme": "writes into the project; test_docs.py looks at what it would write",
    "make benchmark": "minutes, and its numbers mean something on an idle machine alone",
    "make transfer": "as before; tests/benchmarks/test_transfer.py runs its code",
    "python benchmarks/builds.py": "as before, and installs an earlier build; tests/benchmarks/test_builds.py",
    "python benchmarks/builds.py --rows run --rows run_again --rows status --turns 3": "as before",
    "python benchmarks/quality.py": "as before, and needs the networks of an earlier build",
    "python benchmarks/growth.py": "as before; tests/benchmarks/test_growth.py has it grow a little",
    "python benchmarks/peers.py": "as before, and code of others; tests/benchmarks/test_peers.py",
    "python benchmarks/train_speed.py grain_boundaries": "as before; tests/benchmarks/test_train_speed.py",
    "MICROMIME_REAL=/path/to/micrographs make run": "the whole cycle once more; pipeline.py gives pictures to its run",
    "dvc repro": "the whole cycle; pipeline.py starts it, and kills it",
    "python -m experiments.planted_gap": "half a minute of training; experiments/planted_gap/tests",
    "python docs/team_server.py start /srv/lab --host 0.0.0.0 --name ws12.example.org": "as in docs/team.md",
    "python docs/team_server.py stop /srv/lab": "ends what others use; test_team_server.py stops it by its function",
    "micromime remote add s3://dvc/micromime --endpoint http://ws12.example.org:8333": "as in docs/team.md",
    "micromime remote add /srv/micromime": "tests/team/test_remote.py adds a folder and tries it",
}
"""Commands that no test gives as written, and why."""

NAMED = (
    "dvc exp apply",
    "dvc exp run --temp",
    "dvc get",
    "dvc pull",
    "dvc push",
    "dvc queue start",
    "micromime lineage",
    "micromime mlflow",
    "micromime pull",
    "micromime render",
    "micromime tag",
    "mlflow gc",
    "mlflow models serve",
    "mlflow ui",
    'eval "$(... add-user /srv/lab ada)"',
)
"""What is spoken of by its name: given with its words elsewhere, or at work within another: test_tried.py."""


def missing(said: Said, command: str, output: str) -> list[str]:
    """Return the words that a command should have said, and has not."""
    return [words for words in said[command] if words not in output]
