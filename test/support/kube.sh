#!/bin/sh
# sh kube.sh DIR ADDRESS SERVICES [NODE=ADDRESS]...: the first process of the namespaces of one cluster (namespaces.sh starts it). Makes the mounts, the
# addresses of control plane and nodes, the way to Services and the nodes' cgroups, says so by DIR/up, then waits for orphans and nothing else. kube.ts
# starts the daemons beside it. All nodes share the one network: pods reach each other by plain routes, without an overlay.
set -eu
dir=$1 address=$2 services=$3
shift 3

# What the daemons leave outside of DIR (sockets, locks, caches, links to logs) is seen by nobody else.
mount -n -t tmpfs tmpfs /run
for place in /opt /var/lib /var/log; do
  layer=/run/layers$place
  mkdir -p "$layer/upper" "$layer/work"
  mount -n -t overlay -o "lowerdir=$place,upperdir=$layer/upper,workdir=$layer/work" overlay "$place"
done
mount -n -t proc proc /proc
# The kubelet sets these, and they are the whole machine's: here it writes to files of their names.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "/run/sys/${setting%/*}"
  cat "/proc/sys/$setting" >"/run/sys/$setting"
  mount -n --bind "/run/sys/$setting" "/proc/sys/$setting"
done
# Claims, in memory: a cluster waits for the disk at each slot that it moves, and other tests may keep the disk busy.
for node in "$@"; do
  mkdir "$dir/${node%%=*}/volumes"
  mount -n -t tmpfs tmpfs "$dir/${node%%=*}/volumes"
done
# Volumes may be mounted so that later mounts show in them.
mount -n --make-rshared /

busybox ip link set lo up
busybox ip addr add "$address/32" dev lo
for node in "$@"; do busybox ip addr add "${node#*=}/32" dev lo; done
# Lets the nodes themselves dial Services; kube-proxy's rules follow.
busybox ip route add "$services" dev lo src "$address"
echo 1 >/proc/sys/net/ipv4/ip_forward

# cgroup_v1 PATH: a new cpuset holds nothing until it is given processors and memory.
cgroup_v1() {
  for hierarchy in /sys/fs/cgroup/*/; do
    mkdir -p "$hierarchy$1"
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$hierarchy$1/$file" ] || cat "$hierarchy$file" >"$hierarchy$1/$file"
    done
  done
}
# cgroup_v2 PATH: hands on every controller that its parent handed it.
cgroup_v2() {
  mkdir -p "/sys/fs/cgroup/$1"
  sed 's/[^ ]*/+&/g' "/sys/fs/cgroup/$1/cgroup.controllers" >"/sys/fs/cgroup/$1/cgroup.subtree_control"
}
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then version=2; else version=1; fi
for node in "$@"; do
  "cgroup_v$version" "${dir##*/}"
  "cgroup_v$version" "${dir##*/}/${node%%=*}"
done

: >"$dir/up"
exec tini -s -- sleep infinity
