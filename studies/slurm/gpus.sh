#!/usr/bin/env bash
# Train a lab on all GPUs of one machine, or of several, under Slurm. Run this from the course folder, which must be on a
# disk that the machines share. Options of sbatch come before the file:
#     sbatch --nodes 2 --gpus-per-node 8 studies/slurm/gpus.sh notebooks/04_esrgan.ipynb out.ipynb -p run long
# To resume a job that reached its time limit, run the same command again, with as many GPUs as you like; --signal lets
# it save before that. Slurm requeues a preempted job (--requeue), which then resumes automatically.
#SBATCH --job-name=srlab
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --output=slurm-%j.txt
#SBATCH --open-mode=append
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this file with sbatch}"
source .venv/bin/activate
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"  # Slurm 22.05 to 23.02 would pass on only one core
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=150  # seconds to save after SIGTERM; older versions of torchrun always wait 30
# Slurm runs this file on the first machine, where all of them meet. Each torchrun starts a process for each of its GPUs.
srun --kill-on-bad-exit=1 torchrun --nnodes "$SLURM_NNODES" --nproc-per-node gpu \
    --rdzv-backend c10d --rdzv-endpoint "$(hostname):$((20000 + SLURM_JOB_ID % 10000))" --rdzv-id "$SLURM_JOB_ID" \
    -m srlab_course.papermill "$@"
