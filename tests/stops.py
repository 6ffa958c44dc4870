"""Execute a notebook that trains, in a process that a test stops, as a user or a cluster would."""

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil

ROOT = Path(__file__).resolve().parents[1]
EXECUTE = (
    "import sys; from pathlib import Path; from srlab_course.notebook_files.execute import execute; "
    "execute(Path(sys.argv[1]), Path(sys.argv[2]), {})"
)
WAYS = {
    "launcher": ["-m", "srlab_course.papermill"],
    "srlab execute": ["-c", EXECUTE],
    "papermill": ["-m", "papermill"],
    "two processes": [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "srlab_course.papermill",
    ],
}
LONGEST = 120  # seconds after which a process counts as stuck


class Stoppable:
    """A process that executes a notebook with this code, in one of the `WAYS`, in a session of its own."""

    def __init__(self, folder: Path, code: str, way: str = "launcher"):
        self.out = folder / "out.ipynb"
        report = "import srlab_course as course\ncourse.report_metric('PSNR', 1.0, 'dB')"
        cells = [nbformat.v4.new_code_cell(source) for source in (code, report)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, folder / "lab.ipynb")
        command = [sys.executable, *WAYS[way], str(folder / "lab.ipynb"), str(self.out)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        self.kernels = []  # when a signal was sent
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)

    def wait_for(self, happened):
        """Wait until a function returns True, while the process runs."""
        until = time.monotonic() + LONGEST
        while not happened():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)

    def send(self, number: int, everywhere: bool = False):
        """Send a signal to the process, and if `everywhere` also to its kernel, as Slurm does."""
        self.kernels = psutil.Process(self.process.pid).children()
        for process in (*self.kernels * everywhere, self.process):
            process.send_signal(number)

    def end(self):
        """Wait until it and its kernel have ended, and return its exit code and what it printed as an error."""
        try:
            _, error = self.process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        _, alive = psutil.wait_procs(self.kernels, LONGEST)  # a kernel notices within a second that it is alone
        assert not alive
        return self.process.returncode, error

    def outputs(self):
        """Return the outputs of the cell that trains, in the executed notebook."""
        cells = nbformat.read(self.out, 4).cells
        return next(cell.outputs for cell in cells if "fit(" in cell.source)
