# Sourced by start.sh of a replication release before every start of the server: whom it follows. A server that was killed is back before any
# fail-over: nobody may follow it then unless it has what was acknowledged, and it may take writes only while nobody replaces it.
# shellcheck shell=sh
. "${0%/*}/settle.sh"
. "${0%/*}/sentinel-lib.sh"

# On the volume: this server had everything once. Gone where the volume was emptied.
filled=$kept/filled
# On the volume: the server runs, or was killed.
running=$kept/running

# has_all: whether all that was acknowledged is on the volume. A dump alone has it after an orderly end; the append-only file after any.
has_all() {
  [ -f "$filled" ] || return 1
  if grep -q '^appendonly yes' "$conf/valkey.conf" && has_aof; then return 0; fi
  [ -f "$data/dump.rdb" ] && [ ! -f "$running" ]
}

role_lines() {
  printf 'replica-announce-ip %s\nreplica-announce-port %s\n' "$me" "$PORT"
  mkdir -p "$kept"
  unsettle
  told='' began_at=$(date +%s)
  while [ "$stopping" = no ]; do
    see
    if [ -n "$primary" ] && [ "$primary" != "$me" ]; then
      follow
      return
    fi
    if [ "$answered" -ge "$majority" ]; then
      if has_all || nobody_has_data; then
        lead
        return
      fi
      [ "$full" = 0 ] || step_back
    fi
    [ "$told" = "$answered $heard" ] || say "waiting: $answered of $PODS sentinels and $heard other servers answer, the primary is ${primary:-not known}"
    told="$answered $heard"
    sleep 0.5
  done
}

# One that does not answer may have data.
nobody_has_data() { [ "$heard" = $((PODS - 1)) ] && [ "$full" = 0 ] && [ -z "$rival" ]; }

# We are the primary, without data that others have: they would copy the emptiness. Where the volume is another one the server of before may still be
# about to end elsewhere, and take writes: the sentinels are left to find that it is gone, at first.
step_back() {
  [ -f "$filled" ] || [ $(($(date +%s) - began_at)) -ge $((DOWN_AFTER_MS / 1000 + 10)) ] || return 0
  say "this pod is the primary, and its volume lacks data that $full others have: one of them is to replace it"
  willing && fail_over || :
}

follow() {
  say "starting as a replica of $primary"
  rm -f "$run/not-primary"
  printf 'replicaof %s %s\n' "$primary" "$PORT"
  # Sentinels would promote even one that never had a copy, or, where all pods start at once, one that lacks what the primary took last.
  printf 'replica-priority 0\n'
  begin
}

lead() {
  say 'starting as the primary, without writes until the sentinels agree'
  fenced
  begin
}

begin() {
  : >"$running"
  holds_until=$(($(date +%s) + 20))
  settle
}

settled() {
  info=$(here INFO)
  case $(printf '%s\n' "$info" | field role) in
    slave)
      rm -f "$run/not-primary"
      if [ "$(printf '%s\n' "$info" | field master_link_status)" = up ]; then
        opened
        return
      fi
      # The primary does not come: what is on the volume is better than nothing.
      if [ -f "$filled" ] && [ "$(date +%s)" -ge $holds_until ]; then here CONFIG SET replica-priority 100 >/dev/null; fi
      return 1
      ;;
    master)
      # Promoted by a sentinel since.
      [ -f "$run/not-primary" ] || { opened; return; }
      [ "$(printf '%s\n' "$info" | field loading)" = 0 ] || return 1
      see
      if [ "$primary" = "$me" ]; then
        [ "$agreeing" -ge "$majority" ] && [ "$busy" = no ] && [ -z "$rival" ] && opened && say 'the primary takes writes'
      elif [ "$answered" -ge "$majority" ]; then
        say "another pod has become the primary: following $primary"
        here REPLICAOF "$primary" "$PORT" >/dev/null
        return 1
      fi
      ;;
    *) return 1 ;;
  esac
}

opened() {
  : >"$filled"
  unfence replica-priority 100
}
