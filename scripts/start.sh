#!/bin/sh
# npm start: sets up what running needs, then becomes the platform. Arguments go to `valkeep up`.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/scripts/setup.sh"
setup run
VALKEEP_COMMAND=${VALKEEP_COMMAND:-./valkeep} exec "$root/bin/valkeep" up "$@"
