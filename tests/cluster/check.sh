#!/usr/bin/env bash
# Checks of the test cluster and of the images' build files that need no cluster.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
images=../../manifests/images
failed=0

wrong() {
  printf 'check: %s\n' "$*" >&2
  failed=1
}

# Scripts
mapfile -t scripts < <(grep -lE '^#!.*sh$|^# shellcheck shell' cluster ./*.sh lib/*.sh "$images"/*/*.sh)
if command -v shellcheck >/dev/null; then
  shellcheck -x "${scripts[@]}" || failed=1
else
  wrong "shellcheck is missing (apt-get install shellcheck)"
fi
for f in "${scripts[@]}" config/* go/tools/*/*.go go/network-policies/*.go; do
  (($(wc -l <"$f") < 300)) || wrong "$f has 300 lines or more"
done

# One version of Kubernetes
version=$(sed -n 's/^readonly KUBERNETES=\([0-9.]*\).*/\1/p' lib/settings.sh)
grep -qE "k8s.io/kubernetes v$version\$" go/kubernetes/go.mod || wrong "lib/settings.sh says Kubernetes $version, go/kubernetes/go.mod doesn't"
! grep -E '^\tk8s.io/[a-z-]+ => ' go/kubernetes/go.mod | grep -v "v0.${version#*.}\$" || wrong "go/kubernetes/go.mod mixes releases"
! grep -E 'k8s.io/(api|apimachinery|client-go) ' go/network-policies/go.mod | grep -v "v0.${version#*.}\$" || wrong "go/network-policies/go.mod is of another Kubernetes"

# Programs: formatted, tested, and nothing that go.sum doesn't know
for m in tools network-policies; do
  (
    cd "go/$m"
    [[ -z $(gofmt -l .) ]] && CGO_ENABLED=0 go vet ./... && CGO_ENABLED=0 go test ./... >/dev/null
  ) || wrong "go/$m: gofmt, go vet or go test"
done
for m in kubernetes addons; do
  (cd "go/$m" && go list -mod=readonly tool >/dev/null) || wrong "go/$m: go.mod or go.sum isn't complete"
done

# References of images are in the table, and only there
refs=$(awk '!/^#/ && NF { print $2 }' "$images/images.txt")
[[ -z $(sort <<<"$refs" | uniq -d) ]] || wrong "images.txt has a reference twice"
while IFS= read -r hit; do
  wrong "a reference outside of images.txt: $hit"
done < <(grep -rnE 'localhost/[a-z]+:' --include='*.sh' --include='*.yaml' --include='*.toml' --include=cluster . "$images" | grep -v '^./check.sh' | grep -vE ':[0-9]+:\s*#')

# Both ways of building use the same lists and scripts: what the test cluster
# reads must be what the build file copies and runs.
# shellcheck disable=SC2016  # as it is written in the build file
for word in 'packages-${PG_MAJOR}.txt' before.sh after.sh; do
  grep -qE "^COPY .*${word//[\$\{\}]/.}" "$images/postgres/Containerfile" || wrong "postgres/Containerfile doesn't copy $word"
  grep -qE "^(RUN| ).*/opt/image/${word//[\$\{\}]/.}" "$images/postgres/Containerfile" || wrong "postgres/Containerfile doesn't use $word"
done
grep -q 'manifests/images/pgherd/packages.txt' "$images/pgherd/Containerfile" || wrong "pgherd/Containerfile doesn't use packages.txt"
while read -r name reference arguments; do
  [[ $name == postgres ]] || continue
  major=$(grep -oE 'PG_MAJOR=[0-9]+' <<<"$arguments") || wrong "images.txt: $reference has no PG_MAJOR"
  [[ -f $images/postgres/packages-${major#*=}.txt ]] || wrong "images.txt: $reference has no list of packages"
  for a in $arguments; do
    grep -qE "^ARG ${a%%=*}(=|\$)" "$images/postgres/Containerfile" || wrong "images.txt: postgres/Containerfile has no ARG ${a%%=*}"
  done
done <"$images/images.txt"
for list in "$images"/*/packages*.txt; do
  bad=$(sed 's/#.*//' "$list" | grep -vE '^([a-z0-9][a-z0-9+.-]+)?$') && wrong "$list: not a package: $bad"
done

((failed == 0)) && echo "tests/cluster: all checks passed"
exit "$failed"
