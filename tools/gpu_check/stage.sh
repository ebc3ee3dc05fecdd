#!/usr/bin/env bash
# Runs one stage of run.sh, which sets DEVICE, PRESET, WORK, BUILD, JOBS, LIMIT and RESULT. Exit
# code 77 means skipped, with the reason in the last line. Exit code 69 of the program (cuDNN cannot
# be used, no code for this GPU) is a failure, except if a benchmark's shape does not fit on the
# GPU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
name=$1
shift
export CUDA_DEVICE_ORDER=PCI_BUS_ID  # the order of nvidia-smi

prebuilt() {  # uses the programs that pack.sh --build put in, if they start here and have code for the GPU
  [[ $DEVICE == cuda && -x $root/prebuilt/bifrons ]] || return 1
  if ! "$root/prebuilt/bifrons" devices | tee /dev/stderr | grep -E '^cuda:[0-9]' | grep -qv 'cannot be used'; then
    echo "the packed programs cannot be used here: building"
    return 1
  fi
  mkdir -p "$BUILD"
  cp -a "$root/prebuilt/." "$BUILD/"
}

build() {  # build [-DX=Y]...
  [[ $# -gt 0 ]] || ! prebuilt || return 0
  local prefix=$WORK/third_party prefixes cudnn card
  if [[ -d $root/third_party && ! -f $prefix/built ]]; then
    cmake -S "$root/third_party/googletest" -B "$WORK/googletest" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
    cmake --build "$WORK/googletest" --parallel "$JOBS" --target install
    touch "$prefix/built"
  fi
  prefixes="$prefix;$root/third_party"
  # The wheels of PyTorch contain cuDNN as a Python package.
  cudnn=$(python3 -c 'import nvidia.cudnn as c; print(list(c.__path__)[0])' 2>/dev/null || true)
  card=$([[ $DEVICE == cpu ]] || nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
  # A toolkit older than the GPU has no native code for it, only PTX that the driver compiles.
  [[ -z $card ]] || nvcc --list-gpu-code | grep -qx "sm_$card" || card=
  [[ $card != 90 ]] || card=90a  # with the instructions that only this GPU has
  cd "$root"
  cmake --preset "$PRESET" -B "$BUILD" -DCMAKE_PREFIX_PATH="$prefixes${cudnn:+;$cudnn}" \
    ${card:+"-DCMAKE_CUDA_ARCHITECTURES=$card-real"} "$@"
  local tests=(test_cuda gpu_probe)
  [[ $DEVICE == cuda ]] || tests=(test_kernels test_model)
  cmake --build "$BUILD" --parallel "$JOBS" --target bifrons "${tests[@]}"
}

# gtest PROGRAM FILTER: runs the matching tests that hold for every backend; fails if none ran
gtest() {
  local program=tests/cuda/test_cuda
  [[ $DEVICE == cuda ]] || program=$1
  "$BUILD/$program" --gtest_brief=1 --gtest_filter="$2" --gtest_output="json:$RESULT"
  python3 "$here/report.py" ran "$RESULT"
}

sanitize() {  # sanitize TOOL: draws and decodes pictures of two small models with this tool, once with windows of drafts
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; exit 77; }
  # Only our kernels are checked, not those of cuDNN. cuDNN also makes API calls that may fail.
  local options=(--tool "$1" --error-exitcode 99 --kernel-regex kns=bifrons)
  [[ $1 != memcheck ]] || options+=(--report-api-errors no)
  local draws=("toy-hf off" "grouped-query off" "toy-hf 4") model width
  for draw in "${draws[@]}"; do
    read -r model width <<<"$draw"
    compute-sanitizer "${options[@]}" "$BUILD/bifrons" generate --device "$DEVICE" --quiet --speculate "$width" \
      -m "$root/tests/golden/models/$model" -s 1 -c 2 -o "$WORK/drawn-under-$1/" "a fox"
  done
}

# bench SHAPE ARGUMENTS...: stops in time to write its rows; on a CPU it uses a small model
bench() {
  local place=(--device "$DEVICE" --shape "$1" --seconds $((LIMIT * 4 / 5)))
  [[ $DEVICE == cuda ]] || place=(-m "$root/tests/golden/models/toy-hf" --repeats 3 --whole)
  local code=0 log=$WORK/bench.log
  "$BUILD/bifrons" bench "${place[@]}" --json "${@:2}" >"$RESULT" 2>"$log" || code=$?
  cat "$log" >&2
  # Skipped: the shape does not fit on the GPU, or loading took all of the time.
  [[ $code -ne 69 ]] || ! grep -qE 'not enough memory on the GPU: [0-9]+ more bytes|no time left' "$log" || exit 77
  return "$code"
}

probe() {
  [[ $DEVICE == cuda ]] || { echo "there is no GPU to ask"; exit 77; }
  "$BUILD/tools/gpu_check/gpu_probe" "$RESULT"
}

peers() {  # peers SHAPE: the same for peers.py
  local place=(--shape "$1" --seconds $((LIMIT * 4 / 5)))
  [[ $DEVICE == cuda ]] || place=(--shape tiny --device cpu --repeats 1 --pictures 1 --prompt 9)
  peers_py "${place[@]}"
}

peers_py() {  # skipped without PyTorch or transformers
  local code=0
  python3 -u "$here/peers.py" "$@" -o "$RESULT" || code=$?
  [[ $code -ne 69 ]] || exit 77
  return "$code"
}

case $name in
  build) build "$@" ;;
  ops) gtest tests/kernels/test_kernels '-*Law*:*Golden*' ;;
  laws) gtest tests/kernels/test_kernels '*Law*' ;;
  goldens) gtest tests/model/test_model '*Golden*' ;;
  memcheck | racecheck | initcheck | synccheck) sanitize "$name" ;;
  bandwidth) peers_py --bandwidth --device "$DEVICE" ;;
  first) gtest tests/kernels/test_kernels '*Golden*:*Fused*:CapturedStep*:*LibraryConvolution*:*Pages*:*Windows*' ;;
  bench-1b) bench janus-pro-1b --only draw --pictures 1,16,64 ;;
  bench-7b) bench janus-pro-7b --only draw --pictures 1,16,64 ;;
  probe) probe ;;
  vq) bench janus-pro-1b --only vq ;;
  speculate) bench janus-pro-1b --only speculate ;;
  pdl-laws) BIFRONS_PDL=1 gtest tests/kernels/test_kernels '*Law*:*Fused*:*Windows*:*ColumnClause*:CapturedStep*' ;;
  no-pdl-1b) BIFRONS_PDL=0 bench janus-pro-1b --only draw --pictures 1 --pictures 4 ;;
  no-pdl-7b) BIFRONS_PDL=0 bench janus-pro-7b --only draw --pictures 1 --pictures 4 ;;
  peers-1b) peers janus-pro-1b ;;
  peers-7b) peers janus-pro-7b ;;
  *) echo "stage.sh: no stage $name" >&2; exit 2 ;;
esac
