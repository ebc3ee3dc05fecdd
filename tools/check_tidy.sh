#!/usr/bin/env bash
# Refuses sources in which clang-tidy 16 finds a bug (.clang-tidy lists the checks).
#   tools/check_tidy.sh              every source of the program
#   tools/check_tidy.sh --changed    only those of the last commit, and changes that are not committed
#   tools/check_tidy.sh FILE...      these
# Configures build/tidy. A whole tree takes about 10 minutes on 2 cores.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Older versions do not know std::source_location of libstdc++ 12.
tidy=$(command -v clang-tidy-16 || true)
if [[ -z $tidy ]]; then
  echo "check_tidy.sh: needs clang-tidy 16; run tools/install_deps.sh --tests" >&2
  exit 1
fi

sources=(kernels src vision tools)
if [[ ${1:-} == --changed ]]; then
  base=$(git rev-parse --verify --quiet HEAD~1 || true)
  [[ -n $base ]] || exit 0
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- "${sources[@]/%//*.cpp}")
elif [[ $# -gt 0 ]]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files -- "${sources[@]/%//*.cpp}")
fi

[[ ${#files[@]} -gt 0 ]] || exit 0

# The database of preset release knows only the compilations of several files. Files of other build
# options are in neither: clang-tidy could only guess their flags.
database=build/tidy/compile_commands.json
cmake --preset release -B build/tidy -DCMAKE_UNITY_BUILD=OFF -DBIFRONS_TESTS=OFF >/dev/null
chosen=()
for file in "${files[@]}"; do
  # clang cannot read the omp.h of g++.
  if grep -q "\"file\": \"$PWD/$file\"" "$database" && ! grep -q '<omp.h>' "$file"; then
    chosen+=("$file")
  fi
done
if [[ ${#chosen[@]} -eq 0 ]]; then
  [[ ${1:-} == --changed ]] && exit 0
  echo "check_tidy.sh: the build compiles none of these files" >&2
  exit 1
fi
echo "clang-tidy: ${#chosen[@]} files"
# The database has the flags of g++, of which clang does not know all.
printf '%s\0' "${chosen[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$tidy" --quiet -p build/tidy \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-attributes \
    2> >(grep -v 'warnings generated' >&2)
