#!/usr/bin/env bash
# From a fresh checkout to a picture: tools/demo.sh "a fox in the snow"
# All arguments go to bifrons. Standard output only has the path of the picture.
# It builds the preset demo, with few packages: PNG and JPEG only, no downloads.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/tools/install_deps.sh" --demo

(
  cd "$root"
  cmake --preset demo
  cmake --build --preset demo --target bifrons --parallel "$(nproc)"
) >&2

if [[ $# -eq 0 ]]; then set -- "a fox in the snow"; fi
exec "$root/build/demo/bifrons" "$@"
