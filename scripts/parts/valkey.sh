# Sourced by setup.sh where no Valkey 8 was found: installs the distribution's. Its service is never started nor left enabled.
# shellcheck shell=sh

install_valkey() {
  if command -v brew >/dev/null 2>&1; then
    say 'installing Valkey with Homebrew'
    brew install valkey >&2 || die 'brew install valkey failed; its message is above.'
  else
    [ "$(id -u)" = 0 ] || die "Valkey 8 or newer is needed, and installing it needs root. Run: $(as_root "sh $root/scripts/setup.sh valkey")
         Or name one that you have: VALKEY_SERVER=/path/to/valkey-server"
    if command -v apt-get >/dev/null 2>&1; then install_valkey_apt
    elif command -v dnf >/dev/null 2>&1; then install_valkey_dnf
    elif command -v apk >/dev/null 2>&1; then install_valkey_apk
    fi
  fi
  valkey_present || no_valkey
}

no_valkey() {
  die 'Valkey 8 or newer is needed, and this system carries none that could be installed. Build it from its source
         (make BUILD_TLS=yes && make install) or name one that you have: VALKEY_SERVER=/path/to/valkey-server'
}

install_valkey_dnf() {
  case $(dnf -q repoquery --qf '%{version}\n' valkey 2>/dev/null | sort -n | tail -n 1) in '' | [0-7].*) no_valkey ;; esac
  say 'installing Valkey with dnf'
  dnf -q -y install valkey >&2 || die 'dnf install valkey failed; its message is above.'
}

install_valkey_apk() {
  apk update >/dev/null 2>&1 || true
  case $(apk search -e valkey 2>/dev/null | sed -n 's/^valkey-//p' | sort -n | tail -n 1) in '' | [0-7].*) no_valkey ;; esac
  say 'installing Valkey with apk'
  apk add -q valkey valkey-cli >&2 || die 'apk add valkey failed; its message is above.'
}

# On Debian 12 it comes from bookworm-backports, elsewhere from what the machine's sources carry.
install_valkey_apt() {
  . "$root/scripts/parts/apt.sh"
  . /etc/os-release
  policy=/usr/sbin/policy-rc.d
  added_source='' added_policy='' installing='' interrupted=''
  trap undo_apt_changes EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  suite=''
  if [ "${VERSION_CODENAME:-}" = bookworm ]; then
    suite=bookworm-backports
    apt_serves "$suite" || add_backports
  fi
  say 'reading the package lists'
  apt_update || die 'apt-get update failed; its message is above.'
  # From here the source is known to work and stays: updates come from it.
  added_source=''
  carried=$(apt-cache madison valkey-server | awk -F '|' '{ v = $2; gsub(/ /, "", v); sub(/^[0-9]+:/, "", v); if (v + 0 >= 8) { print v; exit } }')
  [ -n "$carried" ] || no_valkey
  [ "$(dpkg-query -W -f '${db:Status-Status}' valkey-server 2>/dev/null)" != installed ] ||
    die "an older valkey-server is installed, and its service is yours to upgrade: apt-get install valkey-server${suite:+/$suite} valkey-tools${suite:+/$suite}"
  hold_service
  installing=1
  say "installing Valkey $carried (its own service stays off; this is not interrupted half-way)"
  # dpkg stopped in the middle leaves a package that the next apt run of anybody's would configure, and start.
  trap 'interrupted=129' HUP
  trap 'interrupted=130' INT
  trap 'interrupted=143' TERM
  ( trap '' HUP INT TERM; apt_install "valkey-server${suite:+/$suite}" "valkey-tools${suite:+/$suite}" ) ||
    die 'apt-get install failed; its message is above.'
  [ -z "$interrupted" ] || exit "$interrupted"
  undo_apt_changes
  trap - EXIT HUP INT TERM
}

# The machine's own mirror and key, read from the source that serves bookworm.
add_backports() {
  from_here=$(apt_source bookworm)
  [ -n "$from_here" ] || die "Valkey 8 for Debian 12 lies in bookworm-backports, and no apt source of this machine serves bookworm. Add one and run this again."
  file=/etc/apt/sources.list.d/bookworm-backports.sources
  [ ! -e "$file" ] || die "$file is there but switched off. Switch it on and run this again."
  say "adding the suite bookworm-backports ($file)"
  added_source=$file
  printf 'Types: deb\n%s\nSuites: bookworm-backports\nComponents: main\n' "$from_here" >"$file.new"
  mv "$file.new" "$file"
}

# Debian starts a service at install unless policy-rc.d forbids it. Ours forbids only this one, so that even one left behind by a
# killed set-up holds up nothing else; the next set-up takes it for its own by its second line.
hold_service() {
  mark='# by the set-up of valkeep, while it installs'
  if [ -e "$policy" ] && [ "$(sed -n 2p "$policy")" != "$mark" ]; then
    rule=0
    "$policy" valkey-server start >/dev/null 2>&1 || rule=$?
    [ "$rule" = 101 ] || die "$policy lets services start, and valkey-server's must not. Install it yourself: apt-get install valkey-server${suite:+/$suite}"
    return
  fi
  added_policy=1
  printf '#!/bin/sh\n%s\ncase "$*" in *valkey*) exit 101 ;; esac\n' "$mark" >"$policy.new"
  chmod 755 "$policy.new"
  mv "$policy.new" "$policy"
}

# Where a set-up ends, however it ends: no source that did not serve, no policy of ours, no service.
undo_apt_changes() {
  [ -z "$added_source" ] || rm -f "$added_source" "$added_source.new"
  [ -n "$installing" ] || return 0
  # Without this the service would start with the machine.
  systemctl disable valkey-server.service >/dev/null 2>&1 || true
  update-rc.d valkey-server disable >/dev/null 2>&1 || true
  [ -z "$added_policy" ] || rm -f "$policy" "$policy.new"
}
