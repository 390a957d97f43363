"""Run a team's tracking server and S3 storage on this machine; docs/team_server.md says what that is.

python docs/team_server.py start FOLDER
python docs/team_server.py add-user FOLDER ada
python docs/team_server.py status FOLDER
python docs/team_server.py stop FOLDER

Its work is done by the package of the same name beside it.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from team_server import Mistake, Site, add_user, start, status, stop


def arguments() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    about = {
        "start": "start what does not run; what is not given is as at the last start",
        "stop": "end everything",
        "status": "say what runs; exit code 1 unless everything does",
        "add-user": "make a user, and print the lines that a teammate puts into a shell",
    }
    of = {name: commands.add_parser(name, help=text) for name, text in about.items()}
    for command in of.values():
        command.add_argument("folder", type=Path, help="where data, secrets and logs are")
    of["start"].add_argument("--host", help=f"where MLflow and S3 listen; at first {Site.host}; 0.0.0.0: everywhere")
    of["start"].add_argument("--name", help="under which teammates reach this machine; at first its own name")
    of["start"].add_argument("--port", type=int, help=f"MLflow's; at first {Site.port}")
    of["start"].add_argument("--s3-port", type=int, help=f"at first {Site.s3_port}")
    of["start"].add_argument(
        "--inner-port", type=int, help=f"first of 8 that only this machine uses; at first {Site.inner_port}"
    )
    of["add-user"].add_argument("name")
    of["add-user"].add_argument("--new-password", action="store_true", help="for a user that there is")
    return parser


def site_of(given: argparse.Namespace) -> Site:
    """Return the site that is to be started: what is given, else what was given before, else what Site says."""
    folder = given.folder.absolute()
    before = Site.read(folder) if (folder / "settings.json").exists() else Site(folder)
    values = {each.name: getattr(given, each.name) for each in fields(Site) if each.name != "folder"}
    return Site(folder, **{name: getattr(before, name) if value is None else value for name, value in values.items()})


def main() -> int:
    """Do what the command line says, print what came of it, and return the exit code."""
    given = arguments().parse_args()
    code = 0
    try:
        if given.command == "start":
            lines = start(site_of(given))
        elif given.command == "stop":
            lines = stop(given.folder)
        elif given.command == "status":
            lines, all_well = status(given.folder)
            code = 0 if all_well else 1
        else:
            lines = add_user(given.folder, given.name, given.new_password)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    except PermissionError as error:
        print(f"You may not use {error.filename}: be the user who started it.", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
