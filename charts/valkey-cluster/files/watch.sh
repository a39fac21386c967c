#!/bin/sh
# Makes a running server take new passwords and certificates, which the kubelet changes on their volumes within about a minute. It looks every few
# seconds: not every image has a program that waits for changes of files.
. "${0%/*}/lib.sh"

passwords() { cat "$auth"/* 2>/dev/null | sha256sum; }
certificate() { cat "$tls/tls.crt" "$tls/ca.crt" 2>/dev/null | sha256sum; }

# take_passwords: whether all were taken by whoever is here, the server and, where there is one, the sentinel.
take_passwords() {
  all=yes
  for socket in valkey sentinel; do
    [ -S "$run/$socket.sock" ] || continue
    [ "$AUTH" = no ] || take default default || all=no
    while read -r name _; do
      [ -z "$name" ] || take "$name" "user-$name" || all=no
    done <"$conf/users"
  done
  [ $all = yes ]
}

at_socket() { as_system -s "$run/$socket.sock" "$@"; }

# take USER FILE: the new password and, for a while, those before, since other pods and clients learn of it later. Meanwhile one of them may be the
# password again, as after a rollback.
take() {
  # Of a user that was added since this pod was made.
  new=$(digest "$2") || return 0
  has=$(at_socket ACL GETUSER "$1" | grep -E '^[0-9a-f]{64}$') || return 1
  before=$(printf '%s\n' "$has" | grep -vx "$new") || return 0
  [ "$(at_socket ACL SETUSER "$1" "#$new")" = OK ] || return 1
  say "$socket has a new password for $1"
  (
    sleep "${PASSWORD_GRACE:-120}"
    for one in $before; do
      # One that is not there any more is an error.
      until [ "$one" = "$(digest "$2")" ]; do
        case $(at_socket ACL SETUSER "$1" "!$one") in OK | ERR*) break ;; esac
        sleep 5
      done
    done
  ) &
}

take_certificate() {
  [ -f "$tls/tls.crt" ] || return 0
  answer=$(here CONFIG SET tls-cert-file "$tls/tls.crt" tls-key-file "$tls/tls.key" tls-ca-cert-file "$tls/ca.crt")
  case $answer in
    OK) say 'the certificate on the volume is served' ;;
    ERR*) say 'the certificate on the volume was refused; the one before is still served' ;;
    *) return 1 ;;
  esac
}

main() {
  # The first look too: what changed while the server came up is not missed. What was not taken is tried again at the next one.
  known='' served=''
  while sleep "${WATCH_SECONDS:-5}"; do
    now=$(passwords)
    [ "$now" = "$known" ] || ! take_passwords || known=$now
    now=$(certificate)
    [ "$now" = "$served" ] || ! take_certificate || served=$now
  done
}

main
