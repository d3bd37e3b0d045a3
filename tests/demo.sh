#!/usr/bin/env bash
# An operator and a database to play with: on this machine's own Kubernetes, or on the kube context in CONTEXT.
#
# usage: tests/demo.sh [remove]
# CONTEXT            a context of your kube config, instead of a Kubernetes of the demo's own
# OPERATOR_IMAGE     images that the nodes of that context can get at
# POSTGRES_IMAGE     (make images REGISTRY=… builds and pushes ours)
set -euo pipefail
cd "$(dirname "$0")/.."

context=${CONTEXT:-}
namespace=postgres-operator
cluster=tests/cluster/cluster
inventory=inventory/minimal.toml

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || step() { printf '\n%s\n' "$*"; }

cargo_target() {
  cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

use_context() {
  export PGHERD_CONTEXT=$context
  if [[ -n ${OPERATOR_IMAGE:-}${POSTGRES_IMAGE:-} ]]; then
    inventory=$(mktemp --suffix=.toml)
    trap 'rm -f "$inventory"' EXIT
    sed -e "s|localhost/pgherd:dev|${OPERATOR_IMAGE:-localhost/pgherd:dev}|" \
      -e "s|localhost/postgres:17|${POSTGRES_IMAGE:-localhost/postgres:17}|" inventory/minimal.toml >"$inventory"
  else
    cat <<T
The nodes of context "$context" have to have the images localhost/pgherd:dev and localhost/postgres:17, or get them from
a registry: make images REGISTRY=registry.example/me, and then the demo with OPERATOR_IMAGE=… POSTGRES_IMAGE=….
T
  fi
}

how_to_call() {
  if [[ -z $context ]]; then
    # shellcheck disable=SC2016  # it is for the reader's shell
    printf 'eval "$(%s env)" && ' "$cluster"
  fi
  printf '%s%s' "$pgherd" "${context:+ --context $context}"
}

if [[ ${1:-} == remove ]]; then
  pgherd=$(cargo_target)/quick/pgherd
  if [[ -z $context ]]; then
    exec "$cluster" wipe
  fi
  use_context
  exec "$pgherd" uninstall --delete-clusters --delete-data --delete-namespaces --delete-definitions -y
fi

step "Building pgherd"
cargo build --profile quick --locked
pgherd=$(cargo_target)/quick/pgherd

if [[ -n $context ]]; then
  use_context
else
  step "Starting a Kubernetes of one node on this machine"
  "$cluster" up
  "$cluster" load-images "$pgherd"
  eval "$("$cluster" env)"
fi

step "Installing the operator: pgherd install -i inventory/minimal.toml"
"$pgherd" install -y -i "$inventory"

step "Creating a database: pgherd create cluster hippo -n $namespace"
if "$pgherd" show cluster hippo -n "$namespace" >/dev/null 2>&1; then
  echo "It is there already."
else
  "$pgherd" create cluster hippo -n "$namespace" -i "$inventory"
fi
"$pgherd" show cluster hippo -n "$namespace"

step "Asking it: pgherd psql hippo -n $namespace -- -c 'select version()'"
"$pgherd" psql hippo -n "$namespace" --ping
"$pgherd" psql hippo -n "$namespace" -- -c 'select version()'

call=$(how_to_call)
cat <<T

The database is at
  postgresql://hippo@hippo-primary.$namespace.svc:5432/hippo
from inside the cluster; its password:
  $call show user -c hippo -n $namespace --reveal

What to try next
  $call psql hippo -n $namespace
  $call show cluster hippo -n $namespace
  $call create cluster second -n $namespace -i inventory/minimal.toml --replicas 2
  $call delete cluster hippo -n $namespace

To remove all of it
  make demo-remove${context:+ CONTEXT=$context}
T
