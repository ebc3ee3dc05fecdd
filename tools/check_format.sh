#!/usr/bin/env bash
# Checks the format of C++ and CUDA files with clang-format 14.
#   --fix   rewrites them
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# One version, because others break lines differently.
format=$(command -v clang-format-14 || command -v clang-format || true)
if [[ -z $format || $("$format" --version) != *' version 14.'* ]]; then
  echo "check_format.sh: needs clang-format 14; run tools/install_deps.sh --tests" >&2
  exit 1
fi

files() {
  # Without git, all files in the tree are sources.
  git ls-files -z -- '*.h' '*.cpp' '*.cu' 2>/dev/null ||
    find kernels src vision tools tests samples -name '*.h' -print0 -o -name '*.cpp' -print0 -o -name '*.cu' -print0
}
if [[ ${1:-} == --fix ]]; then
  files | xargs -0 "$format" -i
else
  files | xargs -0 "$format" --dry-run --Werror || {
    echo "check_format.sh: tools/check_format.sh --fix writes them as they should be" >&2
    exit 1
  }
fi
