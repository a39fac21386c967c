#!/bin/sh
# Before a pod ends: a primary hands over to a replica that has every write, then the data is saved and the save waited for.
# What fails here is said and goes on: the pod ends whatever happens, and its append-only file has all that was acknowledged.
. "${0%/*}/lib.sh"
# In the log of the pod, where a person looks; what a hook says itself is seen by nobody.
if [ -w /proc/1/fd/2 ]; then exec 2>/proc/1/fd/2; fi
ends=$(($(date +%s) + PRESTOP_TIMEOUT))
time_left() { [ "$(date +%s)" -lt "$ends" ]; }

# patiently PATTERN WORDS…: the server's answer, which has the pattern. One that is slow to answer is asked again: whoever is taken for no primary
# hands nothing over.
patiently() {
  pattern=$1
  shift
  for _ in 1 2 3; do
    answer=$(here "$@")
    ! printf '%s\n' "$answer" | grep -q "$pattern" || break
    sleep 0.5
  done
  printf '%s\n' "$answer"
}
role() { patiently '^role:' INFO replication | field role; }
leaving() { :; }

case $ARCHITECTURE in
  cluster) . "${0%/*}/handover-cluster.sh" ;;
  replication) . "${0%/*}/handover-sentinel.sh" ;;
  *) hand_over() { :; } ;;
esac

save() {
  say 'saving'
  if dumped time_left; then say 'saved: ok'; else say 'the save failed, or did not end in time'; fi
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
