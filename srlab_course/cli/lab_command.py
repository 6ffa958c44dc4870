"""``srlab lab``: open JupyterLab for the labs, the same way from make, Windows and conda."""

import argparse
import os
from pathlib import Path

from srlab.paths import recipes

# What a student doesn't open: files of Python, and what the labs read.
HIDDEN = ("__pycache__", "claims", "recipes", "pictures", "ruff.toml")
BOOK = Path(__file__).resolve().parents[2] / "docs" / "book"
SETTINGS = BOOK / "jupyterlab"  # with jupyter_server_config.py, which protects from strangers' notebooks


def open_jupyterlab(options: argparse.Namespace) -> int:
    """Run JupyterLab in this process until it is stopped."""
    from jupyterlab.labapp import LabApp  # not in the environment of a hub, whose JupyterLab is elsewhere

    own = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = f"{SETTINGS}{os.pathsep}{own}" if own else str(SETTINGS)
    LabApp.launch_instance(settings(Path(options.folder or recipes().parent).resolve(), options.port))
    return 0


def settings(folder: Path, port: int | None = None) -> list[str]:
    """Return the options with which JupyterLab shows a folder of notebooks.

    The file browser shows only notebooks and your own folders, and no popup offers Jupyter's news. HTML exported from
    JupyterLab's menu includes the alternative texts of the figures. A preferred folder in your own settings is ignored,
    because JupyterLab does not start if it is outside of the folder that it shows.
    """
    chosen = {
        "ServerApp.root_dir": folder,
        "ServerApp.preferred_dir": folder,
        "LabApp.app_settings_dir": SETTINGS,
        "HTMLExporter.template_name": "srlab",
        "TemplateExporter.extra_template_basedirs": BOOK / "nbconvert",
    }
    if port:
        chosen["ServerApp.port"] = port
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as root, for example in a container
        chosen["ServerApp.allow_root"] = True
    return [f"--{name}={value}" for name, value in chosen.items()] + [
        f"--ContentsManager.hide_globs={name}" for name in HIDDEN
    ]
