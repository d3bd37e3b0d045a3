# shellcheck shell=bash
# Building the programs from Go modules.

readonly VERSION_PACKAGE=k8s.io/component-base/version

# Clients read the server's version, which a plain build would leave at v0.0.0.
kubernetes_flags() {
  local minor=${KUBERNETES#*.}
  echo "-X $VERSION_PACKAGE.gitVersion=v$KUBERNETES -X $VERSION_PACKAGE.gitMajor=${KUBERNETES%%.*} -X $VERSION_PACKAGE.gitMinor=${minor%%.*}"
}

# module_hash MODULE FLAGS: changes when the module's programs would.
module_hash() {
  local module=$1
  {
    printf '%s\n' "$2"
    cd "$HERE/go/$module" && find . -type f \( -name '*.go' ! -name '*_test.go' -o -name 'go.*' \) -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}

build_programs() {
  build_module tools "tools (oci, pause)" ./... ""
  build_module kubernetes "Kubernetes $KUBERNETES" tool "$(kubernetes_flags)"
  build_module addons "CoreDNS, local-path-provisioner" tool ""
  build_module network-policies "network-policies" ./... ""
}

# build_module MODULE TITLE PACKAGES LDFLAGS
build_module() {
  local module=$1 title=$2 packages=$3 flags=$4 hash
  hash=$(module_hash "$module" "$flags")
  # The stamp is written last, so programs of an interrupted build don't count.
  [[ $(cat "$BIN/.$module" 2>/dev/null) == "$hash" ]] && return
  check_go
  mkdir -p "$BIN"
  rm -rf "$BIN/.new-$module"
  mkdir "$BIN/.new-$module"
  say "building $title"
  step "built $title" compile "$module" "$packages" "-s -w $flags"
  rm -f "$BIN/.$module"
  mv -f "$BIN/.new-$module"/* "$BIN/"
  rmdir "$BIN/.new-$module"
  printf '%s\n' "$hash" >"$BIN/.$module.new"
  mv "$BIN/.$module.new" "$BIN/.$module"
}

compile() { # MODULE PACKAGES LDFLAGS
  # -mod=readonly: what go.sum doesn't vouch for isn't built.
  (cd "$HERE/go/$1" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off \
    go build -mod=readonly -buildvcs=false -trimpath -ldflags "$3" -o "$BIN/.new-$1/" "$2") ||
    die "go build failed in tests/cluster/go/$1."
}
