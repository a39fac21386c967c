# Sourced by cluster.sh: what the nodes say of the cluster. Uses its $work, $existing and $wanted.
# Loops count in names of their own: the shell knows no local ones.
# shellcheck shell=sh disable=SC2154 # they are the caller's

all() { seq 0 $((existing - 1)); }
all_alive() { for each in $(all); do alive "$(host "$each")" || return 1; done; }

# id POD: its node id. An answer that is none ends the run: a pod that is away for a moment must not be taken for a stranger.
id() {
  if [ ! -s "$work/id.$1" ]; then
    node=$(on "$1" CLUSTER MYID)
    case $node in *[!0-9a-f]* | '') say "pod $1 does not tell its id: $node"; kill $$; exit 1 ;; esac
    echo "$node" >"$work/id.$1"
  fi
  cat "$work/id.$1"
}

# The pod whose cluster is the one with the slots; of equals the one that knows most nodes.
find_seed() {
  for each in $(all); do
    info=$(on "$each" CLUSTER INFO)
    slots=$(printf '%s\n' "$info" | field cluster_slots_assigned)
    known=$(printf '%s\n' "$info" | field cluster_known_nodes)
    echo "${slots:-0} ${known:-0} $each"
  done | sort -k 1,1nr -k 2,2nr -k 3,3n | awk '{ print $3; exit }'
}

# look: what the cluster is, in $work/nodes, a line a node: id, ordinal (- for no pod's), role, primary's id or -, number of slots, state.
look() {
  for each in $(all); do printf '%s %s\n' "$(id "$each")" "$each"; done >"$work/ids"
  on "$(find_seed)" CLUSTER NODES >"$work/raw"
  awk -v ids="$work/ids" '
    BEGIN { while ((getline line < ids) > 0) { split(line, pair, " "); ordinal[pair[1]] = pair[2] } }
    NF >= 8 {
      slots = 0
      for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, range, "-"); slots += n == 2 ? range[2] - range[1] + 1 : 1 }
      role = $3 ~ /master/ ? "primary" : "replica"
      state = $3 ~ /,fail|noaddr|handshake/ ? "failing" : "fine"
      print $1, ($1 in ordinal ? ordinal[$1] : "-"), role, $4, slots, state
    }' "$work/raw" >"$work/nodes"
  [ "$(count 1)" = "$existing" ] || fail 'not every pod is a node of the cluster; running this again goes on'
}

# ordinals CONDITION: pods whose line fits, in awk's words: $1 id, $2 ordinal, $3 role, $4 primary, $5 slots.
ordinals() { awk "\$2 != \"-\" && ($1) { print \$2 }" "$work/nodes" | sort -n; }
count() { ordinals "$1" | wc -l; }

primary_of() { awk -v n="$1" '$2 == n { print $3 == "replica" ? $4 : "-" }' "$work/nodes"; }

# In a process of its own: what ends a run is here only not so yet.
follows() { (look) && [ "$(primary_of "$1")" = "$2" ]; }

is_primary() { [ "$(on "$1" INFO replication | field role)" = master ]; }

# What all pods say, in $work/raw: of slots that were given out a moment ago not everyone has heard.
views() { for each in $(all); do on "$each" CLUSTER NODES; done >"$work/raw"; }

# nobodys FIRST LAST: ranges of slots that no node has, by $work/raw.
nobodys() {
  awk -v first="$1" -v last="$2" '
    NF >= 8 { for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, range, "-"); for (s = range[1]; s <= range[n]; s++) owned[s + 0] = 1 } }
    END {
      for (s = first; s <= last; s++) {
        if (s in owned) continue
        for (from = s; s < last && !((s + 1) in owned); s++);
        print from, s
      }
    }' "$work/raw"
}

# knows POD OTHER: whether it has a link to it.
knows() { on "$1" CLUSTER NODES | grep "^$(id "$2") " | grep -v -e ,fail -e noaddr -e handshake | grep -q ' connected'; }

# strangers: nodes of $work/view that are not in $work/staying, as ids, and how many ranges of slots they have there.
strangers() { awk 'FILENAME ~ /staying$/ { stays[$1] = 1; next } NF >= 8 && !($1 in stays) { print $1, NF - 8 }' "$work/staying" "$work/view"; }

# Whether every pod knows every other one, and, where there are slots already, lets clients in, which a new one does a moment after it was met.
all_known() {
  for each in $(all); do
    [ "${assigned:-0}" = 0 ] || on "$each" ACL LIST | grep -q '^user default on ' || return 1
    on "$each" CLUSTER NODES | awk '$3 !~ /,fail|noaddr|handshake/ { print $1 }' >"$work/known"
    for other in $(all); do grep -qxF "$(id "$other")" "$work/known" || return 1; done
  done
}

converged() {
  for each in $(all); do
    info=$(on "$each" CLUSTER INFO)
    [ "$(printf '%s\n' "$info" | field cluster_slots_assigned)" = 16384 ] || return 1
    [ "$(printf '%s\n' "$info" | field cluster_state)" = ok ] || return 1
  done
}

# Whether every server takes writes: one that has just started as a primary takes none yet, nor keys of a slot that moves.
all_settled() {
  for each in $(all); do
    case $(on "$each" CONFIG GET min-replicas-to-write | tail -n 1) in "$fence") return 1 ;; esac
  done
}

# note POD: what start.sh wrote there, the Kubernetes node, and after it what drain.sh wrote: NODE_PODS_UNTIL.
note() { on "$1" CONFIG GET cluster-announce-human-nodename | tail -n 1; }

# overruled: whether a drain, of an upgrade or a rollback that takes this job away in a moment, wants another number of pods. It says so on
# every pod that stays, until a time, for it may fail.
overruled() {
  for each in $(all); do
    size=$(note "$each" | awk -F _ -v now="$(date +%s)" 'NF == 3 && $3 + 0 > now { print $2 }')
    case $size in "$wanted" | '') ;; *) return 0 ;; esac
  done
  return 1
}

# Whether a slot is on its way: only its two nodes say so, each of itself.
moving() {
  for each in $(all); do
    ! on "$each" CLUSTER NODES | grep myself | grep -q '\[[0-9]*-[<>]-' || return 0
  done
  return 1
}

# owns POD SLOT
owns() {
  on "$1" CLUSTER NODES | awk -v slot="$2" '
    /myself/ { for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, range, "-"); if (slot + 0 >= range[1] + 0 && slot + 0 <= range[n] + 0) found = 1 } }
    END { exit !found }'
}

# stale: what an interrupted move has left behind that valkey-cli does not see, by $work/raw: pod that can clear it, and slot. A replica's mark is
# cleared by its primary, where that has none of this slot itself; a primary's own, where the slot is another's by now.
stale() {
  awk -v ids="$work/ids" '
    BEGIN { while ((getline line < ids) > 0) { split(line, pair, " "); pod[pair[1]] = pair[2] } }
    $3 !~ /myself/ { next }
    {
      for (i = 9; i <= NF; i++) {
        if ($i ~ /^\[/) { slot = substr($i, 2); sub(/-.*/, "", slot); marks[$1, slot] = $3 ~ /slave/ ? $4 : "-" }
        else { n = split($i, range, "-"); for (s = range[1] + 0; s <= range[n] + 0; s++) owner[s] = $1 }
      }
    }
    END {
      for (mark in marks) {
        split(mark, part, SUBSEP)
        its = marks[mark]
        if (its == "-" && owner[part[2]] != part[1]) print pod[part[1]], part[2]
        if (its != "-" && !((its, part[2]) in marks) && its in pod) print pod[its], part[2]
      }
    }' "$work/raw"
}

# Whether one that stays has far less than its share, as after an interrupted move, or one that does not stay has slots. What an
# owner has moved on purpose stays as it is.
unbalanced() {
  ordinals "\$5 > 0" >"$work/owners"
  ! grep -qvxFf "$work/stay" "$work/owners" || return 0
  while read -r each; do
    [ "$(awk -v n="$each" '$2 == n { print $5 }' "$work/nodes")" -ge $((16384 / primaries / 2)) ] || return 0
  done <"$work/stay"
  return 1
}

links_up() {
  for each in $(seq 0 $((wanted - 1))); do
    info=$(on "$each" INFO replication)
    case $(printf '%s\n' "$info" | field role) in
      master) ;;
      slave) [ "$(printf '%s\n' "$info" | field master_link_status)" = up ] || return 1 ;;
      *) return 1 ;;
    esac
  done
}

# places: pod and Kubernetes node of each, in $work/places. Kubernetes is not asked: each server knows where it runs.
places() {
  for each in $(all); do
    echo "$each $(note "$each" | cut -d _ -f 1)"
  done >"$work/places"
}

# The first pods of all nodes before the second ones: primaries are to be apart, a node's end must not take most of them.
spread() {
  places
  awk -v wanted="$wanted" '$1 < wanted { print rank[$2]++, $1 }' "$work/places" | sort -k 1,1n -k 2,2n | awk '{ print $2 }'
}

# pairs: who is to follow whom, of the pods below $wanted that are not in $work/stay. One that follows well goes on; the others go to the
# primary with the fewest replicas, not one of their own node where that can be had.
pairs() {
  awk -v wanted="$wanted" -v most="$REPLICAS_PER_PRIMARY" '
    FILENAME ~ /stay$/ { stays[$1] = 1; order[++primaries] = $1; next }
    FILENAME ~ /places$/ { node[$1] = $2; next }
    { pod[$1] = $2; its[$2] = $3 == "replica" ? $4 : "-" }
    END {
      for (n = 0; n < wanted; n++) {
        if (n in stays) continue
        p = its[n] in pod ? pod[its[n]] : "-"
        if (p in stays && has[p] < most) has[p]++; else free[++count] = n
      }
      for (i = 1; i <= count; i++) {
        best = order[1]
        for (j = 1; j <= primaries; j++) if (cost(order[j], free[i]) < cost(best, free[i])) best = order[j]
        takes[i] = best
        has[best]++
      }
      for (i = 1; i <= count; i++)
        for (j = 1; j <= count && node[free[i]] == node[takes[i]]; j++)
          if (node[free[i]] != node[takes[j]] && node[free[j]] != node[takes[i]]) { swap = takes[i]; takes[i] = takes[j]; takes[j] = swap }
      for (i = 1; i <= count; i++) print free[i], takes[i]
    }
    function cost(primary, replica) { return has[primary] * 2 + (node[primary] == node[replica]) }
  ' "$work/stay" "$work/places" "$work/nodes"
}
