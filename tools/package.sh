#!/usr/bin/env bash
# Makes the packages: build/package/*.deb and a .tar.gz that runs where it is unpacked. Prints their
# paths. Arguments go to cmake, such as -DBIFRONS_CUDA=ON -DBIFRONS_CUDNN=OFF for GPUs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/install_deps.sh --package

(
  cmake --preset package "$@"
  cmake --build --preset package --parallel "$(nproc)"
  cd build/package
  rm -f ./*.deb ./*.tar.gz
  cpack --config CPackConfig.cmake
) >&2
ls -1 "$PWD"/build/package/*.deb "$PWD"/build/package/*.tar.gz
