#!/bin/sh
# sh dockerd.sh DIR: the first process of the namespaces of one Docker engine (namespaces.sh starts it), configured by DIR/daemon.json.
set -eu
dir=$1
# Container shims and iptables leave sockets and locks in /run, containerd directories in /opt: here nobody else sees them.
mount -n -t tmpfs tmpfs /run
mkdir /run/upper /run/work
mount -n -t overlay -o lowerdir=/opt,upperdir=/run/upper,workdir=/run/work overlay /opt
mount -n -t proc proc /proc
busybox ip link set lo up
touch "$dir/up"
exec tini -s -- dockerd --config-file "$dir/daemon.json"
