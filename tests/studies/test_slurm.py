"""Test the batch file for Slurm, with an srun that runs its command here."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("bash") or os.name != "posix", reason="runs bash")


def test_batch_file_passes_cores_and_options_to_the_launcher(tmp_path):
    for file, text in {
        "bin/srun": '#!/bin/sh\necho "$SRUN_CPUS_PER_TASK cores: $*"\n',
        ".venv/bin/activate": f'PATH="{tmp_path}/bin:$PATH"\n',
    }.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
        (tmp_path / file).chmod(0o755)
    options = ["notebooks/04_esrgan.ipynb", "out.ipynb", "-p", "run", "a name"]
    job = os.environ | {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_CPUS_PER_TASK": "8"}
    command = ["bash", str(ROOT / "studies" / "slurm" / "lab.sh"), *options]
    done = subprocess.run(command, env=job, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"8 cores: python -m srlab_course.papermill {' '.join(options)}"
