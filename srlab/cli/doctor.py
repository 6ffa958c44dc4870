"""``srlab doctor``: say in words what looks wrong with a run."""

import argparse


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("doctor", help="say what looks wrong with a run's curves, and what to try")
    parser.add_argument("run", metavar="RUN", help="a run: <lab>/<name>, or the path of its folder")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print the diagnosis; returns 1 where something looks wrong."""
    from srlab.training.diagnosis import diagnose

    found = diagnose(options.run)
    print(found)
    return 1 if found.findings else 0
