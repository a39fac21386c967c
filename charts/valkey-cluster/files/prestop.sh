#!/bin/sh
# Before a pod ends: a primary hands over to a replica that has every write, then the data is saved and the save waited for.
# What fails here is said and goes on: the pod ends whatever happens, and its append-only file has all that was acknowledged.
. "${0%/*}/lib.sh"
# In the log of the pod, where a person looks; what a hook says itself is seen by nobody.
if [ -w /proc/1/fd/2 ]; then exec 2>/proc/1/fd/2; fi
ends=$(($(date +%s) + PRESTOP_TIMEOUT))
time_left() { [ "$(date +%s)" -lt "$ends" ]; }

role() { here INFO replication | field role; }
leaving() { :; }

case $ARCHITECTURE in
  cluster) . "${0%/*}/handover-cluster.sh" ;;
  replication) . "${0%/*}/handover-sentinel.sh" ;;
  *) hand_over() { :; } ;;
esac

persistence() { here INFO persistence >"$run/prestop"; }
is() { [ "$(field "$1" <"$run/prestop")" = "$2" ]; }

save() {
  persistence
  # One that is under way began before the last writes.
  while time_left && is rdb_bgsave_in_progress 1; do
    sleep 0.2
    persistence
  done
  saves=$(field rdb_saves <"$run/prestop")
  case $(here BGSAVE SCHEDULE) in *started* | *scheduled*) say 'saving' ;; *) say 'no save could be started'; return ;; esac
  while time_left; do
    persistence
    if is rdb_bgsave_in_progress 0; then
      if ! is rdb_saves "$saves"; then
        say "saved: $(field rdb_last_bgsave_status <"$run/prestop")"
        return
      fi
      is rdb_last_bgsave_status ok || { say 'the save failed'; return; }
    fi
    sleep 0.2
  done
  say 'the save did not end in time'
}

# A server whose first append-only file is not complete refuses to end.
finish_switch() {
  while time_left && [ -e "$run/switching" ]; do sleep 0.5; done
}

finish_switch
leaving
hand_over
save
sleep "$PRESTOP_DELAY"
# One that handed over to us meanwhile, at its own end.
ends=$(($(date +%s) + 10))
hand_over
