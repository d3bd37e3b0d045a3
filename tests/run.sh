#!/usr/bin/env bash
# Runs cargo's tests (or, as first argument, its benchmarks) with the test cluster up and this build in it. A cluster that
# was not up before is stopped afterwards.
#
# usage: tests/run.sh [bench|bench-scale] [ARGUMENTS OF CARGO…]
set -euo pipefail
cd "$(dirname "$0")/.."

measure=
if [[ ${1:-} == bench || ${1:-} == bench-scale ]]; then measure=$1 && shift; fi

cluster=tests/cluster/cluster
was_up=yes
"$cluster" status >/dev/null 2>&1 || was_up=
stop() {
  [[ -n $was_up ]] || "$cluster" -q down
}
trap stop EXIT

# versions ARGUMENTS OF CARGO…: whether these tests include those of updates between versions, so far as it can be seen.
versions() {
  local argument option='' some='' e2e='' filters='' fits=''
  for argument; do
    case $option in
      --test) if [[ $argument == e2e ]]; then e2e=yes; fi ;;
      --skip | --test-threads | --format | --color | --logfile | --package | -p | --features | --jobs | -j) ;;
      *)
        case $argument in
          --test | --lib | --bins | --bench) some=yes ;;
          -*) ;;
          *)
            filters=yes
            if [[ versions::the_next_version_takes_over_under_load_and_gives_way_again == *"$argument"* ]]; then fits=yes; fi
            ;;
        esac
        ;;
    esac
    option=$argument
  done
  [[ -z $some || -n $e2e ]] && [[ -z $filters || -n $fits ]]
}

# Before this version: both are built in the same place, and what is there afterwards has to be this one.
next=
if [[ -z $measure ]] && versions "$@"; then next=$(tests/next.sh); fi

# What is measured is what ships; what is tested is built in seconds.
if [[ -n $measure ]]; then profile=release; else profile=quick; fi
cargo build --profile "$profile" --locked
# What needs no cluster comes first.
if [[ $measure == bench ]]; then cargo bench --locked --bench inventory; fi
target=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
binary=$target/$profile/pgherd
"$cluster" up
"$cluster" load-images "$binary"
if [[ -n $next ]]; then
  "$cluster" load-images "$next" localhost/pgherd:next
  export PGHERD_TEST_NEXT=$next
fi
eval "$("$cluster" env)"
export PGHERD_TEST_KUBECONFIG=$KUBECONFIG PGHERD_REQUIRE_CLUSTER=1

# Only what is measured has to be what ships; the program that measures is built in seconds.
if [[ $measure == bench ]]; then
  cargo bench --profile quick --locked --bench cluster -- --program "$binary" "$@"
elif [[ $measure == bench-scale ]]; then
  cargo bench --profile quick --locked --bench scale -- --program "$binary" "$@"
else
  # Every test has an installation of its own, and mostly waits: three keep two processors busy for seven tenths of the time.
  export RUST_TEST_THREADS=${RUST_TEST_THREADS:-3}
  cargo test --profile quick --locked "$@"
fi
