#!/bin/sh
# sh valkey-image.sh DIR TAG [FILE]: an image with the shape of the official valkey/valkey:*-alpine: busybox, user valkey (999:1000), /data,
# docker-entrypoint.sh. Made of the Valkey programs in DIR. Written to FILE, or else loaded into the Docker engine of DOCKER_HOST.
set -eu
. "$(dirname -- "$0")/image.sh"
bin=$1 tag=$2 file=${3:-$work/image.tar}

for program in server cli benchmark; do add "$bin/valkey-$program" /usr/local/bin; done
for program in sentinel check-aof check-rdb; do ln -s valkey-server "$tree/usr/local/bin/valkey-$program"; done
add "$(command -v setpriv)" /usr/bin
add_busybox
# busybox's own changes no user.
rm -f "$tree/bin/setpriv"
install -d -o 999 -g 1000 "$tree/data"
echo valkey:x:999:1000::/home/valkey:/sbin/nologin >>"$tree/etc/passwd"
echo valkey:x:1000:valkey >>"$tree/etc/group"

# busybox's shell would take its own setpriv before the one on PATH.
cat >"$tree/usr/local/bin/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -e
case ${1:-} in -* | *.conf) set -- valkey-server "$@" ;; esac
if [ "$1" = valkey-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user valkey -exec chown valkey '{}' +
  exec /usr/bin/setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi
[ "$(umask)" != 0022 ] || umask 0077
exec "$@" $VALKEY_EXTRA_FLAGS
SCRIPT
chmod 755 "$tree/usr/local/bin/docker-entrypoint.sh"

version=$("$bin/valkey-server" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')
write_image "$tag" '{
  "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "VALKEY_VERSION='"$version"'"],
  "Volumes": {"/data": {}}, "WorkingDir": "/data", "ExposedPorts": {"6379/tcp": {}},
  "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["valkey-server"]
}' "$file"
[ $# = 3 ] || docker load --quiet --input "$file"
