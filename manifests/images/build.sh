#!/usr/bin/env bash
# Builds pgherd's images with docker, podman or buildah, whichever is there.
#
# usage: manifests/images/build.sh [REGISTRY]
# Without REGISTRY the images are called as in images.txt; with it they are called REGISTRY/pgherd:dev and
# REGISTRY/postgres:17, and are pushed.
set -euo pipefail
cd "$(dirname "$0")/../.."

registry=${1:-}
for tool in docker podman buildah; do
  if command -v "$tool" >/dev/null; then break; fi
  tool=
done
[[ -n $tool ]] || { echo "docker, podman or buildah is needed to build images" >&2 && exit 2; }

# Prints the arguments that images.txt gives to the build file, each as --build-arg.
build() { # NAME CONTAINERFILE CONTEXT
  local reference arguments=() words
  read -ra words < <(awk -v name="$1" '$1 == name { $1 = ""; print }' manifests/images/images.txt)
  reference=${words[0]}
  [[ -z $registry ]] || reference=$registry/${reference#localhost/}
  for word in "${words[@]:1}"; do arguments+=(--build-arg "$word"); done
  "$tool" build "${arguments[@]}" -f "$2" -t "$reference" "$3"
  [[ -z $registry ]] || "$tool" push "$reference"
}

build postgres manifests/images/postgres/Containerfile manifests/images/postgres
build pgherd manifests/images/pgherd/Containerfile .
