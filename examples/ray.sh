#!/usr/bin/env bash
# Labels a corpus on a Ray cluster that is there already; without RAY_ADDRESS, on one that catlip starts on this machine.
#
#   RAY_ADDRESS=head.example:6379 SOURCES='s3://bucket/datacomp/*.tar' OUT=s3://bucket/labels bash ray.sh
#
# Every node has `pip install 'catlip[labels,ray,s3]'` and `catlip labels setup`; a node with other versions is refused.
set -euo pipefail

: "${SOURCES:?the tars, in quotes}"
: "${OUT:?the folder of the label set, which all nodes reach}"

catlip labels build "$SOURCES" --out "$OUT" --threshold "${THRESHOLD:-500}" --engine ray
