# Sourced by cluster.sh, in the job that runs before pods go: in an upgrade, or in a rollback, which renders nothing and runs this as an earlier
# revision stored it. So how many pods there are now is asked of the cluster.
# shellcheck shell=sh disable=SC2154 # they are the caller's

# What the pods that stay say of the cluster, all asked at once, in $work/raw.
ask_all() {
  pids=''
  for each in $(seq 0 $((wanted - 1))); do
    on "$each" CLUSTER NODES >"$work/raw.$each" &
    pids="$pids $!"
  done
  # shellcheck disable=SC2086 # words
  wait $pids
  cat "$work"/raw.[0-9]* >"$work/raw"
}

# Pods above those that stay, by $work/raw: number and slots.
above() {
  awk -v set="$SET-" -v wanted="$wanted" '
    NF >= 8 {
      split($2, part, ",")
      if (index(part[2], set) != 1) next
      n = substr(part[2], length(set) + 1)
      sub(/\..*/, "", n)
      if (n ~ /^[0-9]+$/ && n + 0 >= wanted + 0) slots[n] += NF - 8
    }
    END { for (n in slots) print n, slots[n] }' "$work/raw"
}

heard() { grep -q myself "$work/raw"; }

# Whether it can be told what pods there are: by one of them, or by DNS that knows of none.
reachable() {
  ask_all
  heard || dns_answers
}

# find_existing: sets $existing to the number of pods up to the last that has to be drained. One that is known, has no slots and is not there
# any more needs nothing.
find_existing() {
  existing=$wanted
  above >"$work/above"
  while read -r n slots; do
    [ "$n" -ge "$existing" ] || continue
    if [ "$slots" != 0 ] || [ -n "$(address "$(host "$n")")" ]; then existing=$((n + 1)); fi
  done <"$work/above"
}

# claim SECONDS: tells a job that wants more pods, and may be at work now or begin anew, to give way for so long.
claim() {
  for n in $(seq 0 $((wanted - 1))); do
    is=$(note "$n")
    # No answer, or an error.
    case $is in '' | *' '*) continue ;; esac
    on "$n" CONFIG SET cluster-announce-human-nodename "${is%%_*}_${wanted}_$(($(date +%s) + $1))" >/dev/null
  done
}

# Whether slots stay where they are: the job that gives way ends its move within seconds. One slot may stay on its way, and is waited for a while, for
# it may be a large one.
quiet=0 map=''
at_rest() {
  ask_all
  heard || { quiet=0; return 1; }
  now=$(awk 'NF > 8 { line = $1; for (i = 9; i <= NF; i++) line = line " " $i; print line }' "$work/raw")
  if [ "$now" = "$map" ]; then quiet=$((quiet + 1)); else quiet=0; fi
  map=$now
  case $now in *'['*) [ "$quiet" -ge 10 ] ;; *) [ "$quiet" -ge 3 ] ;; esac
}

# drain: returns where there is something to drain, with $existing; else ends all.
drain() {
  wait_until "${WAIT_SECONDS:-60}" 'a pod or DNS to answer: nobody knows which pods there are, and nothing is taken away' reachable || exit 1
  find_existing
  if [ "$existing" = "$wanted" ] && [ -z "$(address "$(host "$wanted")")" ]; then
    say "there is no pod above the first $wanted: nothing to drain"
    exit 0
  fi
  heard ||
    fail "none of the first $wanted pods answers, and there are more, which may have slots: nothing is taken away. Rolling back to another revision first may help; --no-hooks takes them away all the same."
  claim 60
  while sleep 20; do claim 60; done &
  claiming=$!
  wait_until 300 'slots to rest' at_rest || exit 1
  find_existing
  if [ "$existing" = "$wanted" ]; then
    say "the pods above the first $wanted are in no cluster: nothing to drain"
    drained
    exit 0
  fi
}

# Until Helm has taken the other job away.
drained() {
  kill "$claiming"
  claim 20
}
