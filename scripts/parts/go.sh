# Sourced: what the parts made of Go modules share. The module proxy, the checksum database and the caches are the machine's own; no host is
# written here. What was compiled stays in Go's own cache: a build that was killed goes on where it stopped, a newer version builds what is new.
# shellcheck shell=sh

# need_go PART
need_go() {
  command -v go >/dev/null 2>&1 || die "the test part $1 is built of Go modules, and this machine has no go. Install Go 1.26 or newer and have it on PATH."
  export CGO_ENABLED=0 GOWORK=off
}

# go_install DIR PACKAGE@VERSION [LDFLAGS]: the program, in DIR under its own name.
go_install() {
  GOBIN=$1 go install -ldflags "-s -w ${3:-}" "$2" >&2 || die "Go could not build $2; its message is above. Run the same command again once that is mended."
}

# go_main FILE SOURCE LDFLAGS: the program of one source file, in the module of the working directory, whose go.mod need not be complete.
go_main() {
  cp "$2" main.go
  go build -mod=mod -ldflags "-s -w $3" -o "$1" . >&2 || die "Go could not build $2; its message is above. Run the same command again once that is mended."
}

# go_mod_of MODULE@VERSION: the path of its go.mod, once it is here. Asked outside of any module: one that is being written is none yet.
go_mod_of() {
  go_answer=$(go -C / mod download -json "$1") || die "Go could not fetch $1: $go_answer"
  printf '%s\n' "$go_answer" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p'
}
