"""Which extra of this package brings a module that is not installed: `pip install micromime` brings what renders."""

import re
from importlib.metadata import requires

BROUGHT_BY = {
    "markdown_it": "markdown-it-py",
    "pynvml": "nvidia-ml-py",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
"""Module -> package, where it is not called as the package is: what is not installed cannot be asked."""


def what_to_install(error: ModuleNotFoundError) -> str:
    """Return one sentence: the package that is missing, and the extra that has it; empty where none of ours has it."""
    module = (error.name or "").partition(".")[0]
    package = BROUGHT_BY.get(module, module.replace("_", "-"))
    for line in requires("micromime") or ():
        if found := re.fullmatch(rf"{re.escape(package)}(?![\w.-]).*extra == .(\w+).", line):
            return f"{package} is not installed; pip install 'micromime[{found[1]}]' brings it."
    return ""
