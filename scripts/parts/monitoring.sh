#!/bin/sh
# What watches Valkey, for the chart's tests, nothing of it installed: the exporter of the tag that the chart names and promtool, of a newer Debian
# suite, in $parts/monitoring/bin (redis_exporter, promtool). About 10 s and 110 MB the first time.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

# The tag of metrics.image in values.yaml: the tests run what users get.
exporter=1.69.0
present() { [ "$exporter" = "$(cat "$parts/monitoring/exporter" 2>/dev/null)" ]; }
present && exit 0

. "$here/apt.sh"
need_debian monitoring
lock_part monitoring
present && exit 0
say 'fetching an exporter and promtool for the tests (about 10 s)'
new=$parts/monitoring.new
aside_open "$new" trixie
cd "$work/debs"
aside_download prometheus-redis-exporter/trixie promtool/trixie
for deb in *.deb; do dpkg-deb -x "$deb" "$work/debian"; done

mkdir "$new/bin"
mv "$work/debian/usr/bin/prometheus-redis-exporter" "$new/bin/redis_exporter"
mv "$work/debian/usr/bin/promtool" "$new/bin"
# They were built for a newer libc than this machine may have.
for program in redis_exporter promtool; do
  "$new/bin/$program" --version >"$work/version" 2>&1 || die "the test part monitoring: $program of Debian trixie does not run on this system."
  grep -E 'Exporter|promtool, version' "$work/version" >&2
done
"$new/bin/redis_exporter" --version 2>&1 | grep -q "Exporter $exporter-" || die "the test part monitoring: Debian trixie has another exporter than $exporter."
echo "$exporter" >"$new/exporter"
rm -rf "$parts/monitoring"
mv "$new" "$parts/monitoring"
