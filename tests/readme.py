"""The blocks of code in README.md."""

import re
from pathlib import Path


def blocks(project: Path, language: str) -> list[str]:
    """Return the text of each block in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)
