# Sourced after lib.sh by everything that has to do with sentinels: who is the primary, asked of everybody at once.
# shellcheck shell=sh

# The name under which sentinels know the primary.
group=valkey
majority=$((PODS / 2 + 1))
kept=$data/sentinel

others() {
  for n in $(pods); do [ "$n" = "$ordinal" ] || echo "$n"; done
}

# sentinel N WORDS…: one command to the sentinel of a pod; by its socket to the one of this pod, as `here`.
sentinel() {
  judged=$1
  shift
  if [ "$judged" = "$ordinal" ]; then
    as_system -s "$run/sentinel.sock" "$@"
  else
    ask "$(host "$judged")" "$SENTINEL_PORT" "$@"
  fi
}

# A line of a sentinel that answers: sentinel N PRIMARY EPOCH FLAGS
sentinel_line() {
  sentinel "$1" SENTINEL MASTER "$group" | awk -v n="$1" '
    NR % 2 { name = $0; next }
    { value[name] = $0 }
    END { if ("config-epoch" in value) print "sentinel", n, value["ip"], value["config-epoch"], value["flags"] }'
}

# A line of a server that answers: server N ROLE KEYS. One that loads has keys.
server_line() {
  ask "$(host "$1")" "$PORT" INFO | awk -F '[:=,]' -v n="$1" '
    $1 == "role" { role = $2 }
    $1 == "loading" { keys += $2 }
    /^db[0-9]+:keys=/ { keys += $3 }
    END { if (role != "") print "server", n, role, keys + 0 }'
}

lines() {
  for n in $(pods); do sentinel_line "$n" & done
  for n in $(others); do server_line "$n" & done
  wait
}

# see: asks all and sets $primary (the newest word on it, or nothing), $answered (sentinels), $agreeing (those that name it), $busy (yes where one
# of them sees it down or replaces it), $rival (another live primary, or nothing), $heard (other servers) and $full (those of them with keys).
see() {
  facts=$(DEADLINE=${DEADLINE:-1} lines | awk '
    $1 == "sentinel" {
      answered++
      names[$3, $4]++
      if ($4 > epoch || primary == "" || ($4 == epoch && names[$3, $4] > names[primary, epoch])) { primary = $3; epoch = $4 }
      by[$3]++
      if ($5 ~ /o_down|failover_in_progress/) trouble[$3] = 1
    }
    $1 == "server" {
      heard++
      if ($3 == "master") rival = $2
      if ($4 > 0) full++
    }
    END {
      print (primary == "" ? "-" : primary), answered + 0, by[primary] + 0, (primary in trouble ? "yes" : "no"), (rival == "" ? "-" : rival), heard + 0, full + 0
    }')
  read -r primary answered agreeing busy rival heard full <<END
$facts
END
  [ "$primary" != - ] || primary=''
  [ "$rival" != - ] || rival=''
}

# The primary that our own sentinel names.
named() { sentinel "$ordinal" SENTINEL GET-MASTER-ADDR-BY-NAME "$group" | head -n 1; }

# leads: whether this server, a primary, is the one that clients should write to. Our sentinel may be late to hear of our promotion: the other
# one has to live as a primary before we believe it.
leads() {
  [ ! -f "$run/not-primary" ] || return 1
  its=$(named)
  case $its in
    "$me" | '') return 0 ;;
    "$SET"-*) [ "$(DEADLINE=1 ask "$its" "$PORT" INFO replication | field role)" != master ] ;;
  esac
}

# willing: finds a sentinel of another pod that takes us for the primary; one that names another would replace that.
willing() {
  for judge in $(others); do
    [ "$(sentinel "$judge" SENTINEL GET-MASTER-ADDR-BY-NAME "$group" | head -n 1)" != "$me" ] || return 0
  done
  return 1
}

# fail_over: makes that sentinel replace us, whether our server answers or not.
fail_over() {
  answer=$(sentinel "$judge" SENTINEL FAILOVER "$group")
  case $answer in
    OK | INPROG*) ;;
    *) say "the sentinel of pod $judge: ${answer:-no answer}" && return 1 ;;
  esac
}
