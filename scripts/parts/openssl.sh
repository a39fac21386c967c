#!/bin/sh
# openssl, the program: the tests make and judge certificates with an implementation that is not ours.
set -eu
command -v openssl >/dev/null 2>&1 && exit 0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"
{ [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die 'the tests need openssl: install it with your package manager.'
. "$here/apt.sh"
say 'installing openssl for the tests'
apt_update && apt_install openssl
