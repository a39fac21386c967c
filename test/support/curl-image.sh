#!/bin/sh
# sh curl-image.sh TAG FILE: an image with a shell and curl, as the chart's helper that labels pods takes it.
set -eu
. "$(dirname -- "$0")/image.sh"
command -v curl >/dev/null || { echo 'curl is missing here: install it with the system'"'"'s package manager' >&2; exit 1; }
add "$(command -v curl)" /usr/bin
add_busybox
write_image "$1" '{"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["curl"]}' "$2"
