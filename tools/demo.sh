#!/usr/bin/env bash
# From a fresh checkout to a picture: tools/demo.sh "a fox in the snow"
# All arguments go to bifrons. Standard output only has the path of the picture.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/tools/install_deps.sh"

(
  cd "$root"
  cmake --preset release
  cmake --build --preset release --target bifrons --parallel "$(nproc)"
) >&2

if [[ $# -eq 0 ]]; then set -- "a fox in the snow"; fi
exec "$root/build/release/bifrons" "$@"
