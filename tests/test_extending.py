"""What CONTRIBUTING says to write and to touch, done in a copy: nothing else is needed, dvc.yaml least of all."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from clones import environment
from cycle import call
from pages import blocks
from PIL import Image as Picture
from ruamel.yaml import YAML

SAMPLER = '''"""Fresh draws, the other way round."""

from micromime.sampling.sampler import Sampler, fresh


class Reversed(Sampler):
    """Says which metric it may go by."""

    def propose(self, scenario, scored, count, rng):
        """Return `count` fresh draws."""
        return fresh(scenario, count, rng)[::-1]
'''

ARCHITECTURE = '''"""Two convolutions."""

from torch import nn

FINDS = "mask"


def build(pretrained):
    """Return a new network."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1))


def parts(network):
    """Return body and head."""
    return [network[0]], [network[1]]
'''

METRIC = '''def found_share(prediction: Mask, truth: Mask) -> float:
    """Return the share of the true boundary that was found, 0 to 1."""
    return float(prediction[truth].mean()) if truth.any() else 1.0


'''

COMMANDS = """
check
render grain_boundaries --count 1 --params plain.yaml --out after
render grain_boundaries base
rerender data/synthetic/grain_boundaries/base --sample 3
render grain_boundaries scoring
train grain_boundaries base
score grain_boundaries base
resample grain_boundaries adaptive
"""

SHORT = {
    **{"runs": 1, "architecture": "two_convolutions", "finder_steps": 20},
    "phases": [{"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}],
}
"""What is trained: as little as can be."""

TESTED = ["-q", "--assert=plain", "tests/partial_models/test_every_partial_model.py", "-k", "Dust"]

RUN = """
import sys
from pathlib import Path
import pytest
from docs.partial_models import write_pages
from micromime.cli import app
commands, *tested = sys.argv[1:]
for line in commands.split("\\n"):
    app(line.split(), standalone_mode=False)
Path("seen.txt").write_text("\\n".join(f"{each.key} {each.seen}" for each in write_pages(Path("pages"), ["dust"])))
sys.exit(pytest.main(tested))
"""


def write_files(project: Path, package: Path) -> None:
    """Write the four files, and touch the use case and the table of metrics."""
    (dust,) = blocks(project, "python", having="class Dust")
    where = re.search(r"`src/micromime/(partial_models/[\w/]*dust\.py)`", (project / dust.page).read_text())[1]
    (package / where).write_text(dust.text)
    (patch,) = blocks(project, "diff")
    subprocess.run(["git", "apply", "-"], input=patch.text, cwd=package.parents[1], text=True, check=True)
    (package / "sampling/samplers/reversed.py").write_text(SAMPLER)
    (package / "training/architectures/two_convolutions.py").write_text(ARCHITECTURE)
    metrics = package / "judging/metrics.py"
    before, table, after = re.split(r"^(SEGMENTATION\b.*\n)", metrics.read_text(), maxsplit=1, flags=re.MULTILINE)
    metrics.write_text(f'{before}{METRIC}{table}    "found_share": found_share,\n{after}')


def say_so(project: Path, params: Path) -> None:
    """Name all four in params.yaml."""
    (values,) = blocks(project, "yaml", having="dust")
    params.write_text(params.read_text().replace("    illumination:\n", f"{values.text}    illumination:\n", 1))
    yaml = YAML()
    tree = yaml.load(params)
    grains = tree["grain_boundaries"]
    grains["train"] |= SHORT
    grains["finetune"]["runs"] = 1
    grains["resample"] |= {"score": "found_share", "count": 3}
    grains["render"]["count"], grains["scoring"]["count"] = 8, 3
    grains["scenario"] |= {"rows": 64, "cols": 64}
    grains["rounds"]["adaptive"]["sampler"] = {"reversed": {}}
    yaml.dump(tree, params)


@pytest.fixture(scope="module")
def extended(project, tmp_path_factory) -> Path:
    """A copy with a partial model, a sampler, an architecture and a metric more, in which half of the cycle has run.

    So have its tests of the partial model; what was printed lies in said.txt.
    """
    folder = tmp_path_factory.mktemp("extended")
    for name in ("src", "tests", "profiles"):
        # What numba has compiled comes along: compiling anew takes most of a test's time.
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns("*.pyc*", "*.tmp.*"))
    for name in ("params.yaml", "pyproject.toml"):
        shutil.copy(project / name, folder)
    (folder / "docs").mkdir()
    shutil.copy(project / "docs/partial_models.py", folder / "docs")
    call(["python", "-m", "micromime", "profile", "tiny", "--force"], folder)
    shutil.copy(folder / "params.yaml", folder / "plain.yaml")
    call(["python", "-m", "micromime", "render", "grain_boundaries", "--count", "1", "--out", "before"], folder)
    write_files(project, folder / "src/micromime")
    say_so(project, folder / "params.yaml")
    command = [sys.executable, "-c", RUN, COMMANDS.strip(), *TESTED]
    env = environment(folder, MICROMIME_WORKERS=1, MICROMIME_OFFLINE=1)  # MLflow takes seconds
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (folder / "said.txt").write_text(ended.stdout)
    return folder


def test_a_partial_model_is_drawn_and_stored(extended):
    samples = pd.read_parquet(extended / "data/synthetic/grain_boundaries/base/shard-00000/samples.parquet")
    assert samples["dust.specks"].between(0, 40).all()
    assert samples["dust.specks"].nunique() > 1


def test_a_partial_model_moves_no_other_pixel(extended):
    for name in ("images", "masks", "labels"):
        file = f"shard-00000/{name}.npy"
        assert (extended / "before" / file).read_bytes() == (extended / "after" / file).read_bytes()


def test_a_partial_model_is_tested_as_every_other(extended):
    assert re.search(r"\b[1-9]\d* passed", (extended / "said.txt").read_text())


def test_a_partial_model_gets_its_page_on_which_every_parameter_is_seen(extended):
    page = (extended / "pages/dust.md").read_text()
    assert "| `specks` | Number of specks in the image. |  | 0 to 500 | 0 | 20 |" in page
    assert "```{literalinclude} /src/micromime/partial_models/surface/dust.py" in page
    seen = dict(line.split() for line in (extended / "seen.txt").read_text().splitlines())
    assert seen.keys() == {"specks", "radius_px"}
    assert min(map(float, seen.values())) > 0.01
    with Picture.open(extended / "pages/dust-specks.png") as strip:
        assert strip.width == 3 * 160 + 2 * 6


def test_an_architecture_is_trained(extended):
    network = json.loads((extended / "models/grain_boundaries/base/run-001/model.json").read_text())
    assert network["architecture"] == "two_convolutions"


def test_a_metric_is_measured(extended):
    scores = pd.read_parquet(extended / "data/scores/grain_boundaries/base.parquet")
    assert scores["score.found_share"].between(0, 1).all()


def test_a_sampler_is_asked(extended):
    assert json.loads((extended / "data/synthetic/grain_boundaries/adaptive/dataset.json").read_text())["count"] == 3
