#!/bin/sh
# Kubernetes for the tests, nothing of it installed or started: built of its Go modules in $parts/kube/bin (etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl, coredns, local-path-provisioner), with ctr and the CNI plugins
# ($parts/kube/cni) of Debian. containerd and runc are those of the part docker. The first time: about 10 minutes on two idle processors,
# 290 MB here and 6 GB in Go's own caches; a killed build goes on where it stopped.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

# 1.35 is the last Kubernetes that takes the containerd 1.7 of Debian; it still takes cgroups of version 1 where it is told to.
kubernetes=v1.35.4 coredns=v1.14.7 localpath=v0.0.30
versions="kubernetes $kubernetes, coredns $coredns, local-path-provisioner $localpath"
# Built by the sources beside this file too: a newer one of these is another part.
present() {
  [ "$versions" = "$(cat "$parts/kube/versions" 2>/dev/null)" ] && cmp -s "$here/kube-hyper.go" "$parts/kube/hyper.go" &&
    cmp -s "$here/kube-coredns.go" "$parts/kube/coredns.go"
}
sh "$here/docker.sh"
present && exit 0

. "$here/apt.sh"
. "$here/go.sh"
need_go kube
need_debian kube
lock_part kube
present && exit 0
say 'building Kubernetes for the tests (about 10 minutes)'
new=$parts/kube.new
aside_open "$new" trixie
mkdir -p "$new/bin" "$new/cni"

# --- of Debian: ctr must be of the containerd it talks to ---
cd "$work/debs"
aside_download containerd/trixie containernetworking-plugins/trixie
for deb in *.deb; do dpkg-deb -x "$deb" "$work/debian"; done
mv "$work/debian/usr/bin/ctr" "$new/bin"
for plugin in ptp host-local portmap loopback; do mv "$work/debian/usr/lib/cni/$plugin" "$new/cni"; done

# --- of Go modules ---
# Kubernetes replaces its own modules by directories of its source tree. Each is published too, one version for each release.
hyper_mod() {
  of_kubernetes=$(go_mod_of "k8s.io/kubernetes@$kubernetes")
  echo 'module hyper'
  grep -E '^(go|godebug) ' "$of_kubernetes"
  echo "require k8s.io/kubernetes $kubernetes"
  awk -v "version=v0.${kubernetes#v1.}" '$2 == "=>" && $3 ~ /staging/ { print "replace", $1, "=>", $1, version }' "$of_kubernetes"
}
# What `kubectl version`, the nodes and helm say and ask for.
stamped() {
  minor=${kubernetes#v1.}
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf ' -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s' "$package" "$kubernetes" "$package" "$package" "${minor%%.*}"
  done
}
build() {
  mkdir "$work/$1"
  cd "$work/$1"
  "${1}_mod" >go.mod
  go_main "$new/bin/$1" "$here/kube-$1.go" "$2"
  cp "$here/kube-$1.go" "$new/$1.go"
}
coredns_mod() { printf 'module coredns\nrequire github.com/coredns/coredns %s\n' "$coredns"; }

build hyper "$(stamped)"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -s hyper "$new/bin/$name"; done
build coredns ''
go_install "$new/bin" "github.com/rancher/local-path-provisioner@$localpath"

"$new/bin/kubectl" version --client >&2
echo "$versions" >"$new/versions"
rm -rf "$parts/kube"
mv "$new" "$parts/kube"
