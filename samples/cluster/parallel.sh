#!/usr/bin/env bash
# One process a part, as many at once as there are devices; parts that were interrupted are tried again.
set -euo pipefail
parts=${PARTS:-4}
seq 0 $((parts - 1)) |
  parallel --jobs "${JOBS:-2}" --joblog "${LOG:-batch.log}" --retries 3 \
    bifrons batch "${PROMPTS:-prompts.jsonl}" -o "${OUT:-out}" --shard "{}/$parts"
