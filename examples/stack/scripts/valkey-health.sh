#!/bin/sh
# Whether this Valkey is well: one line, OK or WARNING with exit status 0, CRITICAL with 1. Needs valkey-cli alone.
# Written by valkeep, whose `valkeep stack health` judges alike.
set -uf
# A name that the caller exported would carry the password into the environment of every child.
set +a
unset password
LC_ALL=C
export LC_ALL

usage() {
  cat <<'END'
Usage: valkey-health.sh

Asks a Valkey over TLS whether it answers, how full it is, and whether its append-only file is on.
Its settings are environment variables:

  VALKEY_HOST           valkey
  VALKEY_PORT           6379
  VALKEY_USER           healthcheck
  VALKEY_PASSWORD_FILE  /run/secrets/valkey_password
  VALKEY_TLS_CERT       /etc/valkey/tls/client.crt
  VALKEY_TLS_KEY        /etc/valkey/tls/client.key
  VALKEY_TLS_CA         /etc/valkey/tls/ca.crt
  MEMORY_WARN_PERCENT   80
  VALKEY_TIMEOUT        5
END
}

critical() {
  printf 'CRITICAL: %s\n' "$1"
  exit 1
}

# A whole number from 1 to MAX in digits alone, without leading zeros.
whole_number() {
  case $1 in '' | 0* | *[!0-9]* | ??????*) return 1 ;; esac
  [ "$1" -le "$2" ]
}

# A variable that is set and empty is as wrong as any other wrong value.
read_settings() {
  host=${VALKEY_HOST-'valkey'}
  port=${VALKEY_PORT-'6379'}
  user=${VALKEY_USER-'healthcheck'}
  password_file=${VALKEY_PASSWORD_FILE-'/run/secrets/valkey_password'}
  cert=${VALKEY_TLS_CERT-'/etc/valkey/tls/client.crt'}
  key=${VALKEY_TLS_KEY-'/etc/valkey/tls/client.key'}
  ca=${VALKEY_TLS_CA-'/etc/valkey/tls/ca.crt'}
  percent=${MEMORY_WARN_PERCENT-'80'}
  timeout=${VALKEY_TIMEOUT-'5'}
  case $host in
    '' | *[!a-zA-Z0-9._-]*) critical 'VALKEY_HOST must be a name or address of letters, digits, . _ and -' ;;
  esac
  whole_number "$port" 65535 || critical 'VALKEY_PORT must be a number from 1 to 65535'
  whole_number "$percent" 100 || critical 'MEMORY_WARN_PERCENT must be a number from 1 to 100'
  whole_number "$timeout" 3600 || critical 'VALKEY_TIMEOUT must be a number of seconds from 1 to 3600'
  case $user in
    [!a-z]* | '' | *[!a-z0-9_-]*) critical 'VALKEY_USER must be a name of a-z, 0-9, _ and -' ;;
  esac
  [ -n "$password_file" ] || critical 'VALKEY_PASSWORD_FILE must name a file'
  [ -n "$cert" ] || critical 'VALKEY_TLS_CERT must name a file'
  [ -n "$key" ] || critical 'VALKEY_TLS_KEY must name a file'
  [ -n "$ca" ] || critical 'VALKEY_TLS_CA must name a file'
}

read_password() {
  for file in "$password_file" "$cert" "$key" "$ca"; do
    { [ -f "$file" ] && [ -r "$file" ]; } || critical "$file cannot be read"
  done
  IFS= read -r password <"$password_file" || :
  password=${password%"$cr"}
  [ -n "$password" ] || critical "$password_file is empty"
}

# Prints what the server says, and the exit status of valkey-cli as the last line. The deadline is not left to
# `timeout`: busybox's leaves a watcher behind, a zombie of process 1, the server. Here every child is waited for.
ask() {
  printf 'PING\nINFO memory\nINFO persistence\n' |
    REDISCLI_AUTH=$password valkey-cli --tls --cert "$cert" --key "$key" --cacert "$ca" \
      -h "$host" -p "$port" --user "$user" --no-auth-warning 2>&1 &
  cli=$!
  (
    trap 'kill "$!"; wait; exit' TERM
    sleep "$timeout" &
    wait "$!"
    kill -9 "$cli"
  ) >/dev/null &
  watch=$!
  status=0
  wait "$cli" || status=$?
  kill "$watch"
  wait
  printf '\n%s' "$status"
}

# A field of INFO, empty where there is none.
field() {
  value=${answer#*"$newline$1:"}
  [ "$value" != "$answer" ] || value=''
  value=${value%%"$newline"*}
  value=${value%"$cr"}
}

# Says why the server did not answer as it should.
explain() {
  case $status in
    137) critical "no answer within $timeout seconds" ;;
    126 | 127) critical 'valkey-cli cannot be run' ;;
  esac
  case $newline$answer in
    *"${newline}LOADING "*) critical 'the server is still loading its data' ;;
    *"${newline}AUTH failed"* | *"${newline}NOAUTH "*) critical "the server refuses the user $user with this password" ;;
    *"${newline}NOPERM "*) critical "the user $user may not do PING and INFO" ;;
    *"${newline}I/O error"* | *"${newline}Error: "*)
      critical "the server cut the connection: is $cert signed by its authority, and still valid?"
      ;;
  esac
  first=${answer%%"$newline"*}
  first=${first%"$cr"}
  case $first in
    *"$password"* | *[![:print:]]*) first='something that is not shown' ;;
    'Could not connect to '*': '*) critical "cannot connect to $host:$port: ${first#*"$port: "}" ;;
    'Could not negotiate '*) critical "cannot connect to $host:$port: ${first##*: }, $cert and $key" ;;
  esac
  critical "PING was not answered with PONG but: $(printf %.200s "${first:-nothing}")"
}

digits() {
  case $1 in 0) ;; '' | 0* | *[!0-9]* | ????????????????*) return 1 ;; esac
}

judge() {
  field aof_enabled
  if [ "$value" != 1 ]; then
    critical 'the append-only file is off: a restart would lose what was written since the last snapshot'
  fi
  field used_memory
  used=$value
  field maxmemory
  max=$value
  { digits "$used" && digits "$max"; } || critical 'the server does not say how much memory it uses'
  if [ "$max" = 0 ]; then
    echo 'OK: answers, append-only file on, no memory limit'
    return
  fi
  share=$((used * 100 / max))
  if [ "$share" -ge "$percent" ]; then
    echo "WARNING: memory at $share% of maxmemory (warning from $percent%)"
  else
    echo "OK: answers, append-only file on, memory at $share%"
  fi
}

main() {
  case ${1-} in
    --help) usage && exit 0 ;;
  esac
  if [ $# -gt 0 ]; then
    echo 'valkey-health.sh takes no arguments; --help tells more' >&2
    exit 2
  fi
  cr=$(printf '\r')
  newline='
'
  read_settings
  read_password
  answer=$(ask 2>/dev/null)
  status=${answer##*"$newline"}
  answer=${answer%"$newline"*}
  case $newline$answer in
    "${newline}PONG$newline"* | "${newline}PONG$cr$newline"*) ;;
    *) explain ;;
  esac
  case $newline$answer in *"${newline}NOPERM "* | *"${newline}LOADING "*) explain ;; esac
  judge
}

main "$@"
