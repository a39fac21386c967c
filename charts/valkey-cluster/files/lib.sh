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

# ask HOST PORT WORDS…: one command as the system's own user, under a deadline. The password is in the environment of
# that one process alone. What is answered, errors too, is on standard output.
ask() {
  to=$1 at=$2
  shift 2
  set -- -h "$to" -p "$at" --user valkey-system --no-auth-warning "$@"
  [ "$TLS" = no ] || set -- --tls --cacert "$tls/ca.crt" --cert "$tls/tls.crt" --key "$tls/tls.key" "$@"
  REDISCLI_AUTH=$(secret valkey-system) timeout "${DEADLINE:-3}" valkey-cli "$@" 2>&1 | tr -d '\r'
}

here() { ask 127.0.0.1 "$PORT" "$@"; }

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

# address HOST: its address by DNS, as busybox's nslookup tells it; IPv4 before IPv6.
address() {
  nslookup "$1" 2>/dev/null | awk '
    /^Name:/ { found = 1; next }
    found && /^Address/ { sub(/^Address[^:]*: */, ""); sub(/ .*/, ""); if ($0 !~ /:/) { print; exit } other = other == "" ? $0 : other }
    END { if (other != "") print other }' | head -n 1
}
