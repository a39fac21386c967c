#!/bin/sh
# sh pause-image.sh TAG FILE: writes the image that holds a pod's namespaces. It has a shell, so the nodes' other helpers use it too.
set -eu
. "$(dirname -- "$0")/image.sh"
add_busybox
write_image "$1" '{"Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"],
  "Entrypoint": ["/bin/sh", "-c", "trap \"exit 0\" TERM INT; while :; do sleep 86400 & wait $!; done"]}' "$2"
