#!/bin/sh
# The program shellcheck: the tests read the scripts with it, ours and what Valkeep writes as scripts.
set -eu
command -v shellcheck >/dev/null 2>&1 && exit 0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"
{ [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die 'the tests need shellcheck: install it with your package manager.'
. "$here/apt.sh"
say 'installing shellcheck for the tests'
apt_update && apt_install shellcheck
