#!/bin/sh
# Process 1 of a pod: writes what differs between pods, runs the server, and starts it again at once where it is killed. The
# kubelet would wait longer from time to time, and meanwhile a replica that lacks the last writes would be promoted.
. "${0%/*}/lib.sh"
# role_lines: what valkey.conf says besides, and await_successor: before a server that has lost writes is started again.
role_lines() { :; }
await_successor() { :; }
case $ARCHITECTURE in
  cluster) . "${0%/*}/role-cluster.sh" ;;
  replication) . "${0%/*}/role-sentinel.sh" ;;
esac

# Users: default as the values say, our own, and those of auth.users.
write_acl() {
  umask 077
  # See let_in of replace.sh.
  if [ -e "$run/joining" ]; then let=off; else let=on; fi
  {
    if [ "$AUTH" = yes ]; then
      user default default $let '~* &* +@all'
    else
      printf 'user default %s nopass ~* &* +@all\n' $let
    fi
    user valkey-system valkey-system on '~* &* +@all'
    while read -r name rules; do
      [ -z "$name" ] || user "$name" "user-$name" $let "resetchannels -@all $rules"
    done <"$conf/users"
  } >"$run/users.acl.new"
  mv "$run/users.acl.new" "$run/users.acl"
}

write_conf() {
  umask 077
  {
    cat "$conf/valkey.conf"
    echo
    printf 'primaryuser valkey-system\nprimaryauth "%s"\n' "$(secret valkey-system)"
    role_lines
  } >"$run/valkey.conf.new"
  mv "$run/valkey.conf.new" "$run/valkey.conf"
}

# Whether there is an append-only file: the manifest is written last, when all of it is there, and gets its name when it is complete. A
# directory alone, or temp-….manifest, is what a first rewrite leaves that was cut short, and a server would begin empty over it.
has_aof() { [ -f "$data/appendonlydir/appendonly.aof.manifest" ]; }

# What the volume is to be loaded with where that is not what valkey.conf says, else nothing. An append-only file that is switched on
# over a dump would begin empty, and replicas would copy the emptiness; one that is switched off has more than the dump beside it.
load_with() {
  if grep -q '^appendonly yes' "$conf/valkey.conf"; then
    if [ -f "$data/dump.rdb" ] && ! has_aof; then echo no; fi
  elif has_aof; then
    echo yes
  fi
}

# loaded PID: that server has loaded everything; to switch while it loads would keep a part. runs PID: it is still the one that runs.
loaded() { [ "$(here INFO persistence | field loading)$(here INFO server | field process_id)" = "0$1" ]; }
runs() { kill -0 "$1" 2>/dev/null && [ "$(cat "$run/pid")" = "$1" ]; }

# switch WANTED PID: what was loaded the other way goes on as valkey.conf says. Killed anywhere in here, the next start finds either
# no manifest yet, and the dump, or one that has everything. Until it is done the pod is not ready ($run/switching).
switch() {
  say "the data on the volume is of the other kind: loading it, then appendonly $1"
  while ! loaded "$2"; do
    runs "$2" || return 0
    sleep 1
  done
  # A dump of all that is there comes before the append-only file goes.
  if [ "$1" = no ]; then
    until dumped runs "$2"; do
      runs "$2" || return 0
      sleep 1
    done
  fi
  until [ "$(here CONFIG SET appendonly "$1")" = OK ]; do
    runs "$2" || return 0
    sleep 1
  done
  if [ "$1" = yes ]; then
    until rewritten; do
      runs "$2" || return 0
      sleep 1
    done
  else
    rm -rf "$data/appendonlydir.old"
    mv "$data/appendonlydir" "$data/appendonlydir.old" && rm -rf "$data/appendonlydir.old"
  fi
  rm -f "$run/switching"
  say "appendonly is $1 now, and complete"
}

rewritten() {
  here INFO persistence >"$run/persistence"
  [ "$(field aof_rewrite_in_progress <"$run/persistence")$(field aof_rewrite_scheduled <"$run/persistence")" = 00 ] &&
    [ "$(field aof_last_bgrewrite_status <"$run/persistence")" = ok ] && has_aof
}

# ended_well: whether the server before this one was told to end, and has saved everything.
ended_well() {
  [ -e "$data/ended-well" ] && rm -f "$data/ended-well" "$data/sentinel/running"
}

server=''
stopping=no
stop() {
  stopping=yes
  [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || :
}
trap stop TERM INT

keep_running() {
  while :; do
    sh "$1" || :
    sleep 1
  done
}

# A signal of ours ends the wait, not the server.
await_end() {
  code=0
  wait "$server" || code=$?
  while kill -0 "$server" 2>/dev/null; do
    code=0
    wait "$server" || code=$?
  done
}

main() {
  mkdir -p "$run"
  rm -f "$run/switching" "$run/pid" "$run/hung" "$run/joining"
  # Of a switch that was killed before its end.
  rm -rf "$data/appendonlydir.old"
  keep_running "${0%/*}/watch.sh" &
  if [ "$ARCHITECTURE" = cluster ]; then
    # Before it can be taken for a ready pod of a cluster that is not formed yet, and its roll goes on to the next.
    if alone && view; then : >"$run/joining"; fi
    keep_running "${0%/*}/rejoin.sh" &
  fi
  # The kubelet starts a container anew that was killed as a whole, by the memory limit for example: the same as a server that was.
  ended_well || await_successor
  quick=0
  while [ $stopping = no ]; do
    write_acl
    write_conf
    with=$(load_with)
    # shellcheck disable=SC2086 # two words or none
    valkey-server "$run/valkey.conf" ${with:+--appendonly $with} &
    server=$!
    began=$(date +%s)
    echo "$server" >"$run/pid"
    # An order to stop that came just before.
    [ $stopping = no ] || stop
    # Of a server before this one, which was killed while it switched.
    rm -f "$run/switching"
    [ -z "$with" ] || : >"$run/switching"
    switcher=''
    case $with in
      no) switch yes "$server" & switcher=$! ;;
      yes) switch no "$server" & switcher=$! ;;
    esac
    await_end
    # It must not speak to the next server, which loads.
    [ -z "$switcher" ] || kill "$switcher" 2>/dev/null || :
    [ "$code" != 0 ] || : >"$data/ended-well"
    [ $stopping = no ] || exit 0
    say "the server ended ($code)"
    # Killed is started anew at once; an error of its own would repeat itself, and is the kubelet's. So is what kills it each time.
    [ "$code" -gt 128 ] || exit "$code"
    if [ $(($(date +%s) - began)) -lt 10 ]; then quick=$((quick + 1)); else quick=0; fi
    [ $quick -lt 6 ] || exit "$code"
    ended_well || await_successor
  done
}

main
