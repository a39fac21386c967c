#!/bin/sh
# Whether the server is alive: it answers, whatever it answers, or it is at work. One that loads, saves to a slow disk or runs a
# long command must never be killed for it; one that does nothing and does not answer hangs, and is ended here: start.sh starts it
# again at once. The kubelet would run preStop first, which asks a server that does not answer.
. "${0%/*}/lib.sh"

alive_after_all() {
  rm -f "$run/hung"
  exit 0
}

answer=$(DEADLINE=4 here PING)
case $answer in
  PONG | LOADING* | BUSY* | NOAUTH* | NOPERM* | WRONGPASS* | AUTH* | MASTERDOWN* | 'ERR max'*) alive_after_all ;;
esac

pid=$(cat "$run/pid" 2>/dev/null) || alive_after_all
[ -r "/proc/$pid/stat" ] || alive_after_all
# What it has done so far: processor time, and how often it slept and woke. Its name before that may hold anything.
stat=$(cat "/proc/$pid/stat")
# shellcheck disable=SC2086 # words
set -- ${stat##*) }
work="$pid ${12} ${13} $(sed -n 's/^.*voluntary_ctxt_switches:[^0-9]*//p' "/proc/$pid/status" | tr '\n' ' ')"
before=$(cat "$run/work" 2>/dev/null) || before=''
echo "$work" >"$run/work"
# Waiting for a disk.
[ "$1" != D ] || alive_after_all
[ "$work" = "$before" ] || alive_after_all
echo look >>"$run/hung"
echo "no answer, and nothing done since the last look: ${answer:-silence}"
if [ "$(wc -l <"$run/hung")" -ge 3 ]; then
  if [ -w /proc/1/fd/2 ]; then say 'the server does not answer and does nothing: it is ended' 2>/proc/1/fd/2; fi
  rm -f "$run/hung"
  kill -KILL "$pid"
fi
exit 1
