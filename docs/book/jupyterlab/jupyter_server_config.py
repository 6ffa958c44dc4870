"""Settings of the server with which ``srlab lab`` and both hubs open notebooks, which may come from strangers.

Jupyter finds this file, and JupyterLab the one in ``labconfig``, by the environment variable JUPYTER_CONFIG_PATH.
"""

import hmac
import json
import socket
import sys
from pathlib import Path
from uuid import uuid4

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary, signature_removed  # noqa: TID251 - a hub has no srlab
from traitlets import default

c = get_config()  # noqa: F821 - Jupyter defines it
LAUNCH = """import sys
sys.path = [*filter(None, sys.path)]  # an empty path is the working directory
from ipykernel.kernelapp import IPKernelApp


class App(IPKernelApp):
    def init_path(self):
        pass

    def init_shell(self):
        super().init_shell()
        self.shell.events.register("pre_run_cell", find_files)


def find_files(_):
    if "" not in sys.path:
        sys.path.append("")


App.launch_instance()"""


class NotaryOfStructure(NotebookNotary):
    """Sign a notebook's structure: nbformat signs its texts joined, which another notebook can have as one text."""

    def compute_signature(self, nb: dict) -> str:
        """Return the HMAC of a notebook as JSON."""
        with signature_removed(nb):
            return hmac.new(self.secret, json.dumps(nb, sort_keys=True).encode(), self.digestmod).hexdigest()


class WidgetsOfTrustedNotebooks(AsyncLargeFileManager):
    """Read strangers' notebooks without their saved widgets, whose scripts run as soon as JupyterLab restores them.

    To export a notebook as a script, nbconvert imports the exporter that it names, which may be a file next to it.
    """

    @default("notary")
    def _sign_structure(self) -> NotebookNotary:
        return NotaryOfStructure(parent=self)

    def mark_trusted_cells(self, nb: dict, path: str = "") -> None:
        """Remove saved widgets, too, unless this account has signed the notebook; called whenever one is read."""
        if not self.notary.check_signature(nb):
            nb["metadata"].pop("widgets", None)
        super().mark_trusted_cells(nb, path)
        language = nb["metadata"].get("language_info", {})
        if language.get("nbconvert_exporter") != "python":
            language.pop("nbconvert_exporter", None)


class KernelsFromTheEnvironment(KernelSpecManager):
    """Start Python's kernels from the environment, even if a file next to a notebook has the name of a module.

    ``python -m`` looks for modules in the working directory first, and IPython looks there before it looks for
    packages, some of which it imports later, as at the first Tab. From the first cell that runs, a notebook's own files
    are at the end of the path.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec of a kernel, whose command has no ``-m``."""
        spec = super().get_kernel_spec(kernel_name)
        if "ipykernel_launcher" in spec.argv:
            module = spec.argv.index("ipykernel_launcher")
            spec.argv[module - 1 : module + 1] = ["-c", LAUNCH]
        return spec


def has_room_for_sockets(folder: Path) -> bool:
    """Return whether kernels can listen on sockets in a folder: Linux allows 107 bytes, and some disks have none."""
    name = folder / f"kernel-{uuid4()}-ipc-1"
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            trial.bind(str(name))
        except OSError:
            return False
    name.unlink()
    return True


# It would look for language servers with Rscript, julia and npm, which may run files in the folder that is opened.
c.ServerApp.jpserver_extensions = {"jupyter_lsp": False}
c.ServerApp.contents_manager_class = WidgetsOfTrustedNotebooks
c.ServerApp.kernel_spec_manager_class = KernelsFromTheEnvironment
# Any account on the machine could read what kernels send over TCP, even to this machine alone.
if sys.platform == "linux" and has_room_for_sockets(Path(jupyter_runtime_dir())):
    c.KernelManager.transport = "ipc"
