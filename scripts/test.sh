#!/bin/sh
# npm test: sets up, then checks and tests everything, and ends with the sums. Stops at the first stage that fails.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"

usage() {
  cat <<'END'
npm test [-- OPTIONS]
  --only PATTERN   run only the test files whose path contains PATTERN; no type check, lint, format or unused-code check
  --kube           build Kubernetes and Helm where they are missing (a quarter of an hour, once), as CI=true does: without them the chart's tests
                   in test/kube are skipped
  --full           property tests at full size (1,000 variants or more of each family), VALKEEP_TEST_FULL=1 for the tests; and test/kube/long,
                   half an hour of the chart's rarer turns
END
}
only=''
kube=''
while [ $# -gt 0 ]; do
  case $1 in
    --only) [ $# -ge 2 ] || { usage >&2; exit 2; }; only=$2; shift 2 ;;
    --kube) kube=1; shift ;;
    --full) export VALKEEP_TEST_FULL=1; shift ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

. "$root/scripts/setup.sh"
setup dev
if [ -n "$kube" ] || [ "${CI:-}" = true ]; then setup kube; fi
PATH=${node%/*}:$root/node_modules/.bin:$PATH
# The tests' processes share one compile cache: without it each pays for type stripping again.
NODE_COMPILE_CACHE=$root/node_modules/.cache/valkeep-test
export PATH NODE_COMPILE_CACHE
# oxlint takes CI=true for a terminal with colours.
[ -t 1 ] || export NO_COLOR=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
: >"$work/sums"
started=$(date +%s)

# The sums over all stages, as node's own test runner ends.
summary() {
  awk -v seconds="$(($(date +%s) - started))" '
    { sum[$2] += $3 }
    END {
      n = split("tests suites pass fail cancelled skipped todo", names, " ")
      for (i = 1; i <= n; i++) printf "# %s %d\n", names[i], sum[names[i]]
      printf "# duration_ms %d\n", seconds * 1000
    }' "$work/sums"
}

# stage NAME COMMAND...
stage() {
  name=$1
  shift
  printf '\n== %s\n' "$name"
  if "$@"; then return; fi
  printf '\nFAILED at stage: %s\n' "$name"
  # A check that is no test run still shows in the sums.
  case $name in test:*) ;; *) echo '# fail 1' >>"$work/sums" ;; esac
  summary
  exit 1
}

# test_files DIR...: the selected test files, one a line. The long ones are run by --full, or named.
test_files() {
  for dir in "$@"; do
    [ ! -d "$dir" ] || find "$dir" -name '*.test.ts'
  done | sort | if [ -n "$only" ]; then grep -F -e "$only" || true
  elif [ "${VALKEEP_TEST_FULL:-}" = 1 ]; then cat
  else grep -v /long/ || true; fi
}

# run_tests FILES OPTIONS...: a person reads the spec report, the sums come from the TAP one.
run_tests() {
  files=$1
  shift
  code=0
  # shellcheck disable=SC2086 # no test file has a space in its name
  node --disable-warning=ExperimentalWarning --test --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$work/tap" "$@" $files || code=$?
  grep -E '^# (tests|suites|pass|fail|cancelled|skipped|todo) [0-9]+$' "$work/tap" | tail -n 7 >>"$work/sums"
  return "$code"
}

# test_stage NAME OPTIONS DIR...: nothing where no file is selected.
test_stage() {
  name=$1
  options=$2
  shift 2
  files=$(test_files "$@")
  # shellcheck disable=SC2086 # options are words
  [ -z "$files" ] || stage "test: $name" run_tests "$files" $options
}

if [ -z "$only" ]; then
  stage 'types (tsc)' tsc --noEmit -p tsconfig.json
  stage 'lint and import walls (oxlint)' oxlint --type-aware --deny-warnings
  stage 'format (biome)' biome format .
  stage 'unused code (knip)' knip
fi
# Pure functions share one process; what starts servers has one of its own for each file. Either is ended where it hangs.
# file_limit MS
file_limit() {
  export VALKEEP_TEST_FILE_TIMEOUT_MS="$1"
  bounded="--test-timeout=$1 --import=./scripts/file-timeout.js"
}
file_limit 300000
test_stage unit "--test-isolation=none $bounded" src
test_stage integration "--test-concurrency=2 $bounded" test/integration
test_stage 'faults and end to end' "--test-concurrency=2 $bounded" test/faults test/e2e
# One Kubernetes at a time: two of them keep two processors busy, and what is waited for comes late.
file_limit 900000
test_stage 'chart on Kubernetes' "--test-concurrency=1 $bounded" test/kube
echo
[ -s "$work/sums" ] || { echo "no test file matches: $only" >&2; exit 1; }
summary
