#!/usr/bin/env bash
# Installs packages in a fresh Debian root, draws, and removes them.
#   fresh_root.sh DEB...     needs root and debootstrap; ends with 77 and a reason without them
# The root has nothing but Debian's minbase. Says the seconds from the .deb to the first picture.
set -euo pipefail

[[ $(id -u) -eq 0 ]] || { echo "fresh_root.sh: skipped, not root"; exit 77; }
command -v debootstrap >/dev/null || { echo "fresh_root.sh: skipped, no debootstrap"; exit 77; }

folder=$(mktemp -d)
root=$folder/root
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$folder"' EXIT
debootstrap --variant=minbase bookworm "$root" >"$folder/log" 2>&1 || { tail "$folder/log"; exit 1; }
mount -t proc proc "$root/proc"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
as_user() { chroot --userspec=65534:65534 "$root" env -i /usr/bin/bifrons "$@"; }

mkdir "$root/packages"
cp "$@" "$root/packages"
dpkg --contents "$(ls "$root"/packages/bifrons_*.deb)" >"$folder/contents"
for path in ./usr/bin/bifrons ./usr/share/man/man1/bifrons.1 ./usr/share/doc/bifrons/copyright \
  ./usr/share/bifrons/models/storybook/model.safetensors ./usr/share/zsh/vendor-completions/_bifrons; do
  grep -qE " $path$" "$folder/contents" || { echo "fresh_root.sh: no $path in the package"; exit 1; }
done

begin=$(date +%s.%N)
inside apt-get update -q >"$folder/log" 2>&1
inside apt-get install -y -q --no-install-recommends "/packages/$(basename "$root"/packages/bifrons_*.deb)" \
  >>"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
picture=$(as_user "a fox in the snow" -s 1 -o /tmp/fox.png)
seconds=$(echo "$(date +%s.%N) $begin" | awk '{printf "%.1f", $1 - $2}')
[[ $picture == /tmp/fox.png ]] && head -c 4 "$root/tmp/fox.png" | grep -q PNG
echo "from the .deb to the first picture: $seconds s"

if compgen -G "$root/packages/bifrons-opencv_*.deb" >/dev/null; then
  inside bash -c 'apt-get install -y -q --no-install-recommends /packages/*.deb' \
    >>"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
  [[ $(as_user "a fox" -o /tmp/fox.webp) == /tmp/fox.webp ]]
  ! chroot "$root" ldd /usr/lib/x86_64-linux-gnu/libbifrons.so | grep "not found"
fi

inside apt-get purge -y -q bifrons bifrons-opencv libbifrons-dev >>"$folder/log" 2>&1 ||
  inside apt-get purge -y -q bifrons >>"$folder/log" 2>&1
if find "$root"/usr "$root"/etc "$root"/var/lib/dpkg/info -iname '*bifrons*' | grep .; then
  echo "fresh_root.sh: these files are left"
  exit 1
fi
echo "fresh_root.sh: installed, drew, removed"
