#!/bin/sh
# Pods without Kubernetes: what kubelet and container runtime do, as far as scripts in a pod see it. local-pods.ts writes the files and starts this:
#   local-pods.sh DIR ADDRESS             first process of the namespaces (namespaces.sh starts it): a bridge that pods are plugged into
#   local-pods.sh DIR pod POD ADDRESS     in a network namespace of its own: plugs it in, and starts the next
#   local-pods.sh DIR containers POD      first process of the pod: runs what lies in POD/containers
#   local-pods.sh DIR container CONTAINER first process of a container: makes its mounts, and becomes its command
# /proc is the one outside until a container mounts its own: pids in files are as seen from outside. busybox has the tools that PATH may lack.
set -eu
dir=$1

network() {
  # Claims, in memory: a cluster waits for the disk at each slot that it moves.
  busybox mount -t tmpfs tmpfs "$dir/claims"
  busybox ip link set lo up
  busybox ip link add name pods type bridge
  # Else it takes one of its plugs' and changes it with them: for a while nobody would find it.
  busybox ip link set pods address 02:00:00:00:00:01
  busybox ip addr add "$1/16" dev pods
  busybox ip link set pods up
  : >"$dir/up"
  # Takes in orphans too.
  busybox tail -f /dev/null &
  wait
}

pod() {
  busybox ip link set lo up
  # Alone in here, its other end is veth0. Of the bridge's side the name has to be free.
  busybox ip link add name eth0 type veth
  plug=p$(echo "$2" | cut -d . -f 3,4 | tr . -)
  busybox ip link set veth0 name "$plug"
  # Process 1 of this pid namespace is the one that holds the bridge.
  busybox ip link set "$plug" netns 1
  busybox ip addr add "$2/16" dev eth0
  busybox ip link set eth0 up
  nsenter --target "$(cat "$dir/pid")" --net sh -c 'busybox ip link set "$1" master pods && busybox ip link set "$1" up' sh "$plug"
  exec unshare --mount --pid --fork --kill-child sh "$script" "$dir" containers "$1"
}

# once CONTAINER: runs it until it ends; CONTAINER/code is how it did. Its outputs are a pipe, as in Kubernetes.
once() {
  {
    code=0
    unshare --mount --pid --fork --kill-child sh "$script" "$dir" container "$1" 2>&1 || code=$?
    echo "$code" >"$1/code"
  } | busybox cat >>"$1/log"
}

# As the kubelet, until it is to end.
always() {
  while [ ! -e "$1/ending" ]; do
    once "$1"
    [ -e "$1/ending" ] || sleep 1
  done
}

containers() {
  pod=$dir/pods/$1
  read -r pid _ </proc/self/stat
  echo "$pid" >"$pod/pid"
  if [ -e "$pod/once" ]; then how=once; else how=always; fi
  for container in "$pod"/containers/*; do "$how" "$container" & done
  wait
}

# volume FROM TO [ro]: mounts what lies outside. A claim begins empty.
volume() {
  [ -e "$1" ] || mkdir "$1"
  busybox mount -o rbind "$1" "$root$2"
  [ "${3:-}" != ro ] || busybox mount -o remount,bind,ro,nosuid,nodev "$1" "$root$2"
}

container() {
  # Its pid is said when others may enter.
  read -r pid _ </proc/self/stat
  exec 3>"$1/pid"
  root=$dir/root
  busybox mount -o rbind "$root" "$root"
  # Volumes, and the command.
  . "$1/container"
  busybox mount -t proc proc "$root/proc"
  busybox mount -o remount,bind,ro "$root" "$root"
  cd "$root"
  busybox pivot_root . old
  busybox umount -l /old
  cd /
  echo "$pid" >&3
  exec 3>&- "$@"
}

script=$0
case $2 in
  pod | containers | container) "$2" "$3" "${4:-}" ;;
  *) network "$2" ;;
esac
