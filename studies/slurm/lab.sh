#!/usr/bin/env bash
# Train a lab on a GPU under Slurm. Run this from the course folder, which must be on a disk that the machines share.
# Options of sbatch come before the file:
#     sbatch --time 8:00:00 studies/slurm/lab.sh notebooks/04_esrgan.ipynb out.ipynb -p run long
# To resume a job that reached its time limit, run the same command again; --signal lets it save before that, and the
# launcher waits for it. Slurm requeues a preempted job (--requeue), which then resumes automatically.
#SBATCH --job-name=srlab
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --output=slurm-%j.txt
#SBATCH --open-mode=append
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this file with sbatch}"
source .venv/bin/activate
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"  # Slurm 22.05 to 23.02 would pass on only one core
srun python -m srlab_course.papermill "$@"
