#!/bin/sh
# cluster.sh PODS [drain]: makes the cluster what the values say: forms it, lets it grow, shrinks it to the first PODS pods, mends addresses.
# Each step looks first and does only what is missing, so that it may be killed anywhere and run again, at every upgrade. With `drain`, only
# where there are pods above the first PODS, which are about to go.
. "${0%/*}/lib.sh"
. "${0%/*}/cluster-table.sh"

wanted=$1
primaries=$((wanted / (REPLICAS_PER_PRIMARY + 1)))
# Pods that there are: those of the values, and before a scale-in those above them.
existing=$wanted
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT

fail() {
  say "$1"
  exit 1
}

# on POD WORDS…: one command to the server of a pod.
on() {
  pod=$1
  shift
  ask "$(host "$pod")" "$PORT" "$@"
}

# ok POD WORDS…: a command that has to succeed. A pod that is away for a moment, in a roll, is waited for.
ok() {
  for _ in $(seq 60); do
    answer=$(on "$@")
    case $answer in 'Could not connect'*) sleep 1 ;; *) break ;; esac
  done
  [ "$answer" = OK ] || fail "pod $1: $2 $3: ${answer:-no answer}"
}

# Before each step that changes anything; after the drain all is looked at anew.
give_way() { ! overruled || fail 'a drain is under way, which wants another number of pods: it goes first'; }
free() { ! overruled; }

# Every pod knows every other one, under its present address. One that was reset is still known.
meet() {
  seed=$(find_seed)
  assigned=$(on "$seed" CLUSTER INFO | field cluster_slots_assigned)
  for met in $(all); do
    [ "$met" != "$seed" ] || continue
    ! { knows "$seed" "$met" && knows "$met" "$seed"; } || continue
    # Distinct from the beginning: equal epochs are settled by chance. Refused where the node is no new one.
    on "$met" CLUSTER SET-CONFIG-EPOCH $((met + 1)) >/dev/null
    address=$(address "$(host "$met")")
    say "pod $seed meets pod $met ($address)"
    on "$seed" CLUSTER MEET "$address" "$PORT" "$BUS_PORT" >/dev/null
  done
  wait_until 60 'all nodes to know each other' all_known || exit 1
}

# A cluster of nobody's slots, or one whose forming was interrupted: what is nobody's is given out, and only where nothing is held.
form() {
  assigned=$(on "$(find_seed)" CLUSTER INFO | field cluster_slots_assigned)
  [ "${assigned:=0}" != 16384 ] || return 0
  for n in $(all); do
    keys=$(on "$n" DBSIZE)
    case $keys in '' | *[!0-9]*) fail "pod $n does not tell whether it holds keys: ${keys:-no answer}" ;; esac
    [ "$keys" = 0 ] ||
      fail "pod $n holds keys ($keys) and $((16384 - assigned)) slots are nobody's: nothing is formed over data. Look at /data/nodes.conf of the pods, then: valkey-cli --cluster fix."
  done
  say "forming a cluster of $primaries primaries"
  first=0 turn=0
  for p in $(spread | head -n "$primaries"); do
    turn=$((turn + 1))
    last=$((16384 * turn / primaries - 1))
    views
    nobodys $first $last >"$work/free"
    while read -r from to; do ok "$p" CLUSTER ADDSLOTSRANGE "$from" "$to"; done <"$work/free"
    first=$((last + 1))
  done
  wait_until 60 'the slots to be known everywhere' converged || exit 1
}

# cluster_cli WORDS…: valkey-cli's own tool for moving slots, in place of the shell that calls this. It tells servers to reach each other as it
# does itself.
cluster_cli() {
  set -- --user valkey-system --no-auth-warning --cluster "$@"
  [ "$TLS" = no ] || set -- --tls --cacert "$tls/ca.crt" --cert "$tls/tls.crt" --key "$tls/tls.key" "$@"
  REDISCLI_AUTH=$(secret valkey-system)
  export REDISCLI_AUTH
  exec valkey-cli "$@" >"$work/log" 2>&1 </dev/null
}

# move WORDS…: runs it, and ends it where this job has to give way: what has moved has moved, and one slot is in between.
move() {
  (cluster_cli "$@") &
  mover=$!
  while sleep 2; do ! overruled || kill "$mover" 2>/dev/null; done &
  watcher=$!
  code=0
  wait "$mover" || code=$?
  kill "$watcher"
  give_way
  [ "$code" = 0 ] || { tail -n 5 "$work/log" >&2; return 1; }
}

endpoint() { printf '%s:%s' "$(address "$(host "$1")")" "$PORT"; }

# A move that was interrupted leaves marks at both ends. Where keys may be on either side valkey-cli finishes it; the rest is cleared here.
close_slots() {
  views
  stale >"$work/stale"
  while read -r n slot; do
    [ "$(on "$n" CLUSTER COUNTKEYSINSLOT "$slot")" = 0 ] || owns "$n" "$slot" || continue
    say "pod $n clears what an interrupted move left of slot $slot"
    on "$n" CLUSTER SETSLOT "$slot" STABLE >/dev/null
  done <"$work/stale"
}

# Moves slots between the pods of $work/stay, away from all others. A move that was interrupted is finished first.
rebalance() {
  weights=''
  for n in $(ordinals "\$3 == \"primary\""); do
    grep -qx "$n" "$work/stay" || weights="$weights $(id "$n")=0"
  done
  seed=$(find_seed)
  wait_until 60 'every primary to take writes' all_settled || exit 1
  give_way
  if moving; then
    move fix "$(endpoint "$seed")" || :
    close_slots
  fi
  # shellcheck disable=SC2086 # words
  move rebalance "$(endpoint "$seed")" --cluster-use-empty-masters --cluster-threshold 1 --cluster-pipeline 100 ${weights:+--cluster-weight$weights} ||
    fail 'moving slots failed; what has moved stays where it is, and running this again goes on'
  wait_until 60 'the slots to be known everywhere' converged || exit 1
}

# A replica that stays takes over from its primary that goes: no slot has to move.
take_over() {
  for n in $(ordinals "\$2 < $wanted && \$3 == \"replica\""); do
    [ "$(count "\$2 < $wanted && \$3 == \"primary\" && \$5 > 0")" -lt "$primaries" ] || return 0
    its=$(primary_of "$n")
    [ "$(count "\$1 == \"$its\" && \$2 >= $wanted && \$5 > 0")" = 1 ] || continue
    say "pod $n takes over from one that goes"
    ok "$n" CLUSTER FAILOVER
    wait_until 30 "pod $n to take over" is_primary "$n" || exit 1
    look
  done
}

# Pods that hold nothing, until there are enough primaries; of replicas only those that their primary can spare.
choose_new() {
  for n in $(ordinals "\$2 < $wanted && \$3 == \"primary\" && \$5 == 0") $(ordinals "\$2 < $wanted && \$3 == \"replica\""); do
    [ "$(wc -l <"$work/stay")" -lt "$primaries" ] || return 0
    its=$(primary_of "$n")
    if [ "$its" != - ]; then
      [ "$(count "\$4 == \"$its\"")" -gt "$REPLICAS_PER_PRIMARY" ] || continue
      # It drops its copy first.
      DEADLINE=60 ok "$n" CLUSTER RESET SOFT
      meet
      look
    fi
    say "pod $n is a new primary"
    echo "$n" >>"$work/stay"
  done
  [ "$(wc -l <"$work/stay")" -ge "$primaries" ] || fail "there are too few pods for $primaries primaries"
}

# As many primaries among the first $wanted pods as there are to be, all slots on them.
right_primaries() {
  look
  lost=$(awk '$2 == "-" { slots += $5 } END { print slots + 0 }' "$work/nodes")
  [ "$lost" = 0 ] ||
    fail "$lost slots are of no pod: their replica has not taken over yet, or every copy of them is lost. PRODUCTION.md, What can be lost, tells how to go on without what was in them."
  take_over
  ordinals "\$2 < $wanted && \$3 == \"primary\" && \$5 > 0" | head -n "$primaries" >"$work/stay"
  choose_new
  if moving || unbalanced; then
    say "moving slots to the pods $(tr '\n' ' ' <"$work/stay")"
    rebalance
    look
  fi
}

# Every other pod that stays and follows nobody, or one that goes, or one that has enough, follows one that has too few.
right_replicas() {
  places
  pairs >"$work/pairs"
  while read -r n primary; do
    say "pod $n follows pod $primary"
    ok "$n" CLUSTER REPLICATE "$(id "$primary")"
    wait_until 30 "pod $n to be known as a replica" follows "$n" "$(id "$primary")" || exit 1
  done <"$work/pairs"
}

# Pods that go, and nodes that are no pod's any more.
forget() {
  look
  awk -v wanted="$wanted" '$2 == "-" || $2 >= wanted { print $1, $2, $5 }' "$work/nodes" >"$work/gone"
  while read -r gone n slots; do
    [ "$slots" = 0 ] || fail "node $gone (pod $n) still has $slots slots: it is not forgotten"
    [ "$n" != - ] || say "node $gone is no pod's: it is forgotten"
  done <"$work/gone"
  for n in $(seq 0 $((wanted - 1))); do id "$n"; done >"$work/staying"
  wait_until 60 'all pods to forget those that are not among them' parted || exit 1
}

# parted: one round; whether there was nothing left to do. A pod that is forgotten loses its links, and while it still knows the others its rejoin.sh
# may have met them again: so all are asked until nobody knows a stranger, and a stranger nobody.
parted() {
  found=no
  for m in $(seq 0 $((wanted - 1))); do
    on "$m" CLUSTER NODES >"$work/view"
    grep -q myself "$work/view" || found=yes
    strangers >"$work/strangers"
    while read -r gone slots; do
      found=yes
      # Not everyone may have heard that they are another's.
      [ "$slots" != 0 ] || on "$m" CLUSTER FORGET "$gone" >/dev/null
    done <"$work/strangers"
  done
  for m in $(seq "$wanted" $((existing - 1))); do
    ! on "$m" CLUSTER INFO | grep -qx cluster_known_nodes:1 || continue
    found=yes
    say "pod $m leaves the cluster"
    DEADLINE=60 ok "$m" CLUSTER RESET HARD
    rm -f "$work/id.$m"
  done
  [ $found = no ]
}

main() {
  if [ "$1" = drain ]; then
    . "${0%/*}/drain.sh"
    drain
  fi
  say "waiting for $existing pods"
  wait_until "${WAIT_SECONDS:-300}" 'all pods to answer' all_alive || exit 1
  wait_until 120 'a drain to end, which wants another number of pods' free || exit 1
  for step in meet form right_primaries right_replicas; do
    give_way
    $step
  done
  wait_until 120 'the replicas to be in step' links_up || exit 1
  give_way
  forget
  [ "$1" != drain ] || drained
  say "the cluster has $primaries primaries and $((wanted - primaries)) replicas"
}

main "${2:-}"
