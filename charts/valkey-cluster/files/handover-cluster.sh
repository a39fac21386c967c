# Sourced by prestop.sh. A coordinated fail-over: the primary stops taking writes until the replica has them all (CLUSTER FAILOVER).
# shellcheck shell=sh disable=SC2154 # me is of lib.sh

# The cluster as this node sees it, in $run/prestop.
look() { patiently myself CLUSTER NODES >"$run/prestop"; }

# Host names of this node's replicas.
followers() {
  awk '
    $3 ~ /myself/ { id = $1 }
    $3 ~ /slave/ && $3 !~ /,fail/ { split($2, part, ","); of[part[2]] = $4 }
    END { for (name in of) if (of[name] == id) print name }' "$run/prestop"
}

is_replica() { [ "$(role)" = slave ]; }
owns_slots() { awk '$3 ~ /myself/ && NF >= 9 { found = 1 } END { exit !found }' "$run/prestop"; }

# Tells the others that this pod is about to end; in a cluster nothing else is made of it.
leaving() { here CONFIG SET replica-priority 0 >/dev/null; }

# all_leave: whether every pod that there is has been about to end for some time. One that is started anew would be back by now: a release that is
# scaled to nothing has nobody who comes.
all_leave() {
  all=$(addresses "$DOMAIN")
  [ -n "$all" ] || { leave_since=''; return 1; }
  for each in $all; do
    [ "$(DEADLINE=1 ask "$each" "$PORT" CONFIG GET replica-priority | tail -n 1)" = 0 ] || { leave_since=''; return 1; }
  done
  leave_since=${leave_since:-$(date +%s)}
  [ $(($(date +%s) - leave_since)) -ge 30 ]
}

hand_over() {
  leave_since=''
  while time_left && [ "$(role)" = master ]; do
    look
    owns_slots || return 0
    for follower in $(followers); do
      [ "$(ask "$follower" "$PORT" INFO replication | field master_link_status)" = up ] || continue
      say "handing over to $follower"
      [ "$(ask "$follower" "$PORT" CLUSTER FAILOVER)" = OK ] || continue
      for _ in $(seq 50); do
        ! is_replica || { say 'handed over'; return 0; }
        sleep 0.1
      done
    done
    grep -q slave "$run/prestop" || return 0
    # A replica may be away for a moment, in the same roll, and is waited for: started anew without us it could be promoted with less
    # than we have. Of a release that is being removed nobody comes back.
    ! removed || { say 'the release is being removed: nobody to hand over to'; return 0; }
    ! all_leave || { say 'every pod is about to end: nobody to hand over to'; return 0; }
    sleep 1
  done
}

# Whether the pods' own Service is gone while DNS answers.
removed() { [ -z "$(address "$me")" ] && dns_answers; }
