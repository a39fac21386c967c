#!/bin/sh
# Beside a server of a cluster, for what the bus cannot know: where nodes are whose pods have new addresses, whether a primary that is gone is
# about to be back, and which node a pod without its volume was.
. "${0%/*}/lib.sh"
. "${0%/*}/replace.sh"

# Nodes without a link, by $run/nodes: id and host name.
lost() {
  awk '$3 !~ /myself|handshake/ && ($8 != "connected" || $3 ~ /,fail|noaddr/) { split($2, part, ","); if (part[2] != "") print $1, part[2] }' "$run/nodes"
}

# Until it has a place in the cluster that the others are, this pod is not ready ($run/joining).
join() {
  if [ ! -e "$run/joining" ]; then
    alone && view || return 0
    : >"$run/joining"
    let_in off
  fi
  if grep -q ' connected [0-9[]' "$run/nodes"; then let_in on || return 0; fi
  if awk '$3 ~ /myself/ && ($3 ~ /slave/ || NF >= 9) { found = 1 } END { exit !found }' "$run/nodes"; then
    ! forgotten || rm -f "$run/joining"
  else
    take_place
  fi
}

# One pod's new address is told to the others by the bus; where all pods come back at once nobody knows anybody's. Only nodes that
# this one knows already are met, and only where the node that answers by the pod's name is that node: an address may be another
# cluster's by now.
meet_again() {
  [ "$(DEADLINE=2 ask "$2" "$PORT" CLUSTER MYID)" = "$1" ] || return 0
  to=$(address "$2")
  # Meanwhile this one may have been told to leave, and knows nobody.
  if [ -z "$to" ] || ! here CLUSTER NODES | grep -q "^$1 "; then return 0; fi
  say "meeting $2 again ($to)"
  here CLUSTER MEET "$to" "$PORT" "$BUS_PORT" >/dev/null
}

# A primary that was killed is started again at once, or by the kubelet after 10 s where it was killed twice with all of its container,
# as the memory limit does. Its append-only file has every write that it acknowledged; this replica may lack the very last. So it does
# not take over as long as the pod refuses connections, for then the pod is there and its server is not. A pod or node that is gone
# refuses nothing, and the fail-over is as fast as cluster.nodeTimeoutMs says.
comes_back() {
  case $(DEADLINE=1 ask "$1" "$PORT" PING) in *'Connection refused'* | LOADING* | PONG) return 0 ;; esac
  return 1
}

take_over_allowed() {
  [ "$may" != "$1" ] || return 0
  [ "$(here CONFIG SET cluster-replica-no-failover "$([ "$1" = yes ] && echo no || echo yes)")" = OK ] || return 0
  [ "$may$1" = yes ] || say "this replica may take over: $1"
  may=$1
}

guard() {
  here INFO replication >"$run/link"
  grep -q '^role:' "$run/link" || return 0
  if grep -q '^role:slave' "$run/link" && grep -q '^master_link_status:down' "$run/link"; then
    since=${since:-$(date +%s)}
    if [ $(($(date +%s) - since)) -lt 20 ] && comes_back "$(field master_host <"$run/link")"; then
      take_over_allowed no
      return 0
    fi
  else
    since=''
  fi
  take_over_allowed yes
}

main() {
  since='' may='' turn=0
  # Without an append-only file a primary that comes back has less than its replicas.
  if grep -q '^appendonly yes' "$conf/valkey.conf"; then guards=yes; else guards=no; fi
  while :; do
    sleep 1
    [ $guards = no ] || guard
    turn=$(((turn + 1) % 3))
    [ $turn = 0 ] || [ -e "$run/joining" ] || continue
    here CLUSTER NODES >"$run/nodes"
    join
    lost | while read -r id name; do meet_again "$id" "$name"; done
  done
}

main
