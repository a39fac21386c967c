#!/bin/sh
# The sentinel beside a server. What it knows is kept on the volume of the pod, so that the primary is known after all pods were down; the rest
# of its configuration is written anew at each start, from the values.
. "${0%/*}/lib.sh"
. "${0%/*}/sentinel-lib.sh"

file=$kept/sentinel.conf
roles=/run/role

# The primary's pod: as kept; else as others say; the first one of a release that begins.
first_primary() {
  was=$(awk '$1 == "sentinel" && $2 == "monitor" { print $4 }' "$file" 2>/dev/null)
  if [ -z "$was" ]; then
    see
    was=$primary
    [ -n "$was" ] || [ -z "$rival" ] || was=$(host "$rival")
  fi
  printf '%s\n' "${was:-$(host 0)}"
}

learned() { [ ! -f "$file" ] || grep -E '^sentinel (config-epoch|leader-epoch|current-epoch) ' "$file"; }

# roster PRIMARY: all pods of the release, and no others. A sentinel left to itself learns of replicas from the primary, every ten seconds: of one that
# is killed before that it could promote nobody.
roster() {
  for n in $(pods); do
    name=$(host "$n")
    [ "$name" = "$1" ] || echo "sentinel known-replica $group $name $PORT"
    [ "$n" = "$ordinal" ] || echo "sentinel known-sentinel $group $name $SENTINEL_PORT $(identity "$name")"
  done
}
identity() { printf %s "$1" | sha1sum | cut -c 1-40; }

listen() {
  if [ "$TLS" = yes ]; then
    printf '%s\n' 'port 0' "tls-port $SENTINEL_PORT" 'tls-replication yes' "tls-auth-clients $TLS_AUTH_CLIENTS" \
      "tls-cert-file $tls/tls.crt" "tls-key-file $tls/tls.key" "tls-ca-cert-file $tls/ca.crt"
  else
    printf 'port %s\n' "$SENTINEL_PORT"
  fi
}

# May ask who the primary is and hear of changes, and nothing else.
asks='&* -@all +hello +auth +ping +info +role +client|setname +client|setinfo +subscribe +psubscribe +unsubscribe +punsubscribe'
asks="$asks +sentinel|get-master-addr-by-name +sentinel|masters +sentinel|master +sentinel|replicas +sentinel|slaves +sentinel|sentinels"

# The servers' users, who know their passwords here too: who logs in to the primary may ask for it.
clients() {
  if [ "$AUTH" = yes ]; then user default default on "$asks"; else echo "user default on nopass $asks"; fi
  while read -r name _; do
    [ -z "$name" ] || user "$name" "user-$name" on "$asks"
  done <"$conf/users"
}

write_conf() {
  umask 077
  mkdir -p "$kept"
  password=$(secret valkey-system)
  first=$(first_primary)
  {
    listen
    printf '%s\n' 'bind * -::*' 'protected-mode no' 'daemonize no' 'logfile ""' "dir $kept" \
      "unixsocket $run/sentinel.sock" 'unixsocketperm 700' \
      "$(user valkey-system valkey-system on '~* &* +@all')" \
      'sentinel sentinel-user valkey-system' "sentinel sentinel-pass $password" \
      'sentinel resolve-hostnames yes' 'sentinel announce-hostnames yes' \
      "sentinel announce-ip $me" "sentinel announce-port $SENTINEL_PORT" \
      "sentinel myid $(identity "$me")" \
      "sentinel monitor $group $first $PORT $QUORUM" \
      "sentinel auth-user $group valkey-system" "sentinel auth-pass $group $password" \
      "sentinel down-after-milliseconds $group $DOWN_AFTER_MS" \
      "sentinel failover-timeout $group $FAILOVER_TIMEOUT_MS" \
      "sentinel master-reboot-down-after-period $group $FAILOVER_TIMEOUT_MS" \
      "sentinel parallel-syncs $group $PODS" \
      "sentinel client-reconfig-script $group ${0%/*}/reconfigured.sh"
    clients
    learned
    roster "$first"
  } >"$file.new"
  mv "$file.new" "$file"
}

# The server's role, a line five times a second, on one connection.
look() {
  while :; do
    REDISCLI_AUTH=$(secret valkey-system) \
      valkey-cli -s "$run/valkey.sock" --user valkey-system --no-auth-warning -r -1 -i 0.2 ROLE 2>/dev/null </dev/null || :
    sleep 0.2
  done
}

# Tells role-label.sh what the label of this pod is to be: at every change, and from time to time, since a primary may have been given away
# by a pod that thought it was the one.
watch_role() {
  [ -p "$roles/changed" ] || mkfifo "$roles/changed"
  state='' looks=0
  look | while read -r line; do
    case $line in
      master) new=primary ;;
      slave) new=replica ;;
      *) continue ;;
    esac
    [ "$new" = replica ] || [ ! -f "$run/not-primary" ] || continue
    looks=$((looks + 1))
    if [ "$new" = "$state" ]; then
      [ $((looks % 150)) = 0 ] || continue
      [ "$new" = replica ] || confirmed || continue
    fi
    state=$new
    echo "$new" >"$roles/role.new"
    mv "$roles/role.new" "$roles/role"
    echo >&3
  done 3<>"$roles/changed"
}

confirmed() {
  [ "$(named)" = "$me" ] && case $(sentinel "$ordinal" SENTINEL CKQUORUM "$group") in OK*) ;; *) return 1 ;; esac
}

process='' stopping=no
stop() {
  stopping=yes
  [ -z "$process" ] || kill -TERM "$process" 2>/dev/null || :
}
trap stop TERM INT

served() { [ "$TLS" = no ] || cat "$tls/tls.crt" "$tls/ca.crt" 2>/dev/null | sha256sum; }

# doze SECONDS: a signal of ours ends it.
doze() {
  sleep "$1" &
  wait $! || :
}

# Until the other servers can be asked by the CA on the volume: with a new one they would look dead as long as they show certificates of the one
# before. One that really is dead is not waited for for ever.
others_known() {
  ends=$(($(date +%s) + 120))
  for n in $(others); do
    until alive "$(host "$n")" || [ "$(date +%s)" -ge $ends ] || [ $stopping = yes ]; do doze 2; done
  done
}

# Whether it knows pods that the release no longer has and that are gone: a primary that was taken away is learned of once more, as a replica.
strays() {
  for n in $(awk -v set="$SET" -v pods="$PODS" '
    $1 == "sentinel" && $2 ~ /^known/ { split($4, name, "."); n = name[1]; sub("^" set "-", "", n); if (n ~ /^[0-9]+$/ && n + 0 >= pods + 0) print n }' "$file"); do
    [ -n "$(address "$(host "$n")")" ] || return 0
  done
  return 1
}

# Ends when the sentinel has. A sentinel reads its certificate only at its start, and forgets nobody: it is started anew, one pod after the other.
attend() {
  before=$(served)
  while kill -0 "$process" 2>/dev/null; do
    doze 2
    if [ "$(served)" != "$before" ]; then
      others_known
      why='a new certificate'
    elif strays; then
      why='pods that are gone'
    else
      continue
    fi
    doze $((ordinal * 5))
    say "the sentinel starts anew: $why"
    kill -TERM "$process" 2>/dev/null || :
    wait "$process" || :
    code=143
    return
  done
  code=0
  wait "$process" || code=$?
}

main() {
  if [ -d "$roles" ]; then watch_role & fi
  while [ $stopping = no ]; do
    write_conf
    valkey-server "$file" --sentinel &
    process=$!
    attend
    [ $stopping = no ] || exit 0
    say "the sentinel ended ($code)"
    [ "$code" -gt 128 ] || exit "$code"
  done
}

main
