#!/usr/bin/env bash
# Runs a command with GNU parallel on the PATH.   usage: with_parallel.sh PACKAGES COMMAND...
set -euo pipefail

packages=$1
shift
if ! parallel --version 2>/dev/null | grep -q '^GNU parallel'; then
  bash "$(dirname "${BASH_SOURCE[0]}")/packages.sh" "$packages" parallel
  PATH=$(cd "$packages" && pwd)/usr/bin:$PATH
fi
exec "$@"
