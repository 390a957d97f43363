"""Push to the team's storage and pull from it, by DVC, under a watch that ends what would hang."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

from micromime.mistakes import Mistake
from micromime.team.remotes import remote_or_mistake
from micromime.team.watch import Watch

LOCK = "dvc.lock"


def transfer(verb: Literal["push", "pull"]) -> None:
    """Run `dvc push` or `dvc pull`; Mistake where it fails, or within a minute after the remote has fallen silent.

    What was transferred stays, whole object by whole object: done again, it goes on from there.
    """
    name = remote_or_mistake()
    with Watch(name) as watch:
        watch.expect_life()
        command = [sys.executable, "-m", "dvc", verb, "--remote", name]
        running = subprocess.Popen(command)
        try:
            alive = watch.guard(running)
        except BaseException:  # Ctrl-C has reached DVC, too
            running.wait()
            raise
        if not alive:
            raise Mistake(
                f"{watch.dead()}; what was {verb}ed is whole, and `micromime {verb}` goes on when it is back."
            )
    if running.returncode:
        raise Mistake(f"dvc {verb} did not end well; what it says above names the files, the rest was {verb}ed.")
    if verb == "push" and not committed(Path()):
        print(f"Others find this by {LOCK}, which is not committed as it is: git commit, micromime tag, git push.")


def committed(project: Path) -> bool:
    """Return whether git has dvc.lock as it lies here."""
    asked = ["git", "-C", str(project), "diff", "--quiet", "HEAD", "--", LOCK]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0
