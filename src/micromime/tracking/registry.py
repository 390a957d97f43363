"""Networks in MLflow's model registry: one model for each use case and profile, one alias for each arm.

`mlflow.pyfunc.load_model("models:/micromime-grain_boundaries-demo@adaptive")` gives the network that stands for the
arm `adaptive`, on any machine that reaches the store: the model brings its weights, the part of this package that it
runs, and the versions it ran with. The profile is in the name lest a test's toy network takes the place of a real one.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed
from modulefinder import ModuleFinder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import micromime
from micromime.mistakes import Mistake
from micromime.project.work import sha256
from micromime.training.architectures import finds

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

# MLflow 3.17 says this of its own code when mlflow.pyfunc is imported; users can do nothing.
warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)

NETWORK_FILES = ("model.json", "weights.safetensors")

EXAMPLE = np.linspace(0, 255, 3 * 16 * 24).astype(np.uint8).reshape(1, 3, 16, 24)
"""Pixel values that MLflow shows beside the model: (n, 3, rows, cols)."""

WEIGHTS = "micromime.weights_sha256"


SOURCES = Path(micromime.__file__).parents[1]

packages = cache(packages_distributions)  # reads the lists of files of everything that is installed


class Registered(NamedTuple):
    """A version of a model in the registry."""

    name: str
    version: str
    alias: str
    model_id: str
    """Of the logged model that it is a version of."""

    @property
    def uri(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.name}@{self.alias}"


def register(client: MlflowClient, arm: Run, of_arm: Mapping[str, str], network: Path) -> Registered:
    """Give the network that stands for an arm a version in the registry, and the arm's alias to that version.

    `arm` is the arm's parent run, `of_arm` its tags, `network` the folder of one of its runs. Where the arm has a
    version of these very weights, that one gets the alias, and its tags are brought up to date; its commit stays the
    first. Raises Mistake where files are missing or damaged; failures of the store come out as MLflow raises them.
    """
    tags = {**of_arm, **_tags(network)}
    alias, profile = tags["micromime.arm"], tags["micromime.profile"]
    name = "-".join(filter(None, ("micromime", tags["micromime.use_case"], profile)))
    wanted = f"name = '{name}' and tags.`{WEIGHTS}` = '{tags[WEIGHTS]}' and tags.`micromime.arm` = '{alias}'"
    found = client.search_model_versions(wanted, order_by=["version_number DESC"])
    model = _logged(client, arm, tags, network)
    if found:
        version = str(found[0].version)
        for key, value in tags.items():
            if found[0].tags.get(key) != value and not key.startswith("micromime.git_"):
                client.set_model_version_tag(name, version, key, value)
    else:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        said, source = f"Run {tags['micromime.seed']} of the arm {alias}.", model.artifact_location
        run, id_ = arm.info.run_id, model.model_id
        made = client.create_model_version(name, source, run, tags, description=said, model_id=id_)
        version = str(made.version)
    link = json.dumps([{"name": name, "version": int(version)}])  # on the run's page
    own = {key: value for key, value in tags.items() if not key.startswith("micromime.git_")}
    changed = {
        key: value for key, value in (own | {"mlflow.modelVersions": link}).items() if model.tags.get(key) != value
    }
    if changed:
        client.set_logged_model_tags(model.model_id, changed)
    if str(client.get_registered_model(name).aliases.get(alias)) != version:
        client.set_registered_model_alias(name, alias, version)
    return Registered(name, version, alias, model.model_id)


def _tags(network: Path) -> dict[str, str]:
    """Return the tags of a version that its arm has not: run number, architecture, the sha256 of its weights."""
    for file in NETWORK_FILES:
        if not (network / file).is_file():
            raise Mistake(f"{network / file} is missing; {network} is no folder of a trained network.")
    try:
        said = json.loads((network / "model.json").read_text())
        own = {"micromime.seed": str(said["run"]), "micromime.architecture": str(said["architecture"])}
    except (ValueError, KeyError, TypeError):
        raise Mistake(f"The network in {network} is damaged, or of another version; train it anew.") from None
    return own | {WEIGHTS: sha256(network / "weights.safetensors")}


def _logged(client: MlflowClient, arm: Run, tags: Mapping[str, str], network: Path) -> LoggedModel:
    """Return the model logged to the arm's parent run; one that an earlier process was killed over is completed."""
    from mlflow.entities import LoggedModelOutput

    arm_id, experiment = arm.info.run_id, arm.info.experiment_id
    wanted = f"source_run_id = '{arm_id}' and tags.`{WEIGHTS}` = '{tags[WEIGHTS]}'"
    begun = client.search_logged_models([experiment], wanted)
    name = f"{tags['micromime.arm']}-{network.name}"
    model = begun[0] if begun else client.create_logged_model(experiment, name, arm_id, dict(tags))
    if model.status != "READY":
        with TemporaryDirectory() as folder:
            _save(Path(folder), network, model)
            client.log_model_artifacts(model.model_id, f"{folder}/model")
        client.finalize_logged_model(model.model_id, "READY")
    linked = arm.outputs.model_outputs if arm.outputs else []
    if model.model_id not in [each.model_id for each in linked]:  # a second link is an error
        client.log_outputs(arm_id, [LoggedModelOutput(model.model_id, step=0)])
    return model


def _save(folder: Path, network: Path, model: LoggedModel) -> None:
    """Write `folder/model` as MLflow's loaders want it: code, plain numbers and text, no pickle."""
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import Schema, TensorSpec

    from micromime.tracking import served_model

    architecture = model.tags["micromime.architecture"]
    files, packages = needed_by(served_model.__name__, f"micromime.training.architectures.{architecture}")
    for file in files:  # each is fetched on its own from a server: only these
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCES / file, folder / file)
    answers = (-1,) if finds(architecture) == "class" else (-1, -1, -1)  # for each image, or for each pixel
    answer = TensorSpec(np.dtype(np.float32), answers)
    id_ = model.model_id
    save_model(
        folder / "model",
        mlflow_model=Model(model.artifact_location, model.source_run_id, model_uuid=id_, model_id=id_),
        python_model=served_model.__file__,
        artifacts={file: str(network / file) for file in NETWORK_FILES},
        code_paths=[str(folder / "micromime")],
        # No schema of what goes in: by one MLflow would cast numbers from 0 to 1 to pixel values 0, and ask on.
        signature=ModelSignature(outputs=Schema([answer])),
        input_example=EXAMPLE,
        pip_requirements=packages,
    )


class Ours(ModuleFinder):
    """Follows imports within this package, and only counts those of others."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        """Return where a module lies; ImportError, by which it is counted as missing, where that is elsewhere."""
        if path is None and name != "micromime":
            raise ImportError(name)
        return super().find_module(name, path, parent)


def needed_by(*modules: str) -> tuple[set[Path], list[str]]:
    """Return the files of this package that modules need, late imports included, and what they import of others.

    Files are `micromime/arrays.py` and so on: the modules' own, those of all that they import, and the packages' above.
    Packages are `name==version` for pip, in the versions installed here, without what follows a plus sign (2.14.1+cpu):
    that names a build for one kind of machine.
    """
    finder = Ours([str(SOURCES)])
    for module in modules:
        with suppress(ImportError):  # an architecture may lie elsewhere, and is not brought
            finder.import_hook(module)
    roots = {name.partition(".")[0] for name in finder.badmodules} - sys.stdlib_module_names - {"micromime"}
    names = {name for root in roots for name in packages()[root]}
    files = {Path(vars(module)["__file__"]).relative_to(SOURCES) for module in finder.modules.values()}
    return files, [f"{name}=={installed(name).partition('+')[0]}" for name in sorted(names)]
