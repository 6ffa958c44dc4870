"""Test the batch files for Slurm, with an srun that prints its command."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("bash") or os.name != "posix", reason="runs bash")


TORCHRUN = (
    "--kill-on-bad-exit=1 torchrun --nnodes 2 --nproc-per-node gpu --rdzv-backend c10d "
    "--rdzv-endpoint first:22345 --rdzv-id 12345 -m"
)


@pytest.mark.parametrize(("file", "command"), [("lab.sh", "python -m"), ("gpus.sh", TORCHRUN)])
def test_batch_file_passes_cores_and_options_to_the_launcher(file, command, tmp_path):
    for name, text in {
        "bin/srun": '#!/bin/sh\necho "$SRUN_CPUS_PER_TASK cores: $*"\n',
        "bin/hostname": "#!/bin/sh\necho first\n",
        ".venv/bin/activate": f'PATH="{tmp_path}/bin:$PATH"\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    options = ["notebooks/04_esrgan.ipynb", "out.ipynb", "-p", "run", "a name"]
    slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_CPUS_PER_TASK": "8"}
    slurm |= {"SLURM_JOB_ID": "12345", "SLURM_NNODES": "2"}
    batch = ["bash", str(ROOT / "studies" / "slurm" / file), *options]
    done = subprocess.run(batch, env=os.environ | slurm, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"8 cores: {command} srlab_course.papermill {' '.join(options)}"
