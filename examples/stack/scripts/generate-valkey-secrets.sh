#!/bin/sh
# Makes the passwords of this Valkey stack and its ACL file, without Node.
# Written by valkeep from stack.yaml, whose users stand below: change that, and write this anew.
set -euf
# A name that the caller exported would carry a password into the environment of every child.
set +a
unset password own found many line
umask 077
LC_ALL=C
export LC_ALL

me='generate-valkey-secrets.sh'
acl_file='valkey_users.acl'
credentials='credentials.env.example'
users='mcp-agent mcp-admin log-writer healthcheck'
health_user='healthcheck'
owner='999:1000'
stack_dir='deploy/secrets'
# What the ACL file begins with: the user default, which is off.
acl_head='user default off resetchannels -@all'
restart='docker compose -f deploy/docker-compose.yml restart valkey'
alphabet='ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'
# Where files are written before they have their names; it also keeps a second run out.
work=.new

# about USER: its variable, the file of its own where it has one, and its line of the ACL around the digests.
# shellcheck disable=SC2016 # a pattern may hold a dollar
about() {
  case $1 in
    'mcp-agent')
      env='VALKEY_MCP_AGENT_PASS' file='' reader=''
      before='user mcp-agent on'
      after='~molis:blocked:* ~molis:approved:* ~molis:config:* resetchannels -@all +@read +@write +@connection -@admin -@dangerous -del -unlink -getdel -rename -renamenx -move -restore -function -client|reply +info'
      ;;
    'mcp-admin')
      env='VALKEY_MCP_ADMIN_PASS' file='' reader=''
      before='user mcp-admin on'
      after='~molis:* resetchannels -@all +@all -@dangerous -flushall -flushdb -debug -config -shutdown -acl +acl|whoami -function -script|flush -client|reply +info'
      ;;
    'log-writer')
      env='VALKEY_LOG_WRITER_PASS' file='' reader=''
      before='user log-writer on'
      after='~molis:log:events resetchannels -@all +zadd +zrangebyscore +zcard +ping +hello +auth +quit +reset +client|setinfo +client|setname'
      ;;
    'healthcheck')
      env='VALKEY_HEALTHCHECK_PASS' file='valkey_password.txt' reader=''
      before='user healthcheck on'
      after='resetchannels -@all +ping +info +hello +auth +quit +reset +client|setinfo +client|setname'
      ;;
    *) return 1 ;;
  esac
}

usage() {
  cat <<END
Usage: $me [DIR] [--rotate USER [--keep-old]] [--drop-old USER] [--force]

Makes a password for each user in DIR (default ./secrets), and the files that follow from them: $acl_file with
their SHA-256 digests, $credentials, and the password files. What is there is kept.

  --rotate USER    a new password for this user
  --keep-old       with --rotate: the old one stays valid beside it, while its consumers change over
  --drop-old USER  ends what --keep-old left valid
  --force          a new password for every user

Users: $users
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

# A state that needs a person; the others are told as well before it ends.
conflicts=0
conflict() {
  printf '%s: %s\n' "$me" "$1" >&2
  conflicts=$((conflicts + 1))
}

known_user() {
  about "$1" || wrong "there is no user $1 (users: $users)"
}

read_command_line() {
  dir='' rotate='' drop_old='' keep_old=no force=no options=yes
  while [ $# -gt 0 ]; do
    case $options:$1 in
      yes:--help) usage && exit 0 ;;
      yes:--) options=no ;;
      yes:--force) force=yes ;;
      yes:--keep-old) keep_old=yes ;;
      yes:--rotate | yes:--drop-old)
        [ $# -ge 2 ] || wrong "$1 needs a user"
        known_user "$2"
        if [ "$1" = --rotate ]; then
          [ -z "$rotate" ] || wrong '--rotate takes one user at a time'
          rotate=$2
        else
          [ -z "$drop_old" ] || wrong '--drop-old takes one user at a time'
          drop_old=$2
        fi
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
  [ $keep_old = no ] || [ -n "$rotate" ] || wrong '--keep-old goes with --rotate'
  [ $force = no ] || [ -z "$rotate$drop_old" ] || wrong '--force makes every password new: it stands alone'
  [ -z "$rotate" ] || [ "$rotate" != "$drop_old" ] ||
    wrong "--rotate without --keep-old ends the old password of $rotate by itself"
  # In a stack's directory it is the stack's.
  if [ -z "$dir" ] && [ -f stack.yaml ]; then dir=$stack_dir; fi
  dir=${dir:-./secrets}
  # cd and mkdir would take a leading dash for an option.
  case $dir in -*) dir=./$dir ;; esac
}

# Goes into DIR, made where it is missing, and locks it.
enter() {
  if [ ! -d "$dir" ]; then
    (umask 022 && mkdir -p "$dir") || fail "cannot make $dir"
    chmod 700 "$dir"
  fi
  CDPATH='' cd "$dir" || fail "cannot enter $dir"
  case $(ls -ld .) in
    d???------*) ;;
    *) note "others may look into $dir: chmod 700 it, if it is for the secrets alone" ;;
  esac
  lock
}

# Docker makes an empty directory of a file that it was to mount and did not find.
no_directory() {
  [ ! -d "$1" ] || fail "$dir/$1 is a directory: remove it"
}

# Passwords go from builtin to stdin, never as arguments: those everybody can read.
sha256() {
  if command -v sha256sum >/dev/null 2>&1; then
    sum=$(sha256sum) && sum=${sum%% *}
  else
    sum=$(openssl dgst -sha256) && sum=${sum##* }
  fi
  is_digest "$sum" || fail 'neither sha256sum nor openssl makes a SHA-256 here'
  printf %s "$sum"
}

is_digest() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ ${#1} -eq 64 ]
}

random_bytes() {
  openssl rand 512 2>/dev/null || dd if=/dev/urandom bs=512 count=1 2>/dev/null
}

# A new $password. What is not of the alphabet is thrown away, so every character is equally likely.
make_password() {
  while :; do
    many=$(random_bytes | tr -dc "$alphabet")
    password=$(printf %.32s "$many")
    [ ${#password} -eq 32 ] || fail 'no randomness: neither openssl nor /dev/urandom gives any'
    case $password in
      *[0-9]*[A-Za-z]* | *[A-Za-z]*[0-9]*) return ;;
    esac
  done
}

# A user whom this script does not know came to stack.yaml since it was written: without the line it would be gone.
refuse_strangers() {
  [ -f "$acl_file" ] || return 0
  while read -r word name line || [ -n "$word" ]; do
    if [ "$word" != user ] || [ "$name" = default ] || about "$name"; then continue; fi
    conflict "$acl_file has the user $name, whom this script does not know: write it anew (valkeep stack scripts --force), or remove the line"
  done <"$acl_file"
}

# The digests of a user in the ACL file, a space before each.
digests_of() {
  [ -f "$acl_file" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in "user $1 "*) ;; *) continue ;; esac
    for word in $line; do
      case $word in
        '#'*)
          is_digest "${word#?}" || fail "$acl_file: a password of $1 is no SHA-256 digest"
          printf ' %s' "${word#?}"
          ;;
      esac
    done
  done <"$acl_file"
}

# The value of a variable in the credentials file; the last line counts.
credential_of() {
  [ -f "$credentials" ] || return 0
  found=''
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line#export }
    case $line in "$1="*) found=${line#*=} ;; esac
  done <"$credentials"
  printf %s "${found%"$cr"}"
}

first_line() {
  [ -f "$1" ] || return 0
  IFS= read -r found <"$1" || :
  printf %s "${found%"$cr"}"
}

replaced() {
  [ $force = yes ] || [ "$rotate" = "$1" ]
}

# Finds out what is known of a user: $password and $digests, either may be empty.
know() {
  about "$1"
  digests=''
  if [ $keep_old = yes ] || ! replaced "$1"; then digests=$(digests_of "$1"); fi
  password=$(credential_of "$env")
  own=''
  if [ -n "$file" ]; then own=$(first_line "$file"); fi
  differ=no
  [ -z "$password" ] || [ -z "$own" ] || [ "$password" = "$own" ] || differ=yes
  password=${password:-$own}
}

# Settles the password and digests of a user after this run.
settle() {
  if replaced "$1" || [ -z "$password$digests" ]; then
    make_password
    digests=" $(printf %s "$password" | sha256)$digests"
    made=yes
    return
  fi
  if [ $differ = yes ]; then
    conflict "$file and $credentials have two passwords for $1: make both the same; --rotate $1 makes a new one"
    return
  fi
  if [ -z "$password" ]; then
    [ "$drop_old" != "$1" ] ||
      conflict "which password of $1 is current cannot be told, it is in no file here; --rotate $1 makes a new one"
    [ -z "$file" ] ||
      note "$file cannot be written, the password of $1 is known by its digest alone; --rotate $1 makes a new one"
    return
  fi
  # What a file, a shell and a person all read alike.
  case $password in
    *[!A-Za-z0-9_.~+=:@%^,/-]*)
      conflict "the password of $1 in ${file:-$credentials} is not one word of letters, digits and _ . ~ + = : @ % ^ , / -: --rotate $1"
      return
      ;;
  esac
  digest=$(printf %s "$password" | sha256)
  case "$digests " in
    ' ') digests=" $digest" ;;
    *" $digest "*) [ "$drop_old" != "$1" ] || digests=" $digest" ;;
    *)
      conflict "the password of $1 on file is not in $acl_file, by an edit or a cut-short rotation: --rotate $1"
      ;;
  esac
}

# Writes what follows from it beside the others, still under no name.
note_down() {
  if [ -n "$password" ]; then
    printf '%s=%s\n' "$env" "$password" >>"$work/$credentials"
    if [ -n "$file" ]; then printf '%s\n' "$password" >"$work/$file"; fi
  fi
  printf '%s' "$before" >>"$work/$acl_file"
  for digest in $digests; do printf ' #%s' "$digest" >>"$work/$acl_file"; done
  printf ' %s\n' "$after" >>"$work/$acl_file"
}

same() {
  [ -f "$2" ] && [ "$(cat "$1" && echo .)" = "$(cat "$2" && echo .)" ]
}

# publish NAME [UID:GID]: the file appears whole, with its mode and owner. Root hands over what others read.
publish() {
  if same "$work/$1" "$1"; then done=kept now=$1; else done=wrote now=$work/$1; fi
  if [ -n "${2:-}" ] && [ "$(id -u)" = 0 ]; then chown "$2" "$now"; fi
  chmod 600 "$now"
  if [ $done = wrote ]; then
    sync "$now" 2>/dev/null || :
    mv -f "$now" "$1"
  fi
  printf '%s %s\n' $done "$1"
}

# Plaintext before the ACL file: whatever is killed between them, no password is valid that nobody knows.
publish_all() {
  for user in $users; do
    about "$user"
    [ "$user" != "$health_user" ] || reader=$owner
    if [ -n "$file" ] && [ -f "$work/$file" ]; then publish "$file" "$reader"; fi
  done
  if [ -f "$credentials" ] || [ $had_acl = no ] || [ $made = yes ]; then
    publish "$credentials"
  else
    note "$credentials was taken away, and stays so: no password is new"
  fi
  changed=no
  same "$work/$acl_file" "$acl_file" || changed=yes
  publish "$acl_file" "$owner"
  [ $changed = no ] || [ $had_acl = no ] || printf 'Valkey reads its users only at its start: %s\n' "$restart"
}

main() {
  read_command_line "$@"
  # As a program of its own it would show its arguments to everybody.
  [ "$(command -v printf)" = printf ] || fail 'this shell has no printf of its own: use dash, bash or busybox'
  cr=$(printf '\r')
  if [ -n "$rotate$drop_old" ] && [ ! -f "$dir/$acl_file" ] && [ ! -f "$dir/$credentials" ]; then
    wrong "there are no secrets in $dir: name their directory, or make them first"
  fi
  check_owner
  enter
  had_acl=no made=no
  [ ! -f "$acl_file" ] || had_acl=yes
  no_directory "$acl_file"
  no_directory "$credentials"
  [ $force = yes ] || refuse_strangers
  printf '%s\n' "$acl_head" >"$work/$acl_file"
  : >"$work/$credentials"
  for user in $users; do
    know "$user"
    [ -z "$file" ] || no_directory "$file"
    settle "$user"
    note_down
  done
  [ $conflicts -eq 0 ] || exit 1
  publish_all
}

main "$@"
