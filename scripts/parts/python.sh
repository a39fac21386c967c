#!/bin/sh
# A Python of the tests' own, in $parts/python: schemathesis (against /openapi.json), valkey-py and valkey-glide as real clients.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

venv=$parts/python
present() { cmp -s "$here/python-requirements.txt" "$venv/requirements.txt" && [ -x "$venv/bin/python" ]; }
present && exit 0

lock_part python
present && exit 0
say 'installing the Python test clients (about a minute)'
rm -rf "$venv"
if ! python3 -m venv "$venv" >/dev/null 2>&1; then
  rm -rf "$venv"
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die 'the test part python needs python3 with venv. On Debian: apt-get install -y python3-venv'
  . "$here/apt.sh"
  apt_update && apt_install python3-venv
  python3 -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/python-requirements.txt" >&2
# The stamp comes last: without it the next run starts anew.
cp "$here/python-requirements.txt" "$venv/requirements.txt"
