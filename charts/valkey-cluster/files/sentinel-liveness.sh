#!/bin/sh
# Whether the sentinel answers.
. "${0%/*}/lib.sh"
. "${0%/*}/sentinel-lib.sh"
answer=$(sentinel "$ordinal" PING)
[ "$answer" = PONG ] || { echo "${answer:-no answer}"; exit 1; }
