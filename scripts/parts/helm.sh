#!/bin/sh
# Helm 3 for the tests, nothing installed: built of its Go module in $parts/helm/bin. Less than 2 minutes and 60 MB the first time, on two idle processors.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

version=v3.20.2
# The Kubernetes that it believes in where it asks none: that of kube.sh.
kube_minor=35
present() { [ "$version kubernetes 1.$kube_minor" = "$(cat "$parts/helm/version" 2>/dev/null)" ]; }
present && exit 0

. "$here/go.sh"
need_go helm
lock_part helm
present && exit 0
say 'building Helm for the tests (less than 2 minutes)'
new=$parts/helm.new
rm -rf "$new"
mkdir -p "$new/bin"
go_install "$new/bin" "helm.sh/helm/v3/cmd/helm@$version" "-X helm.sh/helm/v3/internal/version.version=$version \
  -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$kube_minor"
"$new/bin/helm" version --short >&2
echo "$version kubernetes 1.$kube_minor" >"$new/version"
rm -rf "$parts/helm"
mv "$new" "$parts/helm"
