#!/usr/bin/env bash
# Training on several machines under Slurm: one task for each GPU.
#
#   LABELS=/data/labels RECIPE=recipes/datacomp_vit_b16.toml OUT=/data/run sbatch --nodes 8 examples/train_slurm.sh
#   LABELS=… RECIPE=… OUT=… sbatch --nodes 1 examples/train_slurm.sh --set eval.labels=/data/heldout-labels
#
# What stands behind the script's name goes to `catlip train`.
# OUT must be a folder that all machines see. Submit the same again after a failure: the run goes on from its newest
# checkpoint, also on another number of machines.
#SBATCH --job-name=catlip-train
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-task=1
#SBATCH --gpu-bind=none
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --requeue
# Slurm gives SIGTERM five minutes before the end: catlip saves, ends with exit code 130, and the job is requeued. The
# tasks are catlip itself, not torchrun, which would leave it only 30 seconds for that.
#SBATCH --signal=TERM@300
set -uo pipefail

: "${LABELS:?the folder of the label set}"
: "${RECIPE:?a TOML file of recipes/}"
: "${OUT:?the folder of the run}"
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=${MASTER_PORT:-29500}            # any that is free on the first machine
export LABELS RECIPE OUT MASTER_ADDR MASTER_PORT

srun --kill-on-bad-exit=0 --cpus-per-task="$SLURM_CPUS_PER_TASK" bash -c '
  export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS
  export LOCAL_RANK=$SLURM_LOCALID LOCAL_WORLD_SIZE=$SLURM_NTASKS_PER_NODE
  exec catlip train --labels "$LABELS" --recipe "$RECIPE" --out "$OUT" "$@"
' catlip "$@"
code=$?
if [ "$code" = 130 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
