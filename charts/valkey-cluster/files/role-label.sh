#!/bin/sh
# Gives this pod the label that the Services for the primary and for replicas select. Woken by sentinel.sh beside it; a pod that becomes the
# primary takes the label from the others first, whose own helpers may be gone with their node.
. "${0%/*}/lib.sh"
roles=/run/role
account=/var/run/secrets/kubernetes.io/serviceaccount

case $KUBERNETES_SERVICE_HOST in *:*) server=[$KUBERNETES_SERVICE_HOST] ;; *) server=$KUBERNETES_SERVICE_HOST ;; esac
api=https://$server:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat $account/namespace)/pods

# label POD ROLE. The token goes in by a pipe. A pod that is not there needs no label, nor one above ours that we may not touch any more: it goes.
label() {
  code=$(printf 'Authorization: Bearer %s\n' "$(cat $account/token)" |
    curl -sS -o /dev/null -w '%{http_code}' --max-time 5 --cacert $account/ca.crt -X PATCH -H @- -H 'Content-Type: application/merge-patch+json' \
      -d "{\"metadata\":{\"labels\":{\"valkey-cluster/role\":\"$2\"}}}" "$api/$1")
  case $code in
    200 | 404) return 0 ;;
    403) [ "$1" = "$SET-$ordinal" ] || return 0 ;;
  esac
  say "no label $2 for $1: $code"
  return 1
}

# All at once: each is a request of its own.
apply() {
  running=''
  if [ "$1" = primary ]; then
    for n in $(pods); do
      [ "$n" != "$ordinal" ] || continue
      label "$SET-$n" replica &
      running="$running $!"
    done
  fi
  for one in $running; do wait "$one" || return 1; done
  label "$SET-$ordinal" "$1"
}

main() {
  until [ -p "$roles/changed" ]; do sleep 0.2; done
  done='' again=0
  # Never without a call: what the file says may be of a life before.
  while read -r _ <&3; do
    role=$(cat "$roles/role")
    now=$(date +%s)
    # Many calls may have come while we were away.
    if [ "$role" != "$done" ] || [ "$now" -ge "$again" ]; then
      until apply "$role"; do
        sleep 1
        role=$(cat "$roles/role")
      done
      [ "$role" = "$done" ] || say "this pod is the $role"
      done=$role again=$((now + 10))
    fi
  done 3<>"$roles/changed"
}

trap 'exit 0' TERM INT
main &
wait $!
