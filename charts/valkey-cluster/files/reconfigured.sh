#!/bin/sh
# Called by the sentinel once it knows of another primary: NAME ROLE STATE FROM PORT TO PORT. A server that was cut off and still thinks that it
# is the primary follows the new one now; sentinels themselves would wait for ten seconds, in which it takes writes that are lost.
. "${0%/*}/lib.sh"
to=$6 port=$7
[ "$to" != "$me" ] || exit 0
[ "$(here INFO replication | field role)" = master ] || exit 0
say "cut off meanwhile: following $to"
here REPLICAOF "$to" "$port" >/dev/null
