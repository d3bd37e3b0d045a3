#!/usr/bin/env bash
# Builds kwok, which plays a node and its kubelet, at the version in go.mod, and says on standard output where it is.
#
# usage: build.sh DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$1/kwok-$(sha256sum "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-16)

if [[ ! -x $home/kwok ]]; then
  command -v go >/dev/null || { echo "kwok is built from source: install Go 1.25 or newer" >&2 && exit 1; }
  echo "building kwok, once: some minutes" >&2
  mkdir -p "$home"
  # -mod=readonly: what go.sum doesn't vouch for isn't built. Moved at the end: half a program isn't one.
  (cd "$here" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off \
    go build -mod=readonly -buildvcs=false -trimpath -ldflags '-s -w' -o "$home/.new" sigs.k8s.io/kwok/cmd/kwok)
  mv "$home/.new" "$home/kwok"
fi
printf '%s\n' "$home/kwok"
