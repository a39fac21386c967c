#!/bin/sh
# A Docker engine for the tests, nothing of it installed or started: of a newer Debian suite, in $parts/docker/bin (dockerd, containerd, docker) and
# $parts/docker/cli-plugins (compose). What it runs is the machine's own: runc, iptables, tini, busybox, curl. About 20 s and 260 MB the first time.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

# The Debian packages of the programs that are missing here; either package of busybox will do.
lacking() {
  for package in runc iptables tini curl busybox-static; do
    command -v "${package%-static}" >/dev/null 2>&1 || printf ' %s' "$package"
  done
}
engine_present() { [ -x "$parts/docker/bin/dockerd" ]; }
present() { engine_present && [ -z "$(lacking)" ]; }
present && exit 0

. "$here/apt.sh"
[ "$(uname)" = Linux ] || die 'the tests with Docker start an engine in Linux namespaces, and this is no Linux.'
[ "$(id -u)" = 0 ] || die 'the tests with Docker start an engine of their own, which takes root. Run as root: sh scripts/setup.sh dev'
unshare --net --mount --pid --fork true || die 'the tests with Docker start an engine in namespaces, which this machine does not let root make.'
need_debian docker
lock_part docker
present && exit 0

packages=$(lacking)
if [ -n "$packages" ]; then
  say "installing for the tests with Docker:$packages"
  apt_update
  # shellcheck disable=SC2086 # package names are words
  apt_install $packages
fi
engine_present && exit 0

say 'fetching a Docker engine for the tests (about 20 s)'
new=$parts/docker.new
aside_open "$new" trixie
cd "$work/debs"
aside_download docker.io/trixie docker-cli/trixie containerd/trixie docker-compose/trixie
for deb in *.deb; do dpkg-deb -x "$deb" "$work/engine"; done

mkdir -p "$new/bin" "$new/cli-plugins"
for program in sbin/dockerd sbin/docker-proxy bin/docker bin/containerd bin/containerd-shim-runc-v2; do mv "$work/engine/usr/$program" "$new/bin"; done
mv "$work/engine/usr/libexec/docker/cli-plugins/docker-compose" "$new/cli-plugins"
# What `docker run --init` puts in front; Debian links it by a relative path.
ln -s "$(command -v tini-static)" "$new/bin/docker-init"
# They were built for a newer libc than this machine may have.
for program in bin/dockerd bin/docker bin/containerd cli-plugins/docker-compose; do
  "$new/$program" --version >&2 || die "the test part docker: $program of Debian trixie does not run on this system."
done
rm -rf "$parts/docker"
mv "$new" "$parts/docker"
