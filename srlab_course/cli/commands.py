"""The arguments of the course's commands; `srlab.cli.commands` has those of the other commands."""

import argparse


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab lab``."""
    own = "folder of notebooks, e.g. your copy of them (default: the course's)"
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help=own)
    parser.add_argument("--port", type=int, help="port of the address (default: 8888, or the next free one)")
    parser.set_defaults(command="srlab_course.cli.lab_command:open_jupyterlab", when_stopped="Notebooks are as saved.")


def add_execute(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab execute``."""
    parser.add_argument("labs", nargs="*", metavar="LAB", help="lab names, or parts of them, e.g. 01 (default: all)")
    parser.add_argument("--recipe", default="auto", help="recipe to use, e.g. smoke (default: chosen automatically)")
    parser.add_argument("--seed", type=int, help="random seed; runs keep their names, so set another SRLAB_HOME")
    _add_settings(parser)
    parser.set_defaults(
        command="srlab_course.cli.execute_command:execute_labs",
        when_stopped="Finished training steps are saved; the same command resumes from there.",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter, as in papermill"
    )


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab plan``."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 04 or esrgan")
    _add_settings(parser)
    whole = "list all settings (default: those that differ from the recipe)"
    parser.add_argument("--all", action="store_true", help=whole)
    parser.set_defaults(command="srlab_course.cli.plan_command:plan")


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab runs``."""
    parser.add_argument("lab", nargs="?", default="", metavar="LAB", help="lab name, or a part of it (default: all)")
    parser.set_defaults(command="srlab_course.cli.runs:list_runs")


def add_diagnose(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab diagnose``."""
    parser.add_argument("run", metavar="RUN", help="<lab>/<name>, or the path of a run folder")
    parser.set_defaults(command="srlab_course.cli.runs:diagnose_run", when_stopped="Nothing was written.")


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab page``."""
    parser.add_argument("photo", metavar="PHOTO", help="image file to upscale")
    mine = "your file, with your kept networks next to it (default: notebooks/workshops/mine.py)"
    parser.add_argument("--mine", metavar="FILE", default="notebooks/workshops/mine.py", help=mine)
    parser.add_argument("--name", default="", help="your name, for the title")
    parser.add_argument("-o", "--out", metavar="FILE", default="page.html", help="page to write (default: page.html)")
    parser.set_defaults(command="srlab_course.cli.page_command:run")


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab doctor``."""
    parser.set_defaults(command="srlab_course.cli.doctor:doctor", when_stopped="Nothing was written.")


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab progress``."""
    parser.add_argument(
        "notebooks", nargs="*", metavar="LAB", help="lab names or files, for their exercises (default: a line per lab)"
    )
    parser.set_defaults(command="srlab_course.teaching.progress:progress", when_stopped="Nothing was changed.")


def add_grade(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab grade``."""
    parser.add_argument("folder", metavar="FOLDER", help="folder with one folder or one file per student")
    names = "class list, one line per student: name of the folder or file, or NAME;NAME FOR THE CSV"
    parser.add_argument("--class", metavar="FILE", dest="names", help=names)
    parser.add_argument("--csv", metavar="FILE", help="write a gradebook CSV, one row per student")
    parser.add_argument("--force", action="store_true", help="overwrite the --csv file")
    parser.set_defaults(command="srlab_course.teaching.grading:grade", when_stopped="Nothing was changed.")


def add_handout(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab handout``."""
    parser.add_argument(
        "lab", metavar="LAB", help="lab name, or a part of it, e.g. 03, or a notebook, e.g. a short lab"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the handout of an earlier call")
    parser.set_defaults(command="srlab_course.teaching.handout:handout")


def add_short(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab short``."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 03")
    sections = "numbers of the sections to drop: optional ones, or all from one on"
    parser.add_argument("--without", metavar="N", type=int, nargs="+", required=True, help=sections)
    parser.add_argument("--force", action="store_true", help="overwrite an earlier copy")
    parser.set_defaults(command="srlab_course.teaching.short_lab:short")


def add_solutions(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab solutions``."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 03")
    parser.add_argument("--force", action="store_true", help="overwrite the solved copy of an earlier call")
    parser.set_defaults(command="srlab_course.teaching.solutions:run")


# Command -> the function that adds its arguments to a parser, and its line in the help. pyproject.toml registers it.
COMMANDS = {
    "lab": (add_lab, "open the labs in JupyterLab"),
    "execute": (add_execute, "run labs headlessly and print a summary"),
    "plan": (add_plan, "show what a lab would train (dry run)"),
    "runs": (add_runs, "list training runs with progress and scores"),
    "diagnose": (add_diagnose, "diagnose a training run from its curves"),
    "page": (add_page, "write your networks on a photo as a page"),
    "doctor": (add_doctor, "check this machine (about 20 s)"),
    "progress": (add_progress, "show exercise results from saved notebooks"),
    "grade": (add_grade, "list a class's submissions and write a gradebook"),
    "handout": (add_handout, "write the text of a lab as a page, without code and answers"),
    "short": (add_short, "write a copy of a lab without some sections"),
    "solutions": (add_solutions, "write a solved copy of a lab to solutions/ in the folder of runs"),
}
