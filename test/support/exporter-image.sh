#!/bin/sh
# sh exporter-image.sh PROGRAM TAG FILE: an image with the shape of the official redis_exporter: the program alone, without a shell.
set -eu
. "$(dirname -- "$0")/image.sh"
add "$1" /
mkdir "$tree/etc"
echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
write_image "$2" '{"User": "59000:59000", "ExposedPorts": {"9121/tcp": {}}, "Entrypoint": ["/redis_exporter"]}' "$3"
