"""Write the figures and numbers of README.md: what stands between its markers comes from metrics/ and from rendering.

python docs/write_readme.py            writes README.md and docs/grain_boundaries.png
python docs/write_readme.py --check    says whether README.md is up to date, and writes nothing
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from micromime.datasets.preview import write_preview
from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.evaluation.tables import arms_table, headline
from micromime.parameters import read_tree
from micromime.scenario import Scenario
from micromime.scenarios import instance_kind

PROJECT = Path(__file__).parents[1]
README = PROJECT / "README.md"


def blocks() -> dict[str, str]:
    """Return the text of each marked block."""
    metrics = PROJECT / "metrics"
    (row,) = json.loads((metrics / "benchmarks.json").read_text())
    ratio = row["ratio"]
    verdict = json.loads((metrics / "demo" / "grain_boundaries.json").read_text())
    return {
        "verdict": f"**{headline(verdict['test_set'])}**\n\n{arms_table(verdict)}",
        "benchmark": f"{row['per_second']:.0f} samples a second on one core ({row['name']}), "
        f"{ratio['median']:.0f} times ({ratio['min']:.0f} to {ratio['max']:.0f}) as many as a {row['reference']}; "
        f"{row['peak_memory_mib']:.0f} MiB at most",
    }


def filled(text: str) -> str:
    """Return the README with its marked blocks written anew."""
    for name, block in blocks().items():
        before, begin, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- end {name} -->")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text


def draw(file: Path) -> None:
    """Draw six samples of the demo's scenario, 160 px each, with their boundaries."""
    content = read_tree(PROJECT / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 160, "cols": 160}
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    with tempfile.TemporaryDirectory() as folder:
        instances = [scenario.draw_one(0, index) for index in range(6)]
        render_dataset(instances, {}, Path(folder, "set"), Path(folder, "work"))
        write_preview(Dataset(Path(folder, "set")), file)


def main() -> None:
    """Write, or check."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--check", action="store_true")
    text = README.read_text()
    if asked.parse_args().check:
        sys.exit(None if filled(text) == text else "README.md is not what metrics/ says; run `make readme`.")
    README.write_text(filled(text))
    draw(PROJECT / "docs" / "grain_boundaries.png")


if __name__ == "__main__":
    main()
