#!/usr/bin/env bash
# Training on several machines without a scheduler: run this on each of them, with its own number.
#
#   HEAD=10.0.0.1 MACHINES=4 NUMBER=0 LABELS=labels RECIPE=recipes/datacomp_vit_h16.toml OUT=/data/run \
#     bash examples/train_machines.sh
#
# HEAD is the address of machine 0. LABELS, the shards and OUT must be the same folders, or buckets, on all of them.
set -euo pipefail

: "${HEAD:?the address of machine 0}"
: "${MACHINES:?how many there are}"
: "${NUMBER:?which one this is, from 0}"
: "${LABELS:?the folder of the label set}"
: "${RECIPE:?a TOML file of recipes/}"
: "${OUT:?the folder of the run}"

# Large encoders: each process keeps a slice of weights, average and moments, and writes its own slices.
torchrun --nnodes "$MACHINES" --node-rank "$NUMBER" --nproc-per-node gpu \
  --master-addr "$HEAD" --master-port "${PORT:-29500}" --no-python \
  catlip train --labels "$LABELS" --recipe "$RECIPE" --out "$OUT" \
  --set distributed.strategy=fsdp --set distributed.sharded_checkpoints=true
