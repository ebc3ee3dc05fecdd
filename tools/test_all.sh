#!/usr/bin/env bash
# The long test run: tools/test.sh, then all other configurations, and each fuzzer for a minute.
#   tools/test_all.sh [STAGE...]    stages: test long ptx cuda tidy odr debug asan tsan minimal clang
#                            fuzz package; default all
# Ends at the first stage that fails. BIFRONS_FUZZ_SECONDS=N runs each fuzzer for N seconds (60).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
stages=("$@")
[[ $# -gt 0 ]] || stages=(test long ptx cuda tidy odr debug asan tsan minimal clang fuzz package)

# Builds and tests a preset of CMakePresets.json; more arguments are for CMake.
tested() {
  cmake --preset "$@" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
  cmake --build --preset "$1" --parallel 2
  ctest --preset "$1" --parallel 2
}

# Runs a test that ends with 77 where the machine lacks something; it says what.
skippable() {
  "$@" || [[ $? -eq 77 ]]
}

for stage in "${stages[@]}"; do
  echo "== $stage"
  case $stage in
    test) bash tools/test.sh ;;
    long) ctest --test-dir build/release --label-regex '^long$' --parallel 2 --output-on-failure ;;
    ptx)  # other orders of warps and blocks; tests/ptx/sweep.sh has all cases and takes hours
      for seed in 2 3; do
        BIFRONS_PTX_SEED=$seed ctest --test-dir build/release --tests-regex '^ptx\.' --parallel 2 \
          --output-on-failure
      done
      ;;
    tidy) bash tools/check_tidy.sh ;;
    odr)  # two types or functions of one name: the linker sees all of them only with LTO
      cmake --preset odr
      cmake --build --preset odr --parallel 2 --target bifrons
      ;;
    cuda)  # machine code for all GPUs of the default build; the stage test has one
      cmake --preset release -B build/cuda -DBIFRONS_TESTS=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
      cmake --build build/cuda --parallel 2 --target bifrons
      ;;
    debug) tested debug -DBIFRONS_CUDA=OFF ;;  # nvcc compiles the same kernels in the others
    asan | tsan | minimal) tested "$stage" ;;
    clang)
      bash tools/install_deps.sh --all
      tested clang
      ;;
    fuzz)  # the fuzz entries of the asan build, for a time and not a number of runs
      cmake --preset asan
      cmake --build --preset asan --parallel 2
      BIFRONS_FUZZ_SECONDS=${BIFRONS_FUZZ_SECONDS:-60} ctest --preset asan --tests-regex '^fuzz\.'
      ;;
    package)  # the packages in a fresh root
      bash tools/package.sh -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
      skippable bash tests/install/fresh_root.sh build/package/*.deb
      skippable bash tests/install/test_python.sh build/package
      ;;
    *)
      echo "test_all.sh: no stage $stage" >&2
      exit 2
      ;;
  esac
done
echo "test_all.sh: ${stages[*]}: passed"
