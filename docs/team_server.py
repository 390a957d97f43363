"""Run a team's tracking server and S3 storage on this machine; docs/team_server.md says what that is.

python docs/team_server.py start FOLDER
python docs/team_server.py add-user FOLDER ada
python docs/team_server.py status FOLDER
python docs/team_server.py stop FOLDER

Its work is done by the package of the same name beside it.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from team_server import Mistake, Site, add_user, start, status, stop


def start_with(folder: Path, **given: Any) -> list[str]:
    """Start the servers of a folder with what is given, else with what was given before, else with what Site says."""
    before = Site.read(folder) if (folder / "settings.json").exists() else Site(folder.absolute())
    return start(replace(before, **{name: value for name, value in given.items() if value is not None}))


def arguments() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    of = {}
    for name, work, text in (
        ("start", start_with, "start what does not run; what is not given is as at the last start"),
        ("stop", stop, "end everything"),
        ("status", status, "say what runs; exit code 1 unless everything does"),
        ("add-user", add_user, "make a user, and print the lines that a teammate puts into a shell"),
    ):
        of[name] = commands.add_parser(name, help=text)
        of[name].add_argument("folder", type=Path, help="where data, secrets and logs are")
        of[name].set_defaults(work=work)
    option = of["start"].add_argument
    option("--host", help=f"where MLflow and S3 listen; at first {Site.host}; 0.0.0.0: everywhere")
    option("--name", help="under which teammates reach this machine; at first its own name")
    option("--port", type=int, help=f"MLflow's; at first {Site.port}")
    option("--s3-port", type=int, help=f"at first {Site.s3_port}")
    option("--inner-port", type=int, help=f"first of 8 that only this machine uses; at first {Site.inner_port}")
    of["add-user"].add_argument("name")
    of["add-user"].add_argument("--new-password", action="store_true", help="for a user that there is")
    return parser


def main() -> None:
    """Do what the command line says, print what came of it, and end with the exit code."""
    given = vars((parser := arguments()).parse_args())
    try:
        said = given.pop("work")(**given)
    except Mistake as mistake:
        parser.exit(2, f"{mistake}\n")
    except PermissionError as error:
        parser.exit(2, f"You may not use {error.filename}: be the user who started it.\n")
    lines, well = said if isinstance(said, tuple) else (said, True)
    print("\n".join(lines))
    sys.exit(not well)


if __name__ == "__main__":
    main()
