# Sourced by prestop.sh of a replication release. Loses nothing: the primary stops taking writes, its replicas get all that it has, a sentinel
# promotes one of them, and only then this server follows it. The sentinel of this pod is ending already: the others are asked.
# shellcheck shell=sh
. "${0%/*}/sentinel-lib.sh"

# Milliseconds that writes wait at most if we are killed in between; it is renewed, long before it is over, though answers take seconds.
pause_ms=10000
held=''
hold() {
  now=$(date +%s)
  [ "$now" != "$held" ] || return 0
  [ "$(here CLIENT PAUSE $pause_ms WRITE)" = OK ] || return 1
  held=$now
}
release() {
  here CLIENT UNPAUSE >/dev/null
  held=''
}

# Nobody hands over to a pod that is about to end: where two go at once, the one that stays is to be chosen.
leaving() { here CONFIG SET replica-priority 0 >/dev/null; }

# crowd: sets $crowd to the pods that may be promoted: all of the release as it was when this one began, and whoever follows us. There are more
# where replicas are being added; one that is promoted unseen would leave us a primary too.
crowd() {
  crowd=$({
    others
    here INFO replication | sed -n "s/^slave[0-9]*:ip=$SET-\([0-9]*\)\..*/\1/p"
  } | sort -n -u)
}

# A line of every other server that answers, all asked at once: pod, role, link, offset, priority.
standing() {
  for n in $crowd; do
    DEADLINE=1 ask "$(host "$n")" "$PORT" INFO replication | awk -F : -v n="$n" '
      { value[$1] = $2 }
      END { if ("role" in value) print n, value["role"], value["master_link_status"], value["slave_repl_offset"], value["slave_priority"] }' &
  done
  wait
}

# in_step OFFSET: whether every other server that answers is a replica with all up to there, and there is one. A sentinel promotes whom it likes.
in_step() {
  facts=$(standing)
  printf '%s\n' "$facts" | awk -v offset="$1" '
    NF { ready++ }
    NF && ($3 != "up" || $4 + 0 < offset + 0) { late = 1 }
    END { exit late || !ready }'
}

# Whether the sentinel that is to choose knows who is not to be chosen. It asks them every ten seconds.
informed() {
  unfit=$(printf '%s\n' "$facts" | awk 'NF && $5 == 0 { print $1 }')
  [ -n "$unfit" ] || return 0
  sentinel "$judge" SENTINEL REPLICAS "$group" | awk '
    NR % 2 { name = $0; next }
    name == "ip" { host = $0 }
    name == "slave-priority" && $0 == 0 { print host }' >"$run/unfit"
  for n in $unfit; do grep -qxF "$(host "$n")" "$run/unfit" || return 1; done
}

# Whether there is one to choose.
somebody_fit() { printf '%s\n' "$facts" | awk 'NF && $5 > 0 { found = 1 } END { exit !found }'; }

has_successor() {
  successor=$(standing | awk '$2 == "master" { print $1; exit }')
  [ -n "$successor" ]
}

# in_time SECONDS COMMAND…: polls, holding the writes; fails where they cannot be held, unless another takes over already.
in_time() {
  ends_at=$(($(date +%s) + $1))
  shift
  while [ "$(date +%s)" -le "$ends_at" ]; do
    hold || [ $replaced = yes ] || return 1
    ! "$@" || return 0
    sleep 0.05
  done
  return 1
}

follows_successor() { case $(here REPLICAOF "$(host "$successor")" "$PORT") in OK*) ;; *) return 1 ;; esac; }

attempt() {
  replaced=no
  crowd
  in_step 0 && somebody_fit || return 1
  # Found before the writes are held, which is to be short.
  willing || { say 'no other sentinel takes this pod for the primary'; return 1; }
  informed || return 1
  hold || { say 'writes could not be held'; return 1; }
  offset=$(here INFO replication | field master_repl_offset)
  [ -n "$offset" ] || return 1
  in_time 3 in_step "$offset" || { say 'a replica is not in step'; return 1; }
  fail_over || return 1
  replaced=yes
  # No longer than sentinels try.
  in_time $((FAILOVER_TIMEOUT_MS / 1000 + 2)) has_successor || { say 'no replica was promoted'; return 1; }
  in_time 5 follows_successor || say "this server does not answer: a sentinel is to tell it to follow pod $successor"
  say "handed over to pod $successor"
}

hand_over() {
  silence=0
  while time_left && [ "$(role)" = master ]; do
    if attempt; then
      release
      return
    fi
    release
    if [ -n "$(standing)" ]; then silence=0; else silence=$((silence + 1)); fi
    [ $silence -lt 3 ] || { say 'no other server answers: nobody to hand over to'; return; }
    sleep 0.5
  done
}
