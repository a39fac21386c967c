# Makes this clone ready: npm packages (Node 24 among them), Valkey 8, and for `dev` the parts that the tests use.
# Sourced with $root set (start.sh, test.sh, build.sh, ../valkeep), or run: sh scripts/setup.sh run|dev|kube|valkey
# Each ensure_* looks first, does nothing where nothing is missing, and may be interrupted anywhere and called again.
# shellcheck shell=sh

say() { printf 'valkeep: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# as_root COMMAND: how a person who is not root runs COMMAND.
as_root() {
  if [ "$(id -u)" = 0 ]; then echo "$1"; elif command -v sudo >/dev/null 2>&1; then echo "sudo $1"; else echo "su -c '$1'"; fi
}

# The line that installs a package of the distribution.
install_line() {
  if command -v brew >/dev/null 2>&1; then echo "brew install $1"
  elif command -v apt-get >/dev/null 2>&1; then as_root "apt-get install -y $1"
  elif command -v dnf >/dev/null 2>&1; then as_root "dnf install -y $1"
  elif command -v apk >/dev/null 2>&1; then as_root "apk add $1"
  else echo "install $1 with your system's package manager"
  fi
}

# with_lock FILE COMMAND...: one set-up at a time, where the system has flock. The lock ends with the process that holds it.
with_lock() {
  lock_file=$1
  shift
  if command -v flock >/dev/null 2>&1; then ( flock 9 && "$@" 9>&- ) 9>"$lock_file"; else "$@"; fi
}

# --- npm packages ---
# A stamp is a copy of the lock that was installed; dev includes run. npm rewrites its own hidden lock at every change it makes,
# so a stamp older than that (npm prune, npm install) counts for nothing.
stamp_holds() {
  stamp=$root/node_modules/.valkeep-$1
  cmp -s "$root/npm-shrinkwrap.json" "$stamp" && [ -z "$(find "$root/node_modules/.package-lock.json" -newer "$stamp" 2>&1)" ]
}
packages_present() { stamp_holds dev || { [ "$1" = run ] && stamp_holds run; }; }

stamp_packages() {
  cp "$root/npm-shrinkwrap.json" "$root/node_modules/.valkeep-$1.new"
  mv "$root/node_modules/.valkeep-$1.new" "$root/node_modules/.valkeep-$1"
}

install_packages() {
  mode=$1
  packages_present "$mode" && return
  command -v npm >/dev/null 2>&1 || die "npm is needed and was not found. Install it: $(install_line npm)"
  # npm ci removes what it is not asked to install: where development tools are, they stay.
  grep -qs '"dev": true' "$root/node_modules/.package-lock.json" && mode=dev
  for installed in dev "$mode"; do
    if [ -d "$root/node_modules" ] && node "$root/scripts/lock-matches.js" "$root" "$installed"; then
      stamp_packages "$installed"
      return
    fi
  done
  if [ "$mode" = dev ]; then what='npm packages and development tools' which=--include=dev; else what='npm packages' which=--omit=dev; fi
  say "installing the $what (Node 24 is one of them; this takes a minute at most)"
  ( cd "$root" && npm ci "$which" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ) ||
    die 'npm could not install the packages; its message is above. Run the same command again once that is mended.'
  stamp_packages "$mode"
}

# ensure_packages run|dev
ensure_packages() { packages_present "$1" || with_lock "$root/.valkeep-setup.lock" install_packages "$1"; }

# --- Node ---
# Sets $node; npm itself may run on an older one.
ensure_node() {
  . "$root/bin/find-node.sh"
  find_node "$root" || die "Node 24 or newer is needed and was not found. Install it: $(node_install_line)"
}

# --- Valkey ---
# valkey_major BINARY: its major version; nothing where it does not run.
valkey_major() { "$1" --version 2>/dev/null | sed -n 's/.* v=\([0-9]*\)\..*/\1/p'; }

valkey_present() {
  server=${VALKEY_SERVER:-valkey-server}
  command -v "$server" >/dev/null 2>&1 && [ "$(valkey_major "$server")" -ge 8 ] 2>/dev/null
}

# VALKEY_SERVER, then PATH, else the system's package manager.
ensure_valkey() {
  valkey_present && return
  [ -z "${VALKEY_SERVER:-}" ] || die "VALKEY_SERVER is $VALKEY_SERVER, which is no Valkey 8 or newer."
  . "$root/scripts/parts/valkey.sh"
  install_valkey
}

# --- what the tests use besides ---
# Each part is a script of its own that says what is missing. Without one the tests that need it are skipped loudly; CI refuses.
# openssl-old is no condition: no mirror keeps an old release for ever, and its one test says that it left it out.
ensure_parts() {
  for part in openssl openssl-old shellcheck valkey-newer python docker; do
    sh "$root/scripts/parts/$part.sh" && continue
    [ "$part" != openssl-old ] || continue
    [ "${CI:-}" != true ] || die "the test part $part is missing, and CI=true skips nothing."
    say "the test part $part is missing: the tests that need it will be skipped."
  done
}

# What the chart's tests use besides (npm test -- --kube): built with Go, a quarter of an hour the first time.
ensure_kube() {
  for part in helm kube monitoring; do
    sh "$root/scripts/parts/$part.sh" && continue
    [ "${CI:-}" != true ] || die "the test part $part is missing, and CI=true skips nothing."
    say "the test part $part is missing: the tests that need it will be skipped."
  done
}

# setup run|dev|kube
setup() {
  if [ "$1" = run ]; then ensure_packages run; else ensure_packages dev; fi
  ensure_valkey
  [ "$1" = run ] || { ensure_node; ensure_parts; }
  [ "$1" != kube ] || ensure_kube
}

case ${0##*/} in
  setup.sh)
    set -eu
    root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
    case ${1:-run} in
      run | dev | kube) setup "${1:-run}" ;;
      valkey) ensure_valkey ;;
      *) die 'usage: sh scripts/setup.sh [run|dev|kube|valkey]' ;;
    esac
    ;;
esac
