#!/usr/bin/env bash
# Runs all tests of tests/cuda_on_cpu on the PTX of every architecture, in several orders of warps
# and blocks. Takes hours; its parts can run at different times, or on several machines.
#   tests/ptx/sweep.sh BUILD [OPTION...] [SEED...]    BUILD: build/release; seeds: 1 2 3
#     --part K/N            only part K of N, from 1 on: about every N-th test
#     --architecture A      only this one, such as 80 or 90a
#     --filter PATTERNS     only these tests (as in --gtest_filter, without "-")
#     --kernels FOLDER      keep the names of the kernels that ran there, and count those of earlier
#                           parts too
# Prints the number of kernels that ran on each architecture. Does nothing without nvcc.
set -euo pipefail

usage() {
  echo "sweep.sh: $1" >&2
  sed -n '4,9s/^# *//p' "$0" >&2
  exit 64
}

part=1/1 only='' wanted='*' kernels='' seeds=()
[[ $# -gt 0 ]] || usage "BUILD is missing"
folder=$1/tests/ptx
shift
while [[ $# -gt 0 ]]; do
  case $1 in
    --part | --architecture | --filter | --kernels)
      [[ $# -gt 1 ]] || usage "$1 needs a value" ;;&
    --part) part=$2 && shift ;;
    --architecture) only=$2 && shift ;;
    --filter) wanted=$2 && shift ;;
    --kernels) kernels=$2 && shift ;;
    *) [[ $1 =~ ^[0-9]+$ ]] || usage "$1 is neither an option nor a seed"
      seeds+=("$1") ;;
  esac
  shift
done
[[ ${#seeds[@]} -gt 0 ]] || seeds=(1 2 3)
k=0 n=0
if [[ $part =~ ^([0-9]+)/([0-9]+)$ ]]; then
  k=$((10#${BASH_REMATCH[1]})) n=$((10#${BASH_REMATCH[2]}))
fi
[[ $k -ge 1 && $k -le $n ]] || usage "--part is $part; it must be from 1/N to N/N"
[[ $wanted != *-* ]] || usage "--filter has a \"-\""
if [[ ! -x $folder/test_ptx ]]; then
  echo "sweep.sh: $folder has no test_ptx: a build without nvcc; nothing to run"
  exit 0
fi
if [[ -n $only && ! -f $folder/ptx_$only.txt ]]; then
  usage "this build has no PTX of $only"
fi
if [[ -n $kernels ]]; then
  mkdir -p "$kernels"
else
  kernels=$(mktemp -d)
  trap 'rm -rf "$kernels"' EXIT
fi
# These tests are about the simulated runtime or about speed, so they are left out.
without='Fibers.*:Launches.*:Faults.*:AsyncDevice.*:Bench.*:ReadBandwidth.*:GemmPlan.*'
without+=':Pdl.EarlyReads*:Pdl.EveryBlock*:Pdl.Errors*'
failed=0
for list in "$folder"/ptx_*.txt; do
  architecture=$(basename "$list" .txt)
  architecture=${architecture#ptx_}
  [[ -z $only || $architecture == "$only" ]] || continue
  code=${architecture%a}
  filter="$wanted-$without"
  [[ $code -ge 90 ]] || filter+=':Pdl.Autotuner*'  # older code never begins early
  report=$kernels/$architecture
  touch "$report"
  for seed in "${seeds[@]}"; do
    echo "== sm_$architecture, seed $seed, part $k of $n"
    BIFRONS_PTX=$list BIFRONS_PTX_CODE=$code BIFRONS_PTX_SEED=$seed BIFRONS_PTX_REPORT=$report \
      GTEST_TOTAL_SHARDS=$n GTEST_SHARD_INDEX=$((k - 1)) \
      "$folder/test_ptx" --gtest_brief=1 --gtest_filter="$filter" || failed=1
  done
  all=$(xargs grep -h '\.entry' <"$list" | wc -l)
  echo "sm_$architecture: $(cut -d' ' -f1 "$report" | sort -u | wc -l) of $all kernels ran"
done
exit $failed
