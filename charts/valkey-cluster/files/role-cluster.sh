# Sourced by start.sh of a cluster. A server that starts as the primary that it was takes no writes before most primaries say that it still is: the engine
# takes them after 2 s, whether or not it has heard from anybody by then, and throws them away where a replica has taken over meanwhile.
# shellcheck shell=sh
. "${0%/*}/settle.sh"
. "${0%/*}/replace.sh"

# The id of who says CLUSTER NODES on standard input, where that is a primary with slots; else nothing.
owner() { awk '$3 ~ /myself/ && $3 ~ /master/ && NF >= 9 { print $1 }'; }

# The primary with slots that this server was, by the volume, which is written so too.
was_primary() { cat "$data/nodes.conf" 2>/dev/null | owner; }

# Lines of valkey.conf. The node's name is for people who read logs, and for cluster.sh: a primary and its replica are to be apart.
role_lines() {
  printf 'cluster-announce-hostname %s\ncluster-announce-human-nodename "%s"\n' "$me" "${NODE_NAME:-}"
  unsettle
  rm -f "$run/not-primary"
  id=$(was_primary)
  [ -n "$id" ] || return 0
  say 'starting as a primary, without writes until most primaries agree'
  fenced
  settle
}

# The others are asked once the engine would take writes: what a vote of before the start was worth, 2 s or a long load later, nobody knows.
settled() {
  printf 'CLUSTER INFO\nCLUSTER NODES\n' | here >"$run/settle"
  case $(awk '$3 ~ /myself/ { print $3, (NF >= 9 ? "slots" : "none") }' "$run/settle") in
    *slave*) ;;
    *master*) grep -q '^cluster_state:ok' "$run/settle" && agreed || return 1 ;;
    *) return 1 ;;
  esac
  unfence && say 'settled'
}

# agreed: whether most of the primaries that have slots, with this one, take it for one. They are asked at the clients' port, two at a time, for a
# cluster may be large and this pod small.
agreed() {
  # shellcheck disable=SC2046 # words
  set -- $(awk '$3 ~ /master/ && $3 !~ /myself/ && NF >= 9 { split($2, part, ","); print (part[2] == "" ? "-" : part[2]) }' "$run/settle")
  needed=$((($# + 1) / 2))
  while [ "$needed" -gt 0 ] && [ $# -gt 0 ]; do
    needed=$((needed - $(agreements "$1" "${2:-}" | wc -l)))
    shift
    [ $# = 0 ] || shift
  done
  [ "$needed" -le 0 ]
}

# One that is taken for dead may be about to be replaced, by a replica that one knows of.
agreements() {
  for peer in "$@"; do
    case $peer in '' | -) continue ;; esac
    DEADLINE=2 ask "$peer" "$PORT" CLUSTER NODES | awk -v id="$id" '
      $1 == id && $3 ~ /master/ && NF >= 9 { owns = 1; lives = $3 !~ /,fail/ }
      $4 == id { replicas++ }
      END { if (owns && (lives || !replicas)) print "yes" }' &
  done
  wait
}

# A primary that was killed and has no append-only file has lost writes that its replicas still have. Back at once it would go on as the
# primary, and they would throw theirs away: it waits until one of them has taken over, as long as that can take.
await_successor() {
  id=$(was_primary)
  if [ -z "$id" ] || has_aof; then return 0; fi
  replicas=$(awk -v id="$id" '$4 == id { split($2, part, ","); print part[2] }' "$data/nodes.conf")
  ends=$(($(date +%s) + NODE_TIMEOUT_MS * 2 / 1000 + 10))
  while [ -n "$replicas" ] && [ "$(date +%s)" -lt "$ends" ] && [ "$stopping" = no ]; do
    for replica in $replicas; do
      # The one that takes over says of itself that it owns the slots.
      [ -n "$(ask "$replica" "$PORT" CLUSTER NODES | owner)" ] || continue
      say "$replica has taken over"
      return 0
    done
    sleep 0.5
  done
}
