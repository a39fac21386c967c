#!/bin/sh
# Makes a running server take new passwords and certificates, which the kubelet changes on their volumes within about a minute. It looks every few
# seconds: not every image has a program that waits for changes of files.
. "${0%/*}/lib.sh"

state() { cat "$auth"/* "$tls"/tls.crt "$tls"/ca.crt 2>/dev/null | sha256sum; }

take_passwords() {
  [ "$AUTH" = no ] || take default default
  while read -r name _; do
    [ -z "$name" ] || take "$name" "user-$name"
  done <"$conf/users"
}

# set_user USER RULE: on the server, and where there is a sentinel beside it on that too.
set_user() {
  here ACL SETUSER "$1" "$2" >/dev/null
  [ ! -S "$run/sentinel.sock" ] || as_system -s "$run/sentinel.sock" ACL SETUSER "$1" "$2" >/dev/null
}

# take USER FILE: the new password and, for a while, those before, since other pods and clients learn of it later. Meanwhile one of them may be the
# password again, as after a rollback.
take() {
  new=$(digest "$2")
  before=$(here ACL GETUSER "$1" | grep -E '^[0-9a-f]{64}$' | grep -vx "$new")
  [ -n "$before" ] || return 0
  say "a new password for $1"
  set_user "$1" "#$new"
  (
    sleep "${PASSWORD_GRACE:-120}"
    for one in $before; do
      [ "$one" = "$(digest "$2")" ] || set_user "$1" "!$one"
    done
  ) &
}

take_certificate() {
  [ -f "$tls/tls.crt" ] || return 0
  case $(here CONFIG SET tls-cert-file "$tls/tls.crt" tls-key-file "$tls/tls.key" tls-ca-cert-file "$tls/ca.crt") in
    OK) say 'the certificate on the volume is served' ;;
    *) say 'the certificate on the volume was refused; the one before is still served' ;;
  esac
}

main() {
  # The first look too: what changed while the server came up is not missed.
  known=''
  while sleep "${WATCH_SECONDS:-5}"; do
    now=$(state)
    [ "$now" != "$known" ] || continue
    # Tried again at the next look, where the server is away just now.
    [ "$(here PING)" = PONG ] || continue
    known=$now
    take_passwords
    take_certificate
  done
}

main
