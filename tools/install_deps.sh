#!/usr/bin/env bash
# Installs the packages for the build on Debian 12 or Ubuntu 24.04. Silent if all are installed.
#   --tests   also packages that only tests need; without them, tests are skipped with a reason
#   --package also what tools/package.sh needs
#   --all     also what only tools/test_all.sh needs
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libopencv-dev libstb-dev libcli11-dev
  nlohmann-json3-dev libfmt-dev zlib1g-dev libgtest-dev libdnnl-dev libedit-dev
  libfreetype-dev libharfbuzz-dev libfribidi-dev libcurl4-openssl-dev
  python3 strace  # tests of layers, and of batches interrupted at every system call
  ocl-icd-opencl-dev)  # libdnnl-dev's CMake file needs OpenCL, but its package does not depend on it

if [[ ${1:-} == --tests || ${1:-} == --all ]]; then
  packages+=(clang-format-14 clang-tidy-16  # the versions that tools/check_format.sh and check_tidy.sh take
    fonts-dejavu-core)  # a font with many glyphs, for the readers of fonts
fi
if [[ ${1:-} == --package || ${1:-} == --all ]]; then
  packages+=(dpkg-dev file)  # CPack finds a package's dependencies with them
fi
if [[ ${1:-} == --all ]]; then
  packages+=(clang-16 libclang-rt-16-dev)
fi
# On Ubuntu, Chromium is only available as a snap.
if [[ ${1:-} == --tests || ${1:-} == --all ]] && grep -qx 'ID=debian' /etc/os-release; then
  packages+=(chromium chromium-driver)  # test of the gallery in a browser
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_deps.sh: missing packages: ${missing[*]}; run this as root, or install sudo" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
