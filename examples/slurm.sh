#!/usr/bin/env bash
# Labels a corpus as a job array: one slice a task, then one small job that makes the label set.
#
#   SOURCES='/data/datacomp/{00000000..00128114}.tar' OUT=/data/labels bash slurm.sh
#
# The folder OUT is on a file system that all nodes share, or in an object store. Run the same line again after a failure:
# what is done stays done, so tasks that have nothing left end within seconds. Before the first time, run `catlip labels setup`
# where there is a network, with CATLIP_CACHE_DIR in a folder that all nodes share. CC3M needs no array: TASKS=1.
set -euo pipefail

: "${SOURCES:?the tars, a brace range or a glob, in quotes}"
: "${OUT:?the folder of the label set}"
TASKS=${TASKS:-200}            # jobs of the array
CORES=${CORES:-16}             # of each job
HOURS=${HOURS:-12}             # of each job; one that is cut off goes on when it is requeued
THRESHOLD=${THRESHOLD:-500}
export SOURCES OUT TASKS CORES THRESHOLD

# Slurm gives SIGTERM two minutes before the end: catlip then ends cleanly (exit 143), and the task is requeued.
array=$(sbatch --parsable --array="0-$((TASKS - 1))" --cpus-per-task="$CORES" --mem-per-cpu=1500M \
  --time="$HOURS:00:00" --signal=TERM@120 --requeue --job-name=catlip-labels <<'SLICE'
#!/usr/bin/env bash
srun --cpus-per-task="$CORES" catlip labels build "$SOURCES" --out "$OUT" --threshold "$THRESHOLD" \
  --workers "$CORES" --slice "$SLURM_ARRAY_TASK_ID/$TASKS"
code=$?
if [ "$code" = 143 ]; then scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"; fi
# 3: some tars could not be read; they are listed in the label set. The others are done.
if [ "$code" = 3 ]; then exit 0; fi
exit "$code"
SLICE
)

sbatch --dependency="afterok:$array" --kill-on-invalid-dep=yes --cpus-per-task=1 --mem=4G --time=12:00:00 --job-name=catlip-finish <<'FINISH'
#!/usr/bin/env bash
catlip labels finish "$OUT" && catlip labels verify "$OUT"
FINISH
