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
