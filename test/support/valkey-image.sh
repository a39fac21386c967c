#!/bin/sh
# sh valkey-image.sh DIR TAG: imports into the Docker engine of DOCKER_HOST an image with the shape of the official valkey/valkey:*-alpine: busybox, user valkey
# (999:1000), /data, docker-entrypoint.sh. Made of the Valkey programs in DIR and this machine's libraries, since nothing is downloaded in tests.
set -eu
bin=$1 tag=$2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$tree"
umask 022

# add PROGRAM DIR: with what it is linked to, at the same place as here. It is asked itself: ldd knows only the system's own loader.
add() {
  mkdir -p "$tree$2"
  cp -L "$1" "$tree$2"
  LD_TRACE_LOADED_OBJECTS=1 "$1" | sed -n 's|^\t\(.* => \)\{0,1\}\(/.*\) (0x[0-9a-f]*)$|\2|p' | while read -r library; do
    [ ! -e "$tree$library" ] || continue
    mkdir -p "$tree${library%/*}"
    cp -L "$library" "$tree$library"
  done
}

for dir in dev etc proc root run sys tmp usr/bin usr/sbin var; do mkdir -p "$tree/$dir"; done
chmod 1777 "$tree/tmp"
ln -s ../run "$tree/var/run"
install -d -o 999 -g 1000 "$tree/data"

for program in server cli benchmark; do add "$bin/valkey-$program" /usr/local/bin; done
for program in sentinel check-aof check-rdb; do ln -s valkey-server "$tree/usr/local/bin/valkey-$program"; done
# busybox has one too, which changes no user.
add "$(command -v setpriv)" /usr/bin
add "$(command -v busybox)" /bin
busybox --list-full | grep / | grep -v setpriv | while read -r applet; do
  mkdir -p "$tree/${applet%/*}"
  [ -e "$tree/$applet" ] || ln -s /bin/busybox "$tree/$applet"
done

cat >"$tree/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/sbin/nologin
valkey:x:999:1000::/home/valkey:/sbin/nologin
END
printf 'root:x:0:\nnobody:x:65534:\nvalkey:x:1000:valkey\n' >"$tree/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$tree/etc/nsswitch.conf"
# busybox's shell would take its own setpriv before the one on PATH.
cat >"$tree/usr/local/bin/docker-entrypoint.sh" <<'END'
#!/bin/sh
set -e
case ${1:-} in -* | *.conf) set -- valkey-server "$@" ;; esac
if [ "$1" = valkey-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user valkey -exec chown valkey '{}' +
  exec /usr/bin/setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi
[ "$(umask)" != 0022 ] || umask 0077
exec "$@" $VALKEY_EXTRA_FLAGS
END
chmod 755 "$tree/usr/local/bin/docker-entrypoint.sh"

version=$("$bin/valkey-server" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')
tar -C "$tree" --numeric-owner -c . | docker import \
  -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c "ENV VALKEY_VERSION=$version" -c 'VOLUME /data' -c 'WORKDIR /data' \
  -c 'EXPOSE 6379' -c 'ENTRYPOINT ["docker-entrypoint.sh"]' -c 'CMD ["valkey-server"]' - "$tag"
