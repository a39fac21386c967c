# Sourced by every script of the chart. Settings come from the environment, and no secret is among them: templates/_env.tpl.
# shellcheck shell=sh
set -u
LC_ALL=C
export LC_ALL

data=${DATA:-/data}
run=${RUN:-/run/valkey}
auth=${AUTH_DIR:-/etc/valkey/auth}
tls=${TLS_DIR:-/etc/valkey/tls}
conf=${CONF_DIR:-/etc/valkey/conf}
ordinal=${HOSTNAME##*-}

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }

# secret NAME: the first line of a file of the secret, read anew at each call, since it changes while we run.
secret() {
  line=''
  IFS= read -r line <"$auth/$1" || :
  printf %s "$line"
}

# digest NAME: of a secret, as users are written.
digest() { secret "$1" | sha256sum | cut -c 1-64; }

# as_system WORDS…: valkey-cli as the system's own user, under a deadline. The password is in the environment of that one process alone. What is
# answered, errors too, is on standard output.
as_system() {
  set -- --user valkey-system --no-auth-warning "$@"
  REDISCLI_AUTH=$(secret valkey-system) timeout "${DEADLINE:-3}" valkey-cli "$@" 2>&1 | tr -d '\r'
}

# ask HOST PORT WORDS…: one command to a server or a sentinel.
ask() {
  to=$1 at=$2
  shift 2
  set -- -h "$to" -p "$at" "$@"
  [ "$TLS" = no ] || set -- --tls --cacert "$tls/ca.crt" --cert "$tls/tls.crt" --key "$tls/tls.key" "$@"
  as_system "$@"
}

# here WORDS…: one command to the server of this pod, by its socket: it spares the handshake, and a certificate that is just being changed for
# one of another CA does not make the server look dead.
here() { as_system -s "$run/valkey.sock" "$@"; }

# field NAME: its value in INFO on standard input.
field() { sed -n "s/^$1://p"; }

# host N: the name of a pod, which DNS gives before it is ready.
host() { printf '%s-%s.%s' "$SET" "$1" "$DOMAIN"; }
me=$(host "$ordinal")

# The numbers of all pods, from 0.
pods() { seq 0 $((PODS - 1)); }

# alive HOST: whether a server answers there.
alive() {
  case $(ask "$1" "$PORT" PING) in PONG) ;; *) return 1 ;; esac
}

# wait_until SECONDS WHAT COMMAND…: polls once a second; says what it waited for in vain.
wait_until() {
  left=$1 what=$2
  shift 2
  until "$@"; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      say "waited in vain for $what"
      return 1
    fi
    sleep 1
  done
}

# addresses HOST: all that DNS has of it, as busybox's nslookup tells them; IPv4 before IPv6.
addresses() {
  nslookup "$1" 2>/dev/null | awk '
    /^Name:/ { found = 1; next }
    found && /^Address/ { sub(/^Address[^:]*: */, ""); sub(/ .*/, ""); print ($0 ~ /:/), $0 }' | sort -u -k 1,1n -k 2,2 | cut -d " " -f 2
}
address() { addresses "$1" | head -n 1; }
