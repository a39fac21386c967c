#!/bin/sh
# Whether the server is there. Loading counts: how long it takes is nobody's to limit, readiness waits for its end and liveness lets it.
. "${0%/*}/lib.sh"
answer=$(here PING)
case $answer in PONG | LOADING*) exit 0 ;; esac
echo "$answer"
exit 1
