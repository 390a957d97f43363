"""What code needs elsewhere, against what another reader of imports says."""

import re

import grimp

from micromime.tracking import registry
from micromime.tracking.registry import SOURCES, needed_by
from micromime.training.architectures import architectures

SERVED = "micromime.tracking.served_model"


def needed(*modules):
    """The files in this package, and the names of the packages."""
    files, lines = needed_by(*modules)
    assert all(file == SOURCES / place for place, file in files.items())
    assert all(re.fullmatch(r"[\w.-]+==\d+(\.\d+)+", line) for line in lines)
    return files, {line.partition("==")[0].lower().replace("_", "-").replace(".", "-") for line in lines}


def test_files_are_those_that_grimp_finds_and_their_packages():
    graph = grimp.build_graph("micromime", cache_dir=None)
    for architecture in architectures():
        asked = {SERVED, f"micromime.training.architectures.{architecture}"}
        expected = asked.union(*(graph.find_upstream_modules(module) for module in {*asked, "micromime"}))
        packages = {
            ".".join(parts[:depth]) for name in expected if (parts := name.split(".")) for depth in range(1, len(parts))
        }
        found, _ = needed(*asked)
        assert {".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in found} == expected | packages


def test_an_architecture_does_not_bring_the_packages_of_another_one():
    _, packages = needed(SERVED, "micromime.training.architectures.unet_efficientnet_lite0")
    assert {"mlflow", "torch", "numpy", "safetensors", "segmentation-models-pytorch", "timm"} <= packages
    assert not {"fastai", "dvc", "micromime"} & packages
    assert "fastai" in needed("micromime.training.architectures.unet_resnet50")[1]


def test_a_version_stands_without_the_build(monkeypatch):
    monkeypatch.setattr(registry, "installed", lambda name: f"{len(name)}.1+cpu")
    assert "torch==5.1" in needed_by("micromime.inference.networks")[1]
