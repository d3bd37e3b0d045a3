# shellcheck shell=bash
# Loading images into the node.

ctr_k8s() {
  ctr --address "$SOCKET" --namespace k8s.io "$@"
}

# load REFERENCE...: those that the node doesn't have, or has in another version.
load() {
  local ref loaded wanted=() log=$RUN/load
  loaded=$(ctr_k8s images ls | awk '{ print $1, $3 }')
  for ref in "$@"; do
    grep -qxF "$ref $(digest "$ref")" <<<"$loaded" || wanted+=("$ref")
  done
  ((${#wanted[@]})) || return 0
  # One archive for all: layers that they share are in it once.
  oci export "${wanted[@]}" | ctr_k8s images import - >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    die "containerd could not load: ${wanted[*]}"
  }
}

# Every image of the layout. The first one that a pod needs goes first.
load_all() {
  local refs
  load "$(reference pause)" "$(reference busybox)"
  mapfile -t refs < <(oci list | awk '$1 !~ /-base$/ { print $1 }')
  load "${refs[@]}"
}
