#!/usr/bin/env bash
# Runs all tests of tests/cuda_on_cpu on the PTX of every architecture, in several orders of warps
# and blocks. Takes hours.
#   tests/ptx/sweep.sh BUILD [SEED...]    BUILD: build/release; seeds: 1 2 3
# Prints the number of kernels that ran on each architecture. Does nothing without nvcc.
set -euo pipefail

folder=$1/tests/ptx
shift
seeds=("$@")
[[ $# -gt 0 ]] || seeds=(1 2 3)
if [[ ! -x $folder/test_ptx ]]; then
  echo "sweep.sh: $folder has no test_ptx: a build without nvcc; nothing to run"
  exit 0
fi
# These tests are about the simulated runtime or about speed, so they are left out.
without='Fibers.*:Launches.*:Faults.*:AsyncDevice.*:Bench.*:ReadBandwidth.*:GemmPlan.*'
without+=':Pdl.EarlyReads*:Pdl.EveryBlock*:Pdl.Errors*'
failed=0
for list in "$folder"/ptx_*.txt; do
  architecture=$(basename "$list" .txt)
  architecture=${architecture#ptx_}
  code=${architecture%a}
  filter="-$without"
  [[ $code -ge 90 ]] || filter+=':Pdl.Autotuner*'  # older code never begins early
  report=$(mktemp)
  for seed in "${seeds[@]}"; do
    echo "== sm_$architecture, seed $seed"
    BIFRONS_PTX=$list BIFRONS_PTX_CODE=$code BIFRONS_PTX_SEED=$seed BIFRONS_PTX_REPORT=$report \
      "$folder/test_ptx" --gtest_brief=1 --gtest_filter="$filter" || failed=1
  done
  all=$(xargs grep -h '\.entry' <"$list" | wc -l)
  echo "sm_$architecture: $(cut -d' ' -f1 "$report" | sort -u | wc -l) of $all kernels ran"
  rm -f "$report"
done
exit $failed
