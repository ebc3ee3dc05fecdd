#!/usr/bin/env bash
# Unpacks Debian packages into a folder, with those dependencies that this machine lacks. Nothing is
# installed.
#
# usage: packages.sh FOLDER PACKAGE...    exit 77 with the reason if they are not available
set -euo pipefail

folder=$1
shift
[[ -f $folder/unpacked && $(cat "$folder/unpacked") == "$*" ]] && exit 0

skip() {
  echo "packages.sh: $*" >&2
  exit 77
}

[[ -n $(command -v apt-get) && -n $(command -v dpkg-deb) ]] || skip "no Debian packages without apt-get and dpkg-deb"
missing() { apt-get -s install --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'; }
if ! names=$(missing "$@"); then
  [[ $(id -u) == 0 ]] || skip "apt knows no $*: its lists may be empty (apt-get update)"
  apt-get update -q >/dev/null 2>&1 || skip "apt-get update failed: no network?"
  names=$(missing "$@") || skip "apt has no way to install $*"
fi

rm -rf "$folder"
mkdir -p "$folder/debs"
if [[ -n $names ]]; then
  # As root, apt would warn that its own user cannot write here.
  (cd "$folder/debs" && xargs apt-get -o APT::Sandbox::User=root download >download.log 2>&1 <<<"$names") ||
    skip "cannot download $*: $(tail -n 1 "$folder/debs/download.log")"
  for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder"; done
fi
rm -rf "$folder/debs"
echo "$*" >"$folder/unpacked"
