#!/usr/bin/env bash
# Runs cargo's tests (or, as first argument, its benchmarks) with the test cluster up and this build in it. A cluster that
# was not up before is stopped afterwards.
#
# usage: tests/run.sh [bench] [ARGUMENTS OF CARGO…]
set -euo pipefail
cd "$(dirname "$0")/.."

measure=
if [[ ${1:-} == bench ]]; then measure=yes && shift; fi

cluster=tests/cluster/cluster
was_up=yes
"$cluster" status >/dev/null 2>&1 || was_up=
stop() {
  [[ -n $was_up ]] || "$cluster" -q down
}
trap stop EXIT

# What is measured is what ships; what is tested is built in seconds.
if [[ -n $measure ]]; then profile=release; else profile=quick; fi
cargo build --profile "$profile" --locked
# What needs no cluster comes first.
if [[ -n $measure ]]; then cargo bench --locked --bench inventory; fi
target=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
binary=$target/$profile/pgherd
"$cluster" up
"$cluster" load-images "$binary"
eval "$("$cluster" env)"
export PGHERD_TEST_KUBECONFIG=$KUBECONFIG PGHERD_REQUIRE_CLUSTER=1

if [[ -n $measure ]]; then
  cargo bench --locked --bench cluster "$@"
else
  # Every test has an installation of its own, and mostly waits. More than two at a time would wait for the processors.
  export RUST_TEST_THREADS=${RUST_TEST_THREADS:-2}
  cargo test --profile quick --locked "$@"
fi
