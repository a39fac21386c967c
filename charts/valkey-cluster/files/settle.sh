# Sourced by start.sh of a cluster and of a replication. Others may have replaced a server while it was away: it starts without taking writes, and takes
# them once `settled` of its architecture finds that it is still the primary.
# shellcheck shell=sh

settling=''

# fenced: a line of valkey.conf. Meanwhile the pod is not ready.
fenced() {
  : >"$run/not-primary"
  printf 'min-replicas-to-write %s\n' "$fence"
}

# unfence WORDS…: the server takes writes as valkey.conf says, with what else is to be set.
unfence() {
  wanted=$(sed -n 's/^min-replicas-to-write //p' "$conf/valkey.conf")
  [ "$(here CONFIG SET min-replicas-to-write "$wanted" "$@")" = OK ] && rm -f "$run/not-primary"
}

# settle: runs beside the server until that is what it shall be; it goes with start.sh. unsettle: ends it, before the next server.
settle() {
  : >"$run/settling"
  {
    until settled; do
      kill -0 $$ 2>/dev/null || exit 0
      sleep 0.1
    done
    rm -f "$run/settling"
  } >/dev/null &
  settling=$!
}
# One that has ended is nobody, or somebody else by now.
unsettle() { [ -z "$settling" ] || [ ! -e "$run/settling" ] || kill "$settling" 2>/dev/null || :; }
