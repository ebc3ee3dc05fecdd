#!/usr/bin/env bash
# Fails if a kernel that drawing or replying can launch was not run on PTX.
#   tests/ptx/coverage.sh LIST NOT_DRAWN REPORT...
# LIST: paths of the PTX files; NOT_DRAWN: patterns of kernels that neither launches; REPORT: files
# that test_ptx wrote (BIFRONS_PTX_REPORT).
set -euo pipefail

list=$1 not_drawn=$2
shift 2
all=$(xargs sed -n 's/.*\.entry \([A-Za-z0-9_]*\).*/\1/p' <"$list" | sort -u)
patterns=$(grep -v '^#' "$not_drawn")
while IFS= read -r pattern; do
  grep -qE -- "$pattern" <<<"$all" || { echo "coverage.sh: no kernel matches $pattern"; exit 1; }
done <<<"$patterns"
needed=$(grep -vE -f <(echo "$patterns") <<<"$all")
ran=$(cut -d' ' -f1 "$@" | sort -u)
missing=$(comm -23 <(echo "$needed") <(echo "$ran"))
echo "coverage.sh: $(comm -12 <(echo "$needed") <(echo "$ran") | wc -l) of $(wc -l <<<"$needed") kernels that drawing or replying launches ran"
[[ -z $missing ]] || { echo "not run:"; (command -v c++filt >/dev/null && c++filt || cat) <<<"$missing"; exit 1; }
