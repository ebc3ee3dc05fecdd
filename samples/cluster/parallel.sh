#!/usr/bin/env bash
# Runs a batch on every GPU of one machine through GNU parallel, into one folder. After a stop, the
# same call continues the batch:
#   samples/cluster/parallel.sh 4 prompts.jsonl -o pictures/ && bifrons merge pictures/
set -euo pipefail

gpus=$1
shift
parallel --quote --jobs "$gpus" \
  env CUDA_VISIBLE_DEVICES={} bifrons batch "$@" --shard "{}/$gpus" ::: $(seq 0 $((gpus - 1)))
