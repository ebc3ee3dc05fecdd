#!/usr/bin/env bash
# Makes a folder to copy to a bare GPU machine: this tree, and the libraries it needs from installed
# Debian packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
most_megabytes=60
packages=(libcli11-dev nlohmann-json3-dev libfmt-dev libstb-dev googletest zlib1g-dev)

usage() {
  cat <<'EOF'
usage: tools/gpu_check/pack.sh [--build DIR] FOLDER

Writes FOLDER (new, or made by this script before): the files git knows and those it does not ignore, without samples/, and
third_party/ with the headers and sources of CLI11, nlohmann-json, fmt, stb, GoogleTest and zlib. --build: also the programs of this
build directory (preset gpu-minimal), without symbols; run.sh uses them where they start and the driver has code for the GPU, and
builds otherwise. Then, on the machine with the GPU:

  FOLDER/tools/gpu_check/run.sh

The machine needs the same processor family as this one (zlib comes as a static library), a CUDA toolkit, CMake, ninja,
a C++20 compiler and Python 3; PyTorch and transformers for the peers. No network.
EOF
}

refuse() {  # refuse CODE SENTENCE
  echo "pack.sh: $2" >&2
  exit "$1"
}

build=""
if [[ ${1:-} == --build ]]; then
  [[ $# -gt 1 ]] || refuse 2 "--build needs a directory"
  build=$2
  shift 2
fi
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  "" | -*) usage >&2; exit 2 ;;
esac
[[ $# -eq 1 ]] || refuse 2 "one folder at a time, not $*"
folder=$1
[[ ! -e $folder || -f $folder/PACKED || (-d $folder && -z $(ls -A "$folder")) ]] ||
  refuse 73 "$folder is there already and was not made by this script"
commit=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null) || refuse 66 "$root is no git checkout"
[[ -z $(git -C "$root" status --porcelain) ]] || commit+=+changes
for package in "${packages[@]}"; do
  dpkg -L "$package" >/dev/null 2>&1 || refuse 69 "$package is not installed: run tools/install_deps.sh"
done

# The folder is built under a temporary name and renamed at the end.
mkdir -p "$(dirname "$folder")"
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"

# Without samples: they are most of the tree, and nothing there needs them.
git -C "$root" ls-files -z --cached --others --exclude-standard -- . ':!samples' |
  while IFS= read -r -d '' file; do [[ ! -e $root/$file ]] || printf '%s\0' "$file"; done |
  tar -C "$root" --null --files-from - -cf - | tar -xf - -C "$new"

third=$new/third_party
mkdir -p "$third/licences"
# /usr/include with or without the architecture's folder, and CMake files that do not refer to a
# shared library.
dpkg -L "${packages[@]}" |
  grep -E '^/usr/(include/|share/cmake/|src/googletest/|lib/[^/]+/libz\.a$)' |
  while IFS= read -r path; do [[ ! -f $path ]] || printf '%s\0' "$path"; done |
  tar --null --files-from - -P -h -cf - --transform \
    's,^/usr/include/[^/]*-linux-gnu/,include/,;s,^/usr/lib/[^/]*/,lib/,;s,^/usr/src/,,;s,^/usr/,,' |
  tar -xf - -C "$third"
for package in "${packages[@]}"; do cp "/usr/share/doc/$package/copyright" "$third/licences/$package"; done

if [[ -n $build ]]; then
  for program in bifrons tests/cuda/test_cuda tools/gpu_check/gpu_probe; do
    [[ -x $build/$program ]] || refuse 66 "$build has no $program: build the targets bifrons, test_cuda and gpu_probe there"
    mkdir -p "$(dirname "$new/prebuilt/$program")"
    strip -o "$new/prebuilt/$program" "$build/$program"
  done
fi

# Debian's CMake file of fmt refers to a shared library; this one uses the headers only.
fmt=$(sed -n 's/^#define FMT_VERSION \([0-9]*\)$/\1/p' "$third"/include/fmt/*.h)
mkdir "$third/share/cmake/fmt"
cat >"$third/share/cmake/fmt/fmt-config.cmake" <<EOF
# fmt, header-only.
set(fmt_VERSION $((fmt / 10000)).$((fmt / 100 % 100)).$((fmt % 100)))
if(NOT TARGET fmt::fmt)
  add_library(fmt::fmt INTERFACE IMPORTED)
  set_target_properties(fmt::fmt PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "\${CMAKE_CURRENT_LIST_DIR}/../../../include"
    INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1)
endif()
EOF

{
  echo "$commit $(date -u +%Y-%m-%dT%H:%MZ) $(uname -m)"
  dpkg-query -W -f '${Package} ${Version}\n' "${packages[@]}"
} >"$new/PACKED"

size=$(($(du -s --apparent-size --block-size=1000 "$new" | cut -f 1) / 1000))
if [[ $size -ge $most_megabytes ]]; then
  biggest=$(cd "$new" && du -a --apparent-size --block-size=MB . | sort -rn | sed -n '2,5p' | tr '\t\n' ' ;')
  refuse 1 "$size MB are more than a folder may have ($most_megabytes): $biggest"
fi
rm -rf "$folder"
mv "$new" "$folder"
trap - EXIT
echo "pack.sh: $folder, $size MB, commit $commit" >&2
