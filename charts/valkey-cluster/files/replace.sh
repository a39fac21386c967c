# Sourced by start.sh and rejoin.sh of a cluster, for a pod that has lost its volume or has none: it takes its place again, as an empty replica. To
# the others it is a new node; the one that they know by the pod's name never comes back, and is forgotten.
# shellcheck shell=sh disable=SC2154 # they are the caller's

# Whether nobody else is in nodes.conf.
alone() { [ "$(cat "$data/nodes.conf" 2>/dev/null | awk 'NF >= 8 { n++ } END { print n + 0 }')" -le 1 ]; }

# view: a cluster that has slots, as one of its pods sees it, in $run/shards; sets $member to that pod's address. How many pods there are a
# server is not told, DNS knows all.
view() {
  for member in $(addresses "$DOMAIN"); do
    ask "$member" "$PORT" CLUSTER SHARDS >"$run/shards"
    ! awk 'before == "slots" && /^[0-9]+$/ { found = 1 } { before = $0 } END { exit !found }' "$run/shards" || return 0
  done
  return 1
}

# let_in on|off: an empty server tells clients of a cluster without slots, and they would forget the one they know. Until it is a part of that it
# takes no logins but ours.
let_in() {
  all=yes
  for each in default $(cut -d ' ' -f 1 "$conf/users"); do [ "$(here ACL SETUSER "$each" "$1")" = OK ] || all=no; done
  [ $all = yes ]
}

# The nodes of before, by $run/shards: id, health, and the primary that has their slots now, or -.
before() {
  awk -v me="$me" -v own="$1" '
    $0 == "slots" { shard++ }
    name == "id" { id = $0; host = "" }
    name == "hostname" { host = $0 }
    name == "role" { role = $0 }
    name == "health" && id != own {
      if (host == me) { old[id] = shard; health[id] = $0 }
      else if (role == "master" && $0 == "online") primary[shard] = id
    }
    { name = $0 }
    END { for (id in old) print id, health[id], (old[id] in primary ? primary[old[id]] : "-") }' "$run/shards"
}

# take_place: one step at each call. Without a node of before this pod is a new one, which the job adds. Before the others have given that up,
# and a replica of it has taken over, nothing is done.
take_place() {
  view || return 0
  before "$(here CLUSTER MYID)" | grep ' fail ' >"$run/before"
  primary=$(awk '$3 != "-" { print $3; exit }' "$run/before")
  [ -n "$primary" ] || return 0
  if alone; then
    say "the volume is empty: joining the cluster again"
    here CLUSTER MEET "$member" "$PORT" "$BUS_PORT" >/dev/null
    return 0
  fi
  [ "$(here CLUSTER REPLICATE "$primary")" = OK ] || return 0
  say "this pod is a replica of $primary now"
}

# forgotten: whether nobody knows this pod as another node any more; whoever does is told to forget that.
forgotten() {
  own=$(here CLUSTER MYID) all=yes
  for member in $(addresses "$DOMAIN"); do
    ask "$member" "$PORT" CLUSTER SHARDS >"$run/shards"
    before "$own" >"$run/before"
    while read -r old _; do
      say "$member forgets node $old, which this pod was before"
      ask "$member" "$PORT" CLUSTER FORGET "$old" >/dev/null
      all=no
    done <"$run/before"
  done
  [ $all = yes ]
}
