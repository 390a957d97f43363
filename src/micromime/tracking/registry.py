"""Networks in MLflow's model registry: one model for each use case and profile, one alias for each arm.

`mlflow.pyfunc.load_model("models:/micromime-grain_boundaries-demo@adaptive")` gives the network that stands for the
arm `adaptive`, on any machine that reaches the store: the model brings its weights, the part of this package that it
runs, and the versions it ran with. The profile is in the name lest a test's toy network takes the place of a real one.

That part goes by a name of its own, made from its content. MLflow puts a model's code before all that is installed: as
`micromime` it would hide this package, and each model but the first of a process would run the code of another one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import warnings
from collections.abc import Mapping
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
from micromime.project.results import ASKING
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

WEIGHTS, SERVED = "micromime.weights_sha256", "micromime.served"
"""Tags of a model: the hash of its weights, the version of all else in it."""

SERVED_NOW = f"2.{ASKING}"
"""Models whose tag is not this are registered anew. Of its numbers the first is raised where models have come to do
something else for people than answer in other numbers, for which there is the second."""

PACKAGE, SOURCES = "micromime", Path(micromime.__file__).parents[1]

OWN_IMPORT = re.compile(rf"(?m)^(\s*(?:from|import) ){PACKAGE}\b")

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
    version of these very weights that answers as this code does, that one gets the alias, and its tags are brought up
    to date; its commit stays the first. Raises Mistake where files are missing or damaged; failures of the store come
    out as MLflow raises them.
    """
    tags = {**of_arm, **_tags(network)}
    alias, profile = tags["micromime.arm"], tags["micromime.profile"]
    name = "-".join(filter(None, ("micromime", tags["micromime.use_case"], profile)))
    wanted = f"name = '{name}' and {_same(tags)} and tags.`micromime.arm` = '{alias}'"
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
    return own | {WEIGHTS: sha256(network / "weights.safetensors"), SERVED: SERVED_NOW}


def _same(tags: Mapping[str, str]) -> str:
    """Return how MLflow is asked for what has these very weights, and answers alike."""
    return " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in (WEIGHTS, SERVED))


def _logged(client: MlflowClient, arm: Run, tags: Mapping[str, str], network: Path) -> LoggedModel:
    """Return the model logged to the arm's parent run; one that an earlier process was killed over is completed."""
    from mlflow.entities import LoggedModelOutput

    arm_id, experiment = arm.info.run_id, arm.info.experiment_id
    begun = client.search_logged_models([experiment], f"source_run_id = '{arm_id}' and {_same(tags)}")
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
    code = copied(files, folder)  # each file is fetched on its own from a server: only these
    answers = (-1,) if finds(architecture) == "class" else (-1, -1, -1)  # for each image, or for each pixel
    answer = TensorSpec(np.dtype(np.float32), answers)
    id_ = model.model_id
    save_model(
        folder / "model",
        mlflow_model=Model(model.artifact_location, model.source_run_id, model_uuid=id_, model_id=id_),
        python_model=str(code / "tracking" / "served_model.py"),
        artifacts={file: str(network / file) for file in NETWORK_FILES},
        code_paths=[str(code)],
        # No schema of what goes in: by one MLflow would cast numbers from 0 to 1 to pixel values 0, and ask on.
        signature=ModelSignature(outputs=Schema([answer])),
        input_example=EXAMPLE,
        pip_requirements=packages,
    )


def copied(files: Mapping[Path, Path], folder: Path) -> Path:
    """Write files of this package (place in it -> file) below a folder, as a package of another name; return that.

    The name is `micromime_` and 12 digits of the files' hash, and their imports of one another follow it.
    """
    texts = {place: file.read_text(encoding="utf-8") for place, file in sorted(files.items())}
    digest = hashlib.sha256(json.dumps([*map(str, texts), *texts.values()]).encode()).hexdigest()
    name = f"{PACKAGE}_{digest[:12]}"
    for place, text in texts.items():
        target = folder / name / place.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(OWN_IMPORT.sub(rf"\1{name}", text), encoding="utf-8")
    return folder / name


class Ours(ModuleFinder):
    """Follows imports within this package, and only counts those of others."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        """Return where a module lies; ImportError, by which it is counted as missing, where that is elsewhere.

        Packages are searched where this process does: one of our architectures may lie in a folder of somebody else's.
        """
        if path is None and name != PACKAGE:
            raise ImportError(name)
        if parent and parent.__name__ in sys.modules:
            path = [*sys.modules[parent.__name__].__path__]
        return super().find_module(name, path, parent)


def needed_by(*modules: str) -> tuple[dict[Path, Path], list[str]]:
    """Return the files of this package that modules need, late imports included, and what they import of others.

    Files are `micromime/arrays.py` and so on -> where it lies: the modules' own, those of all that they import, and the
    packages' above. Packages are `name==version` for pip, in the versions installed here, without what follows a plus
    sign (2.14.1+cpu): that names a build for one kind of machine.
    """
    finder = Ours([str(SOURCES)])
    for module in modules:
        finder.import_hook(module)
    roots = {name.partition(".")[0] for name in finder.badmodules} - sys.stdlib_module_names - {PACKAGE}
    names = {name for root in roots for name in packages()[root]}
    files = {}
    for each in finder.modules.values():
        file, place = Path(vars(each)["__file__"]), Path(*vars(each)["__name__"].split("."))
        files[place / file.name if file.stem == "__init__" else place.with_suffix(".py")] = file
    return files, [f"{name}=={installed(name).partition('+')[0]}" for name in sorted(names)]
