#!/bin/sh
# sh namespaces.sh DIR SCRIPT ARGUMENT...: runs `sh SCRIPT DIR ARGUMENT...` as the first process of network, mount and pid namespaces of its own, its
# output in DIR/log. They live as long as standard input stays open, which namespaces.ts holds: a test that is killed ends them too. With them go their
# processes, mounts, the cgroups named like DIR, and DIR. DIR/pid is the first process, as seen from outside.
# sh namespaces.sh try PROGRAM ARGUMENT...: only runs that in them, and fails where there can be none.
set -eu
# Whoever is not root is it in a user namespace of their own.
user=''
[ "$(id -u)" = 0 ] || user='--user --map-root-user'
if [ "$1" = try ]; then
  shift
  # shellcheck disable=SC2086 # two words or none
  exec unshare $user --net --mount --pid --fork "$@"
fi
dir=$1
script=$2
shift 2

if [ "$script" = first ]; then
  # /proc is still the one outside.
  read -r pid _ </proc/self/stat
  echo "$pid" >"$dir/pid"
  script=$1
  shift
  exec sh "$script" "$dir" "$@"
fi

# By the first process: once that is gone, the kernel has ended every other one in its pid namespace. Before there is one, by what makes it.
end_first() {
  pid=$(cat "$dir/pid" 2>/dev/null) || pid=''
  kill -KILL "$pid" 2>/dev/null || kill -KILL "$first" 2>/dev/null || true
}

cgroups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "${dir##*/}"; }
remove_cgroups() {
  cgroups | while read -r cgroup; do find "$cgroup" -depth -type d -exec rmdir {} +; done
  [ -z "$(cgroups)" ]
}

# Should this script be killed, they still end with it, as nothing else holds them.
# shellcheck disable=SC2086 # two words or none
setpriv --pdeathsig KILL unshare $user --net --mount --pid --fork --kill-child sh "$0" "$dir" first "$script" "$@" </dev/null >"$dir/log" 2>&1 &
first=$!
exec 3<&0
{ read -r _ || end_first; } <&3 &
watcher=$!
wait "$first" || true
kill "$watcher" 2>/dev/null || true
# Whoever is gone reads no log.
tail -n 20 "$dir/log" >&2 2>/dev/null || true
# The kernel lets go of both a moment after the last process.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  { remove_cgroups && rm -rf --one-file-system "$dir"; } 2>/dev/null && exit
  sleep 0.1
done
remove_cgroups
rm -rf --one-file-system "$dir"
