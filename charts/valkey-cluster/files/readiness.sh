#!/bin/sh
# Whether clients should come here: it answers, and what it has is up to date. A cluster that is not formed yet holds nobody up,
# or `helm install --wait` would wait for the job that waits for it.
. "${0%/*}/lib.sh"

no() {
  echo "$1"
  exit 1
}
has() { case "$answers" in *"$nl$1$nl"*) return 0 ;; *) return 1 ;; esac; }
nl='
'

# One connection for all questions: a probe is run again and again, and each connection is a handshake of TLS.
ask_all() {
  printf 'PING\nINFO replication\n'
  [ "$ARCHITECTURE" != cluster ] || echo 'CLUSTER INFO'
}
# shellcheck disable=SC2119 # without words it reads commands
answers=$nl$(ask_all | here)$nl

has PONG || no "no answer: $(printf '%s' "$answers" | head -n 2 | tail -n 1)"
[ ! -e "$run/joining" ] || no 'not a part of the cluster yet'
[ ! -e "$run/switching" ] || no 'the append-only file is not complete yet'
if has role:slave; then
  has master_link_status:up || no 'the link to the primary is down'
  has master_sync_in_progress:0 || no 'a first copy is under way'
fi
case $ARCHITECTURE in
  cluster)
    has cluster_slots_assigned:0 || has cluster_state:ok || no 'the cluster is not ok'
    [ ! -e "$run/not-primary" ] || no 'it is not settled yet who is the primary'
    ;;
  replication)
    . "${0%/*}/sentinel-lib.sh"
    if has role:master && ! leads; then no 'another pod is the primary, or it is not settled yet'; fi
    ;;
esac
exit 0
