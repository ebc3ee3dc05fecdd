#!/usr/bin/env bash
# Builds, tests and measures Bifrons on a machine with only a GPU, a CUDA toolkit, CMake, ninja and
# Python.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'EOF'
usage: tools/gpu_check/run.sh [OPTION]...

Stages, in this order: build, first, pdl-laws, bench-1b, vq, bench-7b, probe, ops, laws, goldens, memcheck, speculate,
no-pdl-7b, no-pdl-1b, bandwidth, peers-1b, peers-7b, racecheck, initcheck, synccheck. What says most comes first, and the
results are written after every stage. The groups tests, sanitize, bench, pdl and peers name several.

  --only LIST       these stages alone (names and groups, with commas)
  --skip LIST       all but these
  --seconds N       stop after N seconds: a stage that has no time left is skipped and said so (default: 700 on a GPU)
  --device NAME     cuda, or cpu to try the script out on small models (default: cuda)
  --preset NAME     CMake preset (default: gpu-minimal; minimal with --device cpu)
  --define X=Y      a CMake variable, e.g. BIFRONS_CUDNN=OFF; may be repeated
  --build DIR       the build directory (default: inside --work); what is built there is not built again
  --work DIR        logs and parts (default: build/gpu_check); runs of one commit that share it add up
  --results DIR     where <gpu>-<date>.json and .md go (default: bench/results); a result of the same commit is added to
  --jobs N          compilers at once (default: all cores)

Exit codes: 0 all that ran passed, 1 a stage failed or ran out of time, 2 usage, 69 no such device or program.
EOF
}

refuse() {  # refuse CODE SENTENCE
  echo "run.sh: $2" >&2
  exit "$1"
}

stages=(build first pdl-laws bench-1b vq bench-7b probe ops laws goldens memcheck speculate no-pdl-7b no-pdl-1b bandwidth
  peers-1b peers-7b racecheck initcheck synccheck)
declare -A groups=([tests]="first pdl-laws ops laws goldens" [sanitize]="memcheck racecheck initcheck synccheck"
  [bench]="bench-1b vq bench-7b probe speculate bandwidth" [pdl]="pdl-laws no-pdl-7b no-pdl-1b" [peers]="peers-1b peers-7b")
# Time limit of each stage in seconds. Those up to memcheck fit in 700 where the build takes no more than 75.
declare -A limits=([build]=300 [first]=90 [pdl-laws]=90 [bench-1b]=70 [vq]=30 [bench-7b]=150 [probe]=60 [ops]=120 [laws]=120
  [goldens]=60 [memcheck]=60 [speculate]=60 [no-pdl-7b]=100 [no-pdl-1b]=60 [bandwidth]=90 [peers-1b]=450 [peers-7b]=560
  [racecheck]=120 [initcheck]=120 [synccheck]=120)

expand() {  # stage and group names, separated by commas -> one name per line
  local name
  for name in ${1//,/ }; do
    if [[ -n ${groups[$name]:-} ]]; then
      tr ' ' '\n' <<<"${groups[$name]}"
    elif [[ -n ${limits[$name]:-} ]]; then
      echo "$name"
    else
      refuse 2 "no stage $name; there are ${stages[*]} and the groups tests, sanitize, bench, pdl, peers"
    fi
  done
}

only="" skip="" seconds="" device=cuda preset="" build="" jobs="" results="$root/bench/results" work="$root/build/gpu_check"
defines=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --only | --skip | --seconds | --device | --preset | --define | --build | --work | --results | --jobs)
      [[ $# -gt 1 ]] || refuse 2 "$1 needs a value"
      case $1 in
        --define) defines+=("-D$2") ;;
        *) printf -v "${1#--}" %s "$2" ;;
      esac
      shift 2 ;;
    *) refuse 2 "no option $1; --help lists them" ;;
  esac
done
[[ $device == cuda || $device == cpu ]] || refuse 2 "--device is cuda or cpu, not $device"
[[ -z $seconds || $seconds =~ ^[1-9][0-9]{0,5}$ ]] || refuse 2 "--seconds is a whole number above 0, not $seconds"
[[ -z $jobs || $jobs =~ ^[1-9][0-9]{0,3}$ ]] || refuse 2 "--jobs is a whole number above 0, not $jobs"
[[ -n $seconds || $device == cpu ]] || seconds=700
if [[ -z $preset ]]; then
  preset=$([[ $device == cuda ]] && echo gpu-minimal || echo minimal)
fi
chosen=$(expand "${only:-$(IFS=,; echo "${stages[*]}")}")
left_out=$([[ -z $skip ]] || expand "$skip")

wanted() { grep -qxF -- "$1" <<<"$chosen" && ! grep -qxF -- "$1" <<<"$left_out"; }

# ---- requirements ----

need() { command -v "$1" >/dev/null || refuse 69 "$1 is not installed: $2"; }
need python3 "it writes the results and runs the peers"
if [[ $device == cuda ]]; then
  need nvidia-smi "this machine has no NVIDIA driver; --device cpu tries the script out"
  grep -q '^GPU ' <<<"$(nvidia-smi -L 2>/dev/null)" || refuse 69 "nvidia-smi finds no GPU; --device cpu tries the script out"
  command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
fi
if wanted build; then
  need cmake "the build needs version 3.25 or newer"
  need ninja "the presets build with it"
  [[ $device == cpu ]] || need nvcc "the CUDA backend needs the CUDA toolkit, 12.4 or newer"
fi

mkdir -p "$work/parts" "$work/logs"
work=$(cd "$work" && pwd)
python3 "$here/report.py" machine "$root" "$device" >"$work/machine.json.part"
if ! python3 "$here/report.py" same "$work/machine.json" "$work/machine.json.part"; then
  rm -f "$work"/parts/*.json  # parts of another commit or device are not valid here
fi
mv "$work/machine.json.part" "$work/machine.json"

# ---- stages, each in a process of its own with a time limit ----

export DEVICE=$device PRESET=$preset WORK=$work BUILD=${build:-$work/$preset} JOBS=${jobs:-$(nproc)}
failures=0 table=""

record() {  # record STAGE OUTCOME SECONDS NOTE FILE
  python3 "$here/report.py" stage "$@" >"$work/parts/$1.json.part"
  mv "$work/parts/$1.json.part" "$work/parts/$1.json"
  echo "run.sh: $1: $2 in $3 s${4:+ ($4)}" >&2
  [[ $2 == passed || $2 == skipped ]] || failures=$((failures + 1))
  table=$(python3 "$here/report.py" write "$work" "$results")  # the machine may be taken away at any time
}

built=yes
for name in "${stages[@]}"; do
  wanted "$name" || continue
  limit=${limits[$name]} start=$SECONDS code=0 note="" result=$work/$name.json log=$work/logs/$name.log
  [[ -z $seconds || $((seconds - SECONDS)) -ge $limit ]] || limit=$((seconds - SECONDS))
  if [[ $limit -lt 10 ]]; then
    record "$name" skipped 0 "no time left: run again with --only $name" ""
    continue
  elif [[ $built == no && $name != peers-* && $name != bandwidth ]]; then
    record "$name" skipped 0 "nothing was built" ""
    continue
  fi
  rm -f "$result"
  LIMIT=$limit RESULT=$result timeout --kill-after=10 "$limit" \
    bash "$here/stage.sh" "$name" "${defines[@]}" >"$log" 2>&1 || code=$?
  case $code in
    0) outcome=passed ;;
    77) outcome=skipped note=$(tail -n 1 "$log") ;;
    124 | 137) outcome="timed out" note="stopped after $limit s" ;;
    *) outcome=failed note="exit $code: $(tail -n 1 "$log" | cut -c 1-160)" ;;
  esac
  [[ $outcome == passed || $outcome == skipped ]] || tail -n 20 "$log" | sed 's/^/    /' >&2
  [[ $name != build || $outcome == passed ]] || built=no
  record "$name" "$outcome" $((SECONDS - start)) "$note" "$result"
done

[[ -n $table ]] || table=$(python3 "$here/report.py" write "$work" "$results")
cat "$table"
echo "run.sh: wrote $table and ${table%.md}.json" >&2
[[ $failures -eq 0 ]]
