# Sourced: makes an image out of this machine's programs and libraries, since nothing is downloaded in tests. Fill $tree, end with write_image.
# shellcheck shell=sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
umask 022
tree=$work/tree
mkdir "$tree"

# add PROGRAM DIR: with what it is linked to, at the same place as here. It is asked itself: ldd knows only the system's own loader.
add() {
  mkdir -p "$tree$2"
  cp -L "$1" "$tree$2"
  LD_TRACE_LOADED_OBJECTS=1 "$1" | sed -n 's|^\t\(.* => \)\{0,1\}\(/.*\) (0x[0-9a-f]*)$|\2|p' | while read -r library; do
    [ ! -e "$tree$library" ] || continue
    mkdir -p "$tree${library%/*}"
    cp -L "$library" "$tree$library"
  done
}

# add_busybox: the directories of a system, and busybox with its applets where what was added before left them free.
add_busybox() {
  for dir in dev etc proc root run sys tmp usr/bin usr/sbin var; do mkdir -p "$tree/$dir"; done
  chmod 1777 "$tree/tmp"
  ln -s ../run "$tree/var/run"
  add "$(command -v busybox)" /bin
  busybox --list-full | grep / | while read -r applet; do
    mkdir -p "$tree/${applet%/*}"
    [ -e "$tree/$applet" ] || ln -s /bin/busybox "$tree/$applet"
  done
  printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/:/sbin/nologin >"$tree/etc/passwd"
  printf '%s\n' root:x:0: nobody:x:65534: >"$tree/etc/group"
  printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$tree/etc/nsswitch.conf"
}

# write_image TAG CONFIG FILE: an archive that both `docker load` and `ctr images import` read. CONFIG is the image's, in JSON.
write_image() {
  case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=amd64 ;; esac
  tar -C "$tree" --numeric-owner -cf "$work/layer.tar" .
  digest=$(sha256sum <"$work/layer.tar")
  printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$architecture" "$2" "${digest%% *}" >"$work/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$1" >"$work/manifest.json"
  tar -C "$work" -cf "$3" manifest.json config.json layer.tar
}
