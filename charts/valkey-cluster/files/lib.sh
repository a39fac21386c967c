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

# More replicas than there can be, as min-replicas-to-write: a primary that takes no writes.
fence=100000

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }

# secret NAME: the first line of a file of the secret, read anew at each call, since it changes while we run.
secret() {
  line=''
  { IFS= read -r line <"$auth/$1"; } 2>/dev/null || :
  printf %s "$line"
}

# digest NAME: of a secret, as users are written. There is none of nothing: a user whose password is empty lets everyone in.
digest() { [ -n "$(secret "$1")" ] && secret "$1" | sha256sum | cut -c 1-64; }

# user NAME SECRET STATE RULES: a line of an ACL file. Without a password it is off: a pod does not see the secret of a user that was added since it
# was made.
user() {
  if hash=$(digest "$2"); then
    printf 'user %s %s #%s %s\n' "$1" "$3" "$hash" "$4"
  else
    say "the user $1 is off: there is no password in $auth/$2"
    printf 'user %s off -@all\n' "$1"
  fi
}

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

# Whether there is DNS at all: a name that it does not know may be one that it was not asked for.
dns_answers() { [ -n "$(address "kubernetes.default.svc.${DOMAIN#*.*.svc.}")" ]; }

# dumped COMMAND…: a save of all that is there now, which has ended well. It is waited for as long as COMMAND says so.
dumped() {
  # One that is under way began before the last writes.
  while "$@"; do
    here INFO persistence >"$run/persistence"
    [ "$(field rdb_bgsave_in_progress <"$run/persistence")" != 0 ] || break
    sleep 0.2
  done
  saves=$(field rdb_saves <"$run/persistence")
  [ -n "$saves" ] || return 1
  case $(here BGSAVE SCHEDULE) in *started* | *scheduled*) ;; *) return 1 ;; esac
  while "$@"; do
    sleep 0.2
    here INFO persistence >"$run/persistence"
    # It may be scheduled still, or not answer.
    [ "$(field rdb_bgsave_in_progress <"$run/persistence")" = 0 ] || continue
    [ "$(field rdb_last_bgsave_status <"$run/persistence")" = ok ] || return 1
    [ "$(field rdb_saves <"$run/persistence")" = "$saves" ] || return 0
  done
  return 1
}
