#!/usr/bin/env bash
# Builds the release preset and runs all tests. The last lines are the output of ctest.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/install_deps.sh --tests

# Machine code for one GPU takes a third of the time; tools/test_all.sh compiles for all of them.
card=90a-real
if command -v nvidia-smi >/dev/null; then card=native; fi

# Warnings are errors here, and only here: newer compilers warn of more.
cmake --preset release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "-DCMAKE_CUDA_ARCHITECTURES=$card"
cmake --build --preset release --parallel 2

bash tools/check_format.sh
bash tools/check_tidy.sh --changed
if command -v python3 >/dev/null && [[ -f tools/check_layers.py ]]; then
  python3 tools/check_layers.py
fi
ctest --preset release --parallel 2
