"""A hub to try alone: any name, one password, and each home directory in ``homes/`` belongs to the hub's account.

Users can read each other's answers, and whatever else this account can read. For a class, use class.py. In an empty
folder, and with the hub that docs/jupyterhub/README.md installs:

    export PATH=/opt/hub/env/bin:/opt/hub/node_modules/.bin:$PATH
    PASSWORD=try jupyterhub -f /opt/srlab/docs/jupyterhub/trial.py
"""

import os
import secrets
import shutil
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub defines it
load_subconfig(str(Path(__file__).with_name("shared.py")))  # noqa: F821 - JupyterHub defines it
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
HOMES = Path("homes").absolute()


def give_notebooks(spawner):  # noqa: ANN001, ANN201 - their types are JupyterHub's
    """Copy the notebooks into a user's home directory unless they are there."""
    mine = HOMES / spawner.user.name / "notebooks"
    if not mine.exists():
        shutil.copytree(NOTEBOOKS, mine)


c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ.get("PASSWORD") or secrets.token_hex(8)
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{HOMES}/{{username}}"
c.Spawner.pre_spawn_hook = give_notebooks
c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []
