# Sourced: what the other scripts ask of apt. The mirror and its key are the machine's own; no host is written here.
# shellcheck shell=sh

# apt_files KIND: the source files of this machine, one after the other; the empty line ends a file's last stanza.
apt_files() {
  for file in /etc/apt/sources."$1" /etc/apt/sources.list.d/*."$1"; do
    if [ -r "$file" ]; then cat "$file"; echo; fi
  done
}

# apt_source SUITE: `URIs:` and `Signed-By:` (deb822) of the first source on this machine that serves SUITE; nothing where none does.
apt_source() {
  apt_files sources | awk -v suite="$1" '
    function flush() {
      if (!found && types ~ /(^| )deb( |$)/ && enabled !~ /no/ && index(" " suites " ", " " suite " ") && uris != "") {
        print "URIs: " uris; if (signed != "") print "Signed-By: " signed; found = 1
      }
      types = suites = uris = signed = enabled = field = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[ \t]/ { if (field == "signed-by") signed = signed "\n" $0; next }
    {
      field = tolower($0); sub(/:.*/, "", field); value = $0; sub(/^[^:]*:[ \t]*/, "", value); gsub(/[ \t]+/, " ", value)
      if (field == "types") types = value
      else if (field == "suites") suites = value
      else if (field == "uris") uris = value
      else if (field == "signed-by") signed = value
      else if (field == "enabled") enabled = tolower(value)
    }
    END { flush(); exit !found }' && return
  apt_files list | awk -v suite="$1" '
    $1 == "deb" {
      signed = ""; at = 2
      if ($2 ~ /^\[/) {
        while (at <= NF) { option = $at; gsub(/[][]/, "", option); if (sub(/^signed-by=/, "", option)) signed = option; if ($at ~ /\]$/) break; at++ }
        at++
      }
      if ($(at + 1) == suite && $at !~ /^cdrom:/) { print "URIs: " $at; if (signed != "") print "Signed-By: " signed; exit }
    }'
}

# apt_serves SUITE: whether some active source of this machine already names it.
apt_serves() { [ -n "$(apt_source "$1")" ]; }

# apt_update: the lock's time-out does not cover the package lists, so a list locked by another apt is waited for here.
apt_update() {
  attempt=0
  until apt_errors=$(apt-get -qq -o DPkg::Lock::Timeout=300 update 2>&1); do
    attempt=$((attempt + 1))
    case $apt_errors in *'Could not get lock'*) [ "$attempt" -lt 150 ] || break ;; *) break ;; esac
    sleep 2
  done
  [ -z "$apt_errors" ] || printf '%s\n' "$apt_errors" >&2
  case $apt_errors in *'E: '*) return 1 ;; esac
}

# apt_install PACKAGE...: apt's long account is shown only where it failed.
apt_install() {
  apt_account=$(DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" 2>&1) && return
  printf '%s\n' "$apt_account" >&2
  return 1
}

# --- packages that are unpacked, not installed ---
# need_debian PART [HINT]: sets $debian to the mirror and key of the Debian that this machine takes its packages from; ends the part without one.
need_debian() {
  command -v apt-get >/dev/null 2>&1 || die "the test part $1 is made of Debian packages and this system has no apt.${2:+ $2}"
  debian=$(apt_source bookworm)
  [ -n "$debian" ] || debian=$(apt_source trixie)
  [ -n "$debian" ] || die "the test part $1 is made of Debian packages and no apt source of this machine serves Debian."
}

# aside_open UNFINISHED SUITE...: package lists of these suites of $debian for aside_download, in $work. That goes with this script, and so does
# UNFINISHED, where the part is being built. The machine's own lists, archives and packages stay as they are.
aside_open() {
  work=$(mktemp -d)
  unfinished=$1
  shift
  trap 'rm -rf "$work" "$unfinished"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  chmod 755 "$work"
  rm -rf "$unfinished"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources" "$work/debs" "$unfinished"
  printf 'Types: deb\n%s\nSuites: %s\nComponents: main\n' "$debian" "$*" >"$work/sources/aside.sources"
  # Some images empty the machine's archives after every apt, in the middle of another one's install.
  printf '#clear APT::Update::Post-Invoke;\n#clear DPkg::Post-Invoke;\n' >"$work/apt.conf"
  aside_apt update
}

aside_apt() {
  apt-get -qq -c "$work/apt.conf" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::lists=$work/lists" \
    -o "Dir::Cache=$work/cache" -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" >&2
}

# aside_download PACKAGE/SUITE...: their files, in the working directory. Without a suite apt looks for the version that is installed here.
aside_download() { aside_apt download "$@"; }
