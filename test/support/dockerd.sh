#!/bin/sh
# sh dockerd.sh DIR: a Docker engine in network, mount and pid namespaces of its own, configured by DIR/daemon.json, its log in DIR/log.
# It lives as long as standard input stays open, which dockerd.ts holds: a test that is killed ends it too. With it go its processes, mounts, cgroups
# and DIR. DIR/pid is its first process, as seen from outside. Without DIR: fails where there can be no such namespaces.
set -eu
[ $# -gt 0 ] || exec unshare --net --mount --pid --fork true
dir=$1

if [ "${2:-}" = inside ]; then
  # /proc is still the one outside.
  read -r pid _ </proc/self/stat
  echo "$pid" >"$dir/pid"
  # Container shims and iptables leave sockets and locks in /run, containerd directories in /opt: here nobody else sees them.
  mount -n -t tmpfs tmpfs /run
  mkdir /run/upper /run/work
  mount -n -t overlay -o lowerdir=/opt,upperdir=/run/upper,workdir=/run/work overlay /opt
  mount -n -t proc proc /proc
  busybox ip link set lo up
  exec tini -s -- dockerd --config-file "$dir/daemon.json"
fi

# By its first process: once that is gone, the kernel has ended every other one in its pid namespace. Before there is one, by what makes it.
end_engine() {
  pid=$(cat "$dir/pid" 2>/dev/null) || pid=''
  kill -KILL "$pid" 2>/dev/null || kill -KILL "$engine" 2>/dev/null || true
}

cgroups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "${dir##*/}"; }
remove_cgroups() {
  cgroups | while read -r cgroup; do find "$cgroup" -depth -type d -exec rmdir {} +; done
  [ -z "$(cgroups)" ]
}

# Should this script be killed, the engine still dies with it, as nothing else holds it.
setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child sh "$0" "$dir" inside </dev/null >"$dir/log" 2>&1 &
engine=$!
exec 3<&0
{ read -r _ || end_engine; } <&3 &
watcher=$!
wait "$engine" || true
kill "$watcher" 2>/dev/null || true
# Whoever is gone reads no log.
tail -n 20 "$dir/log" >&2 2>/dev/null || true
# The kernel lets go of both a moment after the last process.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  { remove_cgroups && rm -rf "$dir"; } 2>/dev/null && exit
  sleep 0.1
done
remove_cgroups
rm -rf "$dir"
