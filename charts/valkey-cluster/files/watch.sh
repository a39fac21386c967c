#!/bin/sh
# Makes a running server take new passwords and certificates: the kubelet changes the files, inotifyd tells us of it.
. "${0%/*}/lib.sh"

state() { cat "$auth"/* "$tls"/tls.crt "$tls"/ca.crt 2>/dev/null | sha256sum; }

take_passwords() {
  [ "$AUTH" = no ] || take default default
  while read -r name _; do
    [ -z "$name" ] || take "$name" "user-$name"
  done <"$conf/users"
}

# take USER FILE: the new password and, for a while, the one before, since other pods and clients learn of it later.
take() {
  new=$(secret "$2" | sha256sum | cut -c 1-64)
  case $(here ACL GETUSER "$1") in *"$new"*) return ;; esac
  say "a new password for $1"
  here ACL SETUSER "$1" "#$new" >/dev/null
  (
    sleep "${PASSWORD_GRACE:-120}"
    here ACL SETUSER "$1" resetpass "#$new" >/dev/null
  ) &
}

take_certificate() {
  [ "$TLS" = yes ] || return 0
  case $(here CONFIG SET tls-cert-file "$tls/tls.crt" tls-key-file "$tls/tls.key" tls-ca-cert-file "$tls/ca.crt") in
    OK) say 'the certificate on the volume is served' ;;
    *) say 'the certificate on the volume was refused; the one before is still served' ;;
  esac
}

main() {
  before=$(state)
  rm -f "$run/changes"
  mkfifo "$run/changes"
  exec 3<>"$run/changes"
  inotifyd - "$auth:cynd" "$tls:cynd" >&3 2>/dev/null &
  # Where there is no such tool, or an event was lost, once a minute all the same.
  while sleep 60; do echo >&3; done &
  while read -r _ <&3; do
    # The kubelet swaps a link in several steps: both files of a pair are there after it.
    sleep 1
    [ "$(state)" != "$before" ] || continue
    # Tried again at the next word, where the server is away just now.
    if ! alive 127.0.0.1; then
      (sleep 2 && echo >&3) &
      continue
    fi
    before=$(state)
    take_passwords
    take_certificate
  done
}

main
