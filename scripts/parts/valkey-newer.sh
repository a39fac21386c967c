#!/bin/sh
# Valkey 8.1 and 9 beside the system's, with TLS, nothing installed: packages of newer Debian suites unpacked together with their own
# libc, and bound to it. Gives $parts/valkey/{8.1,9}/bin/valkey-{server,cli,benchmark}. About 20 s and 26 MB the first time.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

present() { [ -x "$parts/valkey/8.1/bin/valkey-server" ] && [ -x "$parts/valkey/9/bin/valkey-server" ]; }
present && exit 0

. "$here/apt.sh"
need_debian valkey-newer "Put Valkey 8.1 and 9 in $parts/valkey/{8.1,9}/bin."
case $(dpkg --print-architecture) in
  amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) die "the test part valkey-newer is not known for this processor." ;;
esac

lock_part valkey-newer
present && exit 0
say 'fetching Valkey 8.1 and 9 for the tests (about 20 s)'
aside_open "$parts/valkey.new" trixie forky
cd "$work/debs"
aside_download valkey-server/trixie valkey-tools/trixie valkey-server/forky valkey-tools/forky libc6/trixie libssl3t64/trixie libjemalloc2/trixie \
  liblzf1/trixie libatomic1/trixie libsystemd0/trixie libcap2/trixie libstdc++6/trixie libgcc-s1/trixie libzstd1/trixie zlib1g/trixie patchelf/trixie

# The libraries lie where they will stay: their path is written into the programs.
runtime=$parts/valkey/rt
mkdir -p "$runtime"
for deb in lib*.deb zlib*.deb; do dpkg-deb -x "$deb" "$runtime"; done
libraries=$runtime/usr/lib/$triplet
[ -e "$libraries/$loader" ] || libraries=$runtime/lib/$triplet
rm -rf "${libraries:?}/gconv" "${runtime:?}/usr/share" "${runtime:?}/etc"
dpkg-deb -x patchelf_*.deb "$work/patchelf"
patch_elf() { "$libraries/$loader" --library-path "$libraries" "$work/patchelf/usr/bin/patchelf" "$@"; }
for version in 8.1 9; do
  mkdir -p "$parts/valkey.new/$version/bin" "$work/$version"
  for deb in valkey-*_"$version".*.deb; do dpkg-deb -x "$deb" "$work/$version"; done
  for program in server cli benchmark; do
    binary=$parts/valkey.new/$version/bin/valkey-$program
    cp -L "$work/$version/usr/bin/valkey-$program" "$binary"
    patch_elf --set-interpreter "$libraries/$loader" --force-rpath --set-rpath "$libraries" "$binary"
  done
  ln -sf valkey-server "$parts/valkey.new/$version/bin/valkey-sentinel"
  "$parts/valkey.new/$version/bin/valkey-server" --version >&2
  rm -rf "${parts:?}/valkey/$version"
  mv "$parts/valkey.new/$version" "$parts/valkey/$version"
done
