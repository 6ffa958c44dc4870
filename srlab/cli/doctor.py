"""``srlab doctor``: say in words what looks wrong with a run, or with the machine."""

import argparse

from srlab.base.errors import SrlabError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("doctor", help="say what looks wrong with a run's curves, or with this machine")
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run: <lab>/<name>, or the path of its folder")
    parser.add_argument("--system", action="store_true", help="test this machine instead, in about half a minute")
    parser.set_defaults(command=run, when_stopped="nothing was written.")


def run(options: argparse.Namespace) -> int:
    """Print the diagnosis; returns 1 where something looks wrong."""
    if options.system == bool(options.run):
        raise SrlabError("Say which run, as in `srlab doctor 03_srgan/default`, or `srlab doctor --system`.")
    if options.system:
        return _examine_system()
    from srlab.training.diagnosis import diagnose

    found = diagnose(options.run)
    print(found)
    return 1 if found.findings else 0


def _examine_system() -> int:
    """Print each fact as it is found, the problems, and the line for the teacher; returns 1 where there is one."""
    from srlab.cli.system_check import check_system

    facts, problems = [], []
    for fact, problem in check_system():
        print(f"{'!' if problem else ' '} {fact}", flush=True)
        facts.append(fact)
        problems += [problem] if problem else []
    print("\n" + ("\n".join(problems) if problems else "This machine can run the labs."))
    print(f"\nThe line for your teacher:\nsrlab doctor: {'; '.join(facts)}; problems: {len(problems)}")
    return 1 if problems else 0
