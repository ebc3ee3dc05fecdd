#!/usr/bin/env bash
# Builds the wheel of tools/python from a build, installs it into a fresh virtual environment, and
# runs tests/install/python_package.py there.
#   test_python.sh BUILD_DIRECTORY    ends with 77 and a reason where pip cannot give numpy
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" >"$folder/log" 2>&1 || { echo "test_python.sh: skipped, no venv"; exit 77; }
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install -q numpy pillow setuptools wheel >>"$folder/log" 2>&1 ||
  { tail -1 "$folder/log"; echo "test_python.sh: skipped, pip cannot install numpy"; exit 77; }

cp -r "$root/tools/python" "$folder/package"  # setuptools writes beside the sources
BIFRONS_BUILD=$build pip wheel -q --no-build-isolation --no-deps -w "$folder/wheels" "$folder/package"
[[ $(ls "$folder/wheels") == bifrons-*-py3-none-linux_*.whl ]] || { ls "$folder/wheels"; exit 1; }
pip install -q --no-index "$folder"/wheels/*.whl
rm -r "$folder/package"
cd "$folder"
env -u BIFRONS_MODEL BIFRONS_PROGRAM="$build/bifrons" \
  "$folder/venv/bin/python" "$root/tests/install/python_package.py"
