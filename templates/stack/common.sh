# What both generators begin with; renderScripts puts it into them.
# shellcheck shell=sh

fail() {
  printf '%s: %s\n' "$me" "$1" >&2
  exit 1
}

wrong() {
  printf '%s: %s; --help tells more\n' "$me" "$1" >&2
  exit 2
}

note() {
  printf 'note: %s\n' "$1" >&2
}

# Takes the lock of the working directory, which holds what is not finished. A killed run's leftovers are removed.
lock() {
  locked=no
  trap '[ $locked = no ] || rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if ! mkdir "$work" 2>/dev/null; then
    pid=''
    [ -d "$work" ] || fail "cannot write in $dir"
    if [ -r "$work/.pid" ]; then read -r pid <"$work/.pid" || :; fi
    [ -n "$pid" ] || fail "another run may be at work in $dir; if none is, remove $dir/$work"
    [ "$pid" = $$ ] || ! kill -0 "$pid" 2>/dev/null ||
      fail "process $pid is at work in $dir; if that is none of ours, remove $dir/$work"
    rm -rf "$work"
    mkdir "$work" || fail "cannot write in $dir"
  fi
  locked=yes
  echo $$ >"$work/.pid"
}

# Only root can hand files over, and the container reads none that are somebody else's.
check_owner() {
  case $(id -u) in
    0 | "${owner%:*}") ;;
    *) fail "the service runs as user $owner, and only root can hand it files: run this as root, or as that user" ;;
  esac
}
