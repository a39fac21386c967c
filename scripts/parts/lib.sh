# Sourced by the parts: where they are kept, and one builder at a time. A part is built in a directory of its own and put in place by
# a rename or a stamp written last, so a killed build is a missing part, never half a one.
# shellcheck shell=sh
parts=${VALKEEP_PARTS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/valkeep/parts}
mkdir -p "$parts"
say() { printf 'valkeep: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# lock_part NAME: held until this script ends, where the system has flock.
lock_part() {
  command -v flock >/dev/null 2>&1 || return 0
  exec 8>"$parts/.$1.lock"
  flock 8
}
