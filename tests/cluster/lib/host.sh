# shellcheck shell=bash
# What the machine must have, and getting what is missing.

# What is looked for, and the Debian package that has it.
readonly NEEDED=(
  containerd:containerd ctr:containerd runc:runc etcd:etcd-server
  cni-bridge:containernetworking-plugins iptables:iptables ip:iproute2
  nsenter:util-linux unshare:util-linux mount:mount
  openssl:openssl mmdebstrap:mmdebstrap apt-get:apt dpkg-deb:dpkg
  /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
)

# The directory of the CNI plugins, which every distribution puts elsewhere.
cni_plugins() {
  local d
  for d in /usr/lib/cni /usr/libexec/cni /opt/cni/bin; do
    [[ -x $d/bridge && -x $d/host-local ]] && echo "$d" && return
  done
  return 1
}

have() {
  case $1 in
    cni-bridge) cni_plugins >/dev/null ;;
    /*) [[ -e $1 ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Without these nothing can be done at all.
check_host() {
  [[ $(uname -s) == Linux ]] || unable "the test cluster runs on Linux only, this is $(uname -s)."
  ((EUID == 0)) || unable "the test cluster needs root: it makes namespaces, mounts and control groups."
  command -v flock >/dev/null || unable "the program flock (util-linux) is missing."
}

check_go() {
  local hint="Kubernetes is built from source. Install Go 1.25 or newer: https://go.dev/dl" version
  command -v go >/dev/null || unable "Go is missing. $hint"
  version=$(go env GOVERSION)
  # From 1.21 on Go fetches a newer one by itself when a module needs it.
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] < 21)) && unable "$version is too old. $hint"
  return 0
}

install_packages() {
  local entry missing=() packages=()
  for entry in "${NEEDED[@]}"; do
    have "${entry%%:*}" && continue
    missing+=("${entry%%:*}")
    packages+=("${entry##*:}")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    unable "these programs are missing: ${missing[*]}." \
      "On Debian they would be installed from: $(printf '%s\n' "${packages[@]}" | sort -u | tr '\n' ' ')"
  fi
  step "packages: ${packages[*]}" apt_install "${packages[@]}"
}

# Packages start their services on installation. Debian asks this file first;
# saying no (101) keeps an etcd or a containerd from running outside of the cluster.
readonly POLICY=/usr/sbin/policy-rc.d POLICY_MARK='# put here by the test cluster of pgherd'

apt_install() {
  # One that was left behind by an interrupted run is ours to replace.
  if [[ ! -e $POLICY ]] || grep -qsF "$POLICY_MARK" "$POLICY"; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
    chmod 755 "$POLICY"
  elif ! grep -qs 'exit 101' "$POLICY"; then
    say "note: $POLICY is there and not ours; installed services may be started"
  fi
  local log status=0
  log=$(mktemp)
  {
    apt-get update -q &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || status=$?
  if grep -qsF "$POLICY_MARK" "$POLICY"; then rm -f "$POLICY"; fi
  if ((status)); then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: $*"
  fi
  rm -f "$log"
}
