#!/bin/sh
# OpenSSL 1.1.1 beside the system's, nothing installed: the one that older distributions still carry. Gives $parts/openssl-1.1/bin/openssl.
# About 2 s and 4 MB the first time.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/lib.sh"

present() { [ -x "$parts/openssl-1.1/bin/openssl" ]; }
present && exit 0

. "$here/apt.sh"
need_debian openssl-old "Put an OpenSSL 1.1.1 in $parts/openssl-1.1/bin."
lock_part openssl-old
present && exit 0
say 'fetching OpenSSL 1.1.1 for the tests (about 2 s)'
new=$parts/openssl-1.1.new
aside_open "$new" bullseye
cd "$work/debs"
aside_download openssl/bullseye libssl1.1/bullseye
for deb in *.deb; do dpkg-deb -x "$deb" "$work/old"; done

mkdir -p "$new/bin" "$new/lib"
cp "$work/old/usr/bin/openssl" "$new/lib/openssl"
cp "$work"/old/usr/lib/*/lib*.so.1.1 "$new/lib"
cp "$work/old/etc/ssl/openssl.cnf" "$new/lib"
# The machine's own openssl.cnf speaks to OpenSSL 3.
cat >"$new/bin/openssl" <<'END'
#!/bin/sh
lib=$(CDPATH='' cd -- "$(dirname -- "$0")/../lib" && pwd -P)
LD_LIBRARY_PATH=$lib OPENSSL_CONF=${OPENSSL_CONF:-$lib/openssl.cnf} exec "$lib/openssl" "$@"
END
chmod 755 "$new/bin/openssl"
"$new/bin/openssl" version >&2
rm -rf "$parts/openssl-1.1"
mv "$new" "$parts/openssl-1.1"
