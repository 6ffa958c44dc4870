#!/usr/bin/env bash
# A lab on all GPUs of one or several machines under Slurm. From the folder of the course, which is on a disk that all of
# them share, and with options of sbatch in front of the file:
#     sbatch --nodes 2 --gpus-per-node 4 studies/slurm/lab.sh notebooks/04_esrgan.ipynb out.ipynb -p run long
# A job that was cut off by its time limit goes on when the same line is given again; --signal lets it save before. One
# that had to make way is queued again by Slurm (--requeue), and goes on by itself.
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
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((10000 + SLURM_JOB_ID % 20000))  # jobs that share a machine have different ones
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node gpu --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-endpoint "$first:$port" -m srlab.course.execute "$@"
