"""Write numbers.json: what is new, and what has changed if its version was raised.

python tests/results/write.py
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    from results import answered, golden, rendered

    rendered.keep_new()
    content = golden.written()
    for name in golden.KINDS:
        numbers = golden.kind(name).numbers()
        if name == "answered":
            numbers |= answered.numbers(slow=True)
        moved, integer = golden.changed(name, numbers), golden.kind(name).VERSION
        if moved and content[name]["version"] == golden.version(name):
            sys.exit(f"{'; '.join(moved)}\n{integer} is still {golden.version(name)}: raise it first, or undo this.")
        if missing := sorted(golden.kind(name).members() - numbers.keys()):
            sys.exit(f"{', '.join(missing)}: nothing is computed for it; say how in {name}.py.")
        content[name] = {"version": golden.version(name), "numbers": dict(sorted(numbers.items()))}
    golden.FILE.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
