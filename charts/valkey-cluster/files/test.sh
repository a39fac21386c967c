#!/bin/sh
# `helm test`: what an application does. Logs in as the user default, writes, reads back, and looks at the state of every pod.
. "${0%/*}/lib.sh"

fail() {
  say "FAILED: $1"
  exit 1
}

# Without a Service that follows the primary: the primary itself.
find_service() {
  service=$SERVICE
  [ -z "$service" ] || return 0
  for n in $(pods); do
    [ "$(ask "$(host "$n")" "$PORT" INFO replication | field role)" = master ] || continue
    service=$(host "$n")
    return 0
  done
  return 1
}

# client PASSWORD WORDS…: a command to the service. An empty password is none.
client() {
  password=$1
  shift
  [ "$ARCHITECTURE" != cluster ] || set -- -c "$@"
  [ "$CLIENT_TLS" = no ] || set -- --tls --cacert "$tls/ca.crt" --cert "$tls/tls.crt" --key "$tls/tls.key" "$@"
  set -- -h "$service" -p "$CLIENT_PORT" --no-auth-warning "$@"
  if [ -z "$password" ]; then
    timeout 5 valkey-cli "$@" 2>&1
  else
    REDISCLI_AUTH=$password timeout 5 valkey-cli --user default "$@" 2>&1
  fi
}

as_default() {
  if [ "$AUTH" = yes ]; then client "$(secret default)" "$@"; else client '' "$@"; fi
}

answers() { find_service && [ "$(as_default PING)" = PONG ]; }

closed() {
  [ "$AUTH" = yes ] || return 0
  case $(client '' GET valkey-cluster-test) in
    NOAUTH*) say 'without a password nothing is told' ;;
    *) fail 'a command without a password was not refused' ;;
  esac
}

# Eight keys, so that in a cluster several primaries are asked. Each takes a new password in its own time.
round_trips() {
  for n in $(seq 8); do
    key=valkey-cluster-test:$n value=$n-$(date +%s)
    answer=$(as_default SET "$key" "$value" EX 60)
    [ "$answer" = OK ] || return 1
    answer=$(as_default GET "$key")
    [ "$answer" = "$value" ] || return 1
    as_default DEL "$key" >/dev/null
  done
  say 'eight keys were set and read back as the user default'
}

# formed: every pod agrees on a whole cluster, and each primary has its share of linked replicas.
formed() {
  primaries=0
  for n in $(pods); do
    info=$(ask "$(host "$n")" "$PORT" CLUSTER INFO)
    [ "$(printf '%s\n' "$info" | field cluster_state)" = ok ] || return 1
    [ "$(printf '%s\n' "$info" | field cluster_slots_ok)" = 16384 ] || return 1
    [ "$(printf '%s\n' "$info" | field cluster_known_nodes)" = "$PODS" ] || return 1
    in_step "$n" || return 1
    [ "$role" = slave ] || primaries=$((primaries + 1))
  done
  [ "$primaries" = "$((PODS / (REPLICAS_PER_PRIMARY + 1)))" ]
}

# in_step N: sets the role of a pod; fails where it is a replica whose link is down, or no answer comes.
in_step() {
  info=$(ask "$(host "$1")" "$PORT" INFO replication)
  role=$(printf '%s\n' "$info" | field role)
  case $role in
    master) ;;
    slave) [ "$(printf '%s\n' "$info" | field master_link_status)" = up ] || return 1 ;;
    *) return 1 ;;
  esac
}

# followed: one primary, and every other pod a replica in step.
followed() {
  primaries=0
  for n in $(pods); do
    in_step "$n" || return 1
    [ "$role" = slave ] || primaries=$((primaries + 1))
  done
  [ "$primaries" = 1 ]
}

wait_until "${TEST_SECONDS:-60}" "${SERVICE:-a primary} to answer the user default" answers || fail "$(as_default PING)"
closed
case $ARCHITECTURE in
  cluster) wait_until "${TEST_SECONDS:-60}" 'every pod to see a whole cluster' formed || fail 'the cluster is not whole' ;;
  replication) wait_until "${TEST_SECONDS:-60}" 'one primary that all others follow' followed || fail 'not one primary with replicas' ;;
esac
wait_until "${TEST_SECONDS:-60}" 'keys to be set and read back' round_trips || fail "$key: $answer"
say 'passed'
