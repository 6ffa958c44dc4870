"""Settings of both hubs, which trial.py and class.py load."""

import os
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub defines it
COURSE = Path(__file__).resolve().parents[2]

c.JupyterHub.bind_url = os.environ.get("BIND", "http://127.0.0.1:8000")
c.Spawner.notebook_dir = "~/notebooks"
c.Spawner.environment = {
    "OMP_NUM_THREADS": "2",
    "SRLAB_DATA": str(COURSE / "data"),
    "JUPYTER_CONFIG_PATH": str(COURSE / "docs" / "book" / "jupyterlab"),  # protects from strangers' notebooks
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),  # hides a GPU, unless you start the hub with it
}
c.Spawner.start_timeout = c.Spawner.http_timeout = 600  # importing takes minutes on a busy machine
c.JupyterHub.concurrent_spawn_limit = 3  # further starts are rejected, with a time after which to try again
if token := os.environ.get("CLASS_TOKEN"):  # for a script that starts servers before class
    c.JupyterHub.services = [{"name": "class", "api_token": token}]
    scopes = ["admin:users", "admin:servers", "access:servers"]
    c.JupyterHub.load_roles = [{"name": "class", "scopes": scopes, "services": ["class"]}]
