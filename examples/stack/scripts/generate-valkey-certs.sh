#!/bin/sh
# Makes the certificates of this Valkey stack with openssl 1.1.1 or newer, without Node.
# Written by valkeep from stack.yaml: change that, and write this anew.
set -euf
umask 077
LC_ALL=C
export LC_ALL

me='generate-valkey-certs.sh'
days=365
ca_subject='/CN=Molis-Valkey-CA/O=OdraLabs'
server_subject='/CN=valkey/O=OdraLabs'
client_subject='/CN=valkey-client/O=OdraLabs'
names='valkey localhost'
addresses='127.0.0.1 ::1'
owner='999:1000'
stack_dir='certs/valkey'
restart='docker compose -f deploy/docker-compose.yml restart valkey'
# Where files are written before they have their names; it also keeps a second run out. A .gitignore of *.key covers it.
work=.new.key

usage() {
  cat <<END
Usage: $me [DIR] [--days N] [--san NAME|IP]... [--renew] [--renew-ca] [--force]

Makes an authority (ca.key, ca.crt), the server's pair (server.key, server.crt) and a client's (client.key, client.crt)
in DIR (default ./certs/valkey). What is there and fits is kept, and a key is never overwritten unasked.

  --days N       lifetime of what is signed now (default $days)
  --san NAME|IP  a further name or address of the server; may be repeated
  --renew        new pairs for server and client under the same authority
  --renew-ca     a new certificate for the authority's key: what it signed stays valid
  --force        everything new: nothing that trusted the old authority connects any more

ca.key may be kept elsewhere; only signing needs it.
END
}

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

read_command_line() {
  dir='' renew=no renew_ca=no force=no options=yes
  while [ $# -gt 0 ]; do
    case $options:$1 in
      yes:--help) usage && exit 0 ;;
      yes:--) options=no ;;
      yes:--renew) renew=yes ;;
      yes:--renew-ca) renew_ca=yes ;;
      yes:--force) force=yes ;;
      yes:--days | yes:--san)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        if [ "$1" = --days ]; then set_days "$2"; else add_san "$2"; fi
        shift
        ;;
      yes:-*) wrong "there is no option $1" ;;
      *:) wrong 'the directory has no name' ;;
      *)
        [ -z "$dir" ] || wrong 'one directory, please'
        dir=$1
        ;;
    esac
    shift
  done
  [ $force = no ] || [ $renew$renew_ca = nono ] || wrong '--force makes everything new: it stands alone'
  # In a stack's directory it is the stack's.
  if [ -z "$dir" ] && [ -f stack.yaml ]; then dir=$stack_dir; fi
  dir=${dir:-./certs/valkey}
  # cd and mkdir would take a leading dash for an option.
  case $dir in -*) dir=./$dir ;; esac
}

set_days() {
  case $1 in
    '' | 0* | *[!0-9]* | ?????*) wrong '--days takes a number from 1 to 3650' ;;
  esac
  [ "$1" -le 3650 ] || wrong '--days takes a number from 1 to 3650'
  days=$1
}

add_san() {
  if is_ipv4 "$1" || is_ipv6 "$1"; then
    case " $addresses " in *" $1 "*) ;; *) addresses="$addresses $1" ;; esac
  elif is_name "$1"; then
    case " $names " in *" $1 "*) ;; *) names="$names $1" ;; esac
  else
    wrong "--san takes a DNS name or an IP address, and this is none: $1"
  fi
}

is_ipv4() (
  case $1 in
    *[!0-9.]* | .* | *. | *..* | *.*.*.*.*) exit 1 ;;
    *.*.*.*) ;;
    *) exit 1 ;;
  esac
  IFS=.
  for part in $1; do
    case $part in 0?* | ????*) exit 1 ;; esac
    [ "$part" -le 255 ] || exit 1
  done
)

is_ipv6() (
  case $1 in
    *[!0-9a-fA-F:]* | *:::* | *::*::* | :[!:]* | *[!:]:) exit 1 ;;
    *:*) ;;
    *) exit 1 ;;
  esac
  IFS=:
  groups=0
  for part in $1; do
    [ ${#part} -le 4 ] || exit 1
    [ -z "$part" ] || groups=$((groups + 1))
  done
  case $1 in *::*) [ $groups -le 7 ] ;; *) [ $groups -eq 8 ] ;; esac
)

is_name() (
  name=${1#'*.'}
  case $name in
    '' | *[!a-zA-Z0-9_.-]* | .* | *. | *..* | -* | *- | *.-* | *-.*) exit 1 ;;
    # Digits and dots that are no address are a slip.
    *[!0-9.]*) ;;
    *) exit 1 ;;
  esac
  [ ${#1} -le 253 ] || exit 1
  IFS=.
  for part in $name; do [ ${#part} -le 63 ] || exit 1; done
)

# Goes into DIR, made where it is missing, and locks it.
enter() {
  [ -d "$dir" ] || (umask 022 && mkdir -p "$dir") || fail "cannot make $dir"
  CDPATH='' cd "$dir" || fail "cannot enter $dir"
  lock
}

# Our own configuration for every openssl: the machine's may add extensions or trust.
configure() {
  OPENSSL_CONF=$work/.openssl.cnf SSL_CERT_FILE=$work/.none SSL_CERT_DIR=$work/.none
  export OPENSSL_CONF SSL_CERT_FILE SSL_CERT_DIR
  {
    cat <<END
[req]
prompt = no
distinguished_name = subject
string_mask = utf8only
[subject]
[ca_ext]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = authority
[authority]
database = $work/.index
serial = $work/.serial
new_certs_dir = $work
unique_subject = no
default_md = sha256
policy = any
[any]
END
    for part in C ST L O OU CN; do echo "$part = optional"; done
    for leaf in client server; do
      cat <<END
[${leaf}_ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = ${leaf}Auth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
    done
    printf 'subjectAltName = @server_names\n[server_names]\n'
    i=0
    for name in $names; do i=$((i + 1)) && printf 'DNS.%s = %s\n' $i "$name"; done
    for address in $addresses; do i=$((i + 1)) && printf 'IP.%s = %s\n' $i "$address"; done
  } >"$work/.openssl.cnf"
}

# What openssl has to say is for the case that it fails.
quietly() {
  "$@" >"$work/.log" 2>&1 </dev/null && return
  cat "$work/.log" >&2
  fail "openssl $2 failed"
}

# The file as it will be after this run.
at() {
  if [ -f "$work/$1" ]; then printf %s "$work/$1"; else printf %s "$1"; fi
}

# 16 random bytes; the first digit keeps the number positive and its length constant.
new_serial() {
  hex=$(openssl rand -hex 16) && printf '4%s' "${hex#?}"
}

new_key() {
  quietly openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$work/$1.key"
}

# An empty passphrase: for a key that has one openssl would ask at the terminal.
public_of_key() {
  openssl pkey -in "$1" -passin pass: -pubout 2>/dev/null </dev/null
}

public_of_certificate() {
  openssl x509 -in "$1" -noout -pubkey 2>/dev/null
}

# belongs NAME FLAG: whether NAME.crt is of NAME.key. FLAG makes anew what cannot be read.
belongs() {
  [ -r "$1.key" ] || fail "this user may not read $1.key"
  of_key=$(public_of_key "$1.key") ||
    fail "$1.key is no key without a passphrase: put the right file back; $2 makes a new one"
  [ -f "$1.crt" ] || return
  of_certificate=$(public_of_certificate "$1.crt") ||
    fail "$1.crt is no certificate: put the right file back; $2 makes a new one"
  [ "$of_key" = "$of_certificate" ]
}

end_of() {
  end=$(openssl x509 -in "$1" -noout -enddate) && printf %s "${end#*=}"
}

# Whether a certificate is still valid in so many seconds.
lasts() {
  openssl x509 -in "$1" -noout -checkend "$2" >/dev/null
}

plan_ca() {
  if [ $force = yes ] || { [ ! -f ca.key ] && [ ! -f ca.crt ]; }; then
    new_key ca 4096
    sign_ca
  elif [ ! -f ca.key ]; then
    public_of_certificate ca.crt >/dev/null ||
      fail 'ca.crt is no certificate: put the right file back; --force makes everything new'
    [ $renew_ca = no ] || need_ca_key ca.crt
  elif ! belongs ca --force; then
    [ ! -f ca.crt ] || fail 'ca.key is not the key of ca.crt: put the right one back, or make everything new: --force'
    sign_ca
  elif [ $renew_ca = yes ]; then
    # Name, key and key identifier stay as they are, so that what was signed before still verifies.
    quietly openssl x509 -in ca.crt -signkey ca.key -passin pass: -sha256 -days "$days" \
      -set_serial "0x$(new_serial)" -out "$work/ca.crt"
  fi
  lasts "$(at ca.crt)" 0 ||
    fail "ca.crt expired on $(end_of "$(at ca.crt)"): --renew-ca --renew signs it again, and new pairs with it"
}

sign_ca() {
  quietly openssl req -x509 -new -key "$(at ca.key)" -passin pass: -sha256 -days "$days" -set_serial "0x$(new_serial)" \
    -subj "$ca_subject" -extensions ca_ext -out "$work/ca.crt"
}

need_ca_key() {
  [ -f "$(at ca.key)" ] ||
    fail "ca.key is not here, and $1 has to be signed: put it beside ca.crt for this run; --force makes all new"
}

# plan_leaf NAME SUBJECT: a new pair, a certificate for the key that is there, or what is there as it is.
plan_leaf() {
  if [ $force = yes ] || [ $renew = yes ] || [ ! -f "$1.key" ]; then
    need_ca_key "$1.crt"
    new_key "$1" 2048
  elif belongs "$1" --renew; then
    lasts "$1.crt" 0 || fail "$1.crt expired on $(end_of "$1.crt"): --renew makes new pairs"
    verify "$1" || fail "$1.crt does not fit ca.crt ($reason): --renew makes new pairs"
    return
  fi
  need_ca_key "$1.crt"
  sign_leaf "$1" "$2"
  verify "$1" ||
    fail "the new $1.crt does not verify ($reason): ca.crt is no proper authority; --force makes all new"
}

# Whether the authority vouches for a certificate in its use; $reason is what openssl says against it.
verify() {
  reason=$(openssl verify -purpose "ssl$1" -CAfile "$(at ca.crt)" "$(at "$1.crt")" 2>&1) && return
  reason=${reason#*lookup: }
  reason=${reason%%"$newline"*}
  return 1
}

# `openssl ca` alone takes an exact end: no certificate outlives its authority, not by a second.
sign_leaf() {
  quietly openssl req -new -key "$(at "$1.key")" -passin pass: -sha256 -subj "$2" -out "$work/.csr"
  new_serial >"$work/.serial"
  echo >>"$work/.serial"
  : >"$work/.index"
  until=-days
  value=$days
  seconds=$((days * 86400))
  if ! lasts "$(at ca.crt)" $((seconds + 60)); then
    until=-enddate
    value=$(compact_end "$(at ca.crt)")
    lasts "$(at ca.crt)" $((seconds - 86400)) ||
      note "$1.crt ends with its authority on $(end_of "$(at ca.crt)"); for longer: --renew-ca --renew"
  fi
  quietly openssl ca -batch -notext -preserveDN -cert "$(at ca.crt)" -keyfile "$(at ca.key)" -passin pass: \
    -extensions "$1_ext" $until "$value" -in "$work/.csr" -out "$work/$1.crt"
}

# The end of a certificate as YYYYMMDDHHMMSSZ; openssl prints `Nov  1 12:00:00 2027 GMT`.
compact_end() {
  IFS=' :' read -r month day hour minute second year zone <<END
$(end_of "$1")
END
  [ "$zone" = GMT ] || fail "cannot read the end of $1"
  case $month in
    Jan) month=01 ;; Feb) month=02 ;; Mar) month=03 ;; Apr) month=04 ;; May) month=05 ;; Jun) month=06 ;;
    Jul) month=07 ;; Aug) month=08 ;; Sep) month=09 ;; Oct) month=10 ;; Nov) month=11 ;; Dec) month=12 ;;
    *) fail "cannot read the end of $1" ;;
  esac
  [ ${#day} -eq 2 ] || day=0$day
  printf %s "$year$month$day$hour$minute${second}Z"
}

# A server's certificate that lacks a name is kept, and clients that use the name would fail.
note_names() {
  missing=''
  for name in $names; do
    # A name stands for what a wildcard covers.
    case $name in '*.'*) probe=any${name#?} ;; *) probe=$name ;; esac
    carries -checkhost "$probe" || missing="$missing $name"
  done
  for address in $addresses; do carries -checkip "$address" || missing="$missing $address"; done
  [ -z "$missing" ] || note "server.crt does not carry$missing; to have it: --renew"
}

carries() {
  case $(openssl x509 -in "$(at server.crt)" -noout "$1" "$2" 2>/dev/null || :) in
    *'does match'*) ;;
    *) return 1 ;;
  esac
}

# publish NAME MODE: the file appears whole, with its mode and owner. Root hands over what the container reads.
publish() {
  if [ -f "$work/$1" ]; then done=wrote now=$work/$1; else done=kept now=$1; fi
  [ -f "$now" ] || return 0
  if [ "$1" != ca.key ] && [ "$(id -u)" = 0 ]; then chown "$owner" "$now"; fi
  chmod "$2" "$now"
  if [ $done = wrote ]; then
    if [ "$1" != ca.key ] && [ -f "$1" ]; then replaced=yes; fi
    sync "$now" 2>/dev/null || :
    mv -f "$now" "$1"
  fi
  printf '%s %s\n' $done "$1"
}

main() {
  read_command_line "$@"
  command -v openssl >/dev/null 2>&1 || fail 'openssl is not here'
  newline='
'
  replaced=no
  check_owner
  enter
  for name in ca.key server.key client.key ca.crt server.crt client.crt; do
    [ ! -d $name ] || fail "$dir/$name is a directory: remove it"
  done
  configure
  plan_ca
  plan_leaf server "$server_subject"
  plan_leaf client "$client_subject"
  note_names
  # Keys first: a certificate without its key would look like a pair that was lost.
  for name in ca server client; do publish $name.key 600; done
  for name in ca server client; do publish $name.crt 644; done
  [ $replaced = no ] || printf 'Valkey reads these only at its start: %s\n' "$restart"
}

main "$@"
