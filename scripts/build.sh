#!/bin/sh
# npm pack and npm publish (prepack): compiles what is published into dist/. Node strips no types inside node_modules.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/scripts/setup.sh"
ensure_packages dev
ensure_node
PATH=${node%/*}:$PATH
export PATH
rm -rf "$root/dist"
"$root/node_modules/.bin/tsc" -p "$root/tsconfig.build.json" >&2
