#!/usr/bin/env bash
# Everything that can be found out by reading: formatting, lints, dependencies, scripts, names that don't belong here.
# `make lint` runs it. A line for each step; what a step says is shown when it fails. All steps run before it ends.
# shellcheck disable=SC2317  # most functions are called by name, through step
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly CARGO_DENY=0.20.2
readonly TOOLS=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pgherd/tools
readonly DENY=$TOOLS/bin/cargo-deny
log=$(mktemp)
readonly log
trap 'rm -f "$log"' EXIT
failed=0

# step NAME COMMAND...: the last line of an ok that the command writes to descriptor 3 is shown behind the name.
step() {
  local name=$1 begin=$SECONDS note
  shift
  note=$(mktemp)
  if "$@" >"$log" 2>&1 3>"$note"; then
    printf 'ok    %-14s %4ss  %s\n' "$name" $((SECONDS - begin)) "$(tail -n 1 "$note")"
  else
    printf 'FAIL  %-14s %4ss\n' "$name" $((SECONDS - begin))
    sed 's/^/      /' "$log"
    failed=1
  fi
  rm -f "$note"
}

# Scripts, by what their first line says, and those that other files include.
scripts() {
  git ls-files --cached --others --exclude-standard |
    while IFS= read -r file; do
      [[ -f $file && ! -L $file ]] || continue
      if head -n 1 "$file" | tr -d '\0' | grep -qE '^#!.*sh$|^# shellcheck shell'; then printf '%s\n' "$file"; fi
    done
}

clippy() {
  cargo clippy --profile quick --locked --all-targets -- -D warnings
}

shell() {
  if ! command -v shellcheck >/dev/null; then
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
      apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends shellcheck
    else
      echo "NOT CHECKED: shellcheck isn't installed" >&3
      return
    fi
  fi
  local files
  mapfile -t files < <(scripts)
  shellcheck -x "${files[@]}" || return 1
  # Parts of what runs in the pods' own shells: the variables come from the pod, and one part uses those of another.
  shellcheck -s sh -e SC2154 src/desired/text/*.sh || return 1
  echo "${#files[@]} scripts" >&3
}

deny_is_there() {
  [[ -x $DENY ]] && [[ $("$DENY" --version) == "cargo-deny $CARGO_DENY" ]]
}

install_deny() {
  printf 'wait  %-14s        building cargo-deny %s, once; some minutes\n' dependencies "$CARGO_DENY"
  step cargo-deny env -u RUSTFLAGS cargo install --quiet --locked --root "$TOOLS" --target-dir "$TOOLS/build" \
    "cargo-deny@$CARGO_DENY"
  rm -rf "$TOOLS/build"
}

deny() {
  "$DENY" --locked check -D warnings bans licenses sources || return 1
  tail -n 1 "$log" >&3
}

# The database of advisories is somebody else's repository. Where it can't be had, that is said, and nothing fails.
advisories() {
  if GIT_TERMINAL_PROMPT=0 timeout 60 "$DENY" --locked fetch db; then
    "$DENY" --locked check --disable-fetch advisories
  else
    echo "NOT CHECKED: the advisory database can't be fetched from here" >&3
  fi
}

# Images come from wherever a user keeps them, and files are wherever a user puts them. Lock files name sources.
foreign() {
  local hosts='([a-z0-9-]+[.])*(docker[.](io|com)|quay[.]io|ghcr[.]io|gcr[.]io|pkg[.]dev|amazonaws[.]com|azurecr[.]io)' \
    more='registry[.]k8s[.]io|registry[.](access[.])?redhat|mcr[.]microsoft[.]com|registry[.][a-z-]+[.]internal' \
    paths='(^|[^[:alnum:]._/$}-])(/wor[k]/|/hom[e]/[a-z]|/User[s]/[a-z])'
  if git ls-files -z --cached --others --exclude-standard -- ':!Cargo.lock' ':!*/go.sum' ':!*/go.mod' ':!LICENSE' |
    xargs -0 grep -nIE -e "$hosts" -e "$more" -e "$paths" --; then
    echo "these lines name a registry or a place on somebody's machine"
    return 1
  fi
}

# Pages are read in terminals and in reviews. Generated ones hold tables, which can't be broken; so can't links.
long_lines() {
  local file found=0
  while IFS= read -r file; do
    LC_ALL=C.UTF-8 grep -HnE '^.{131,}' "$file" | grep -vE '^[^:]+:[0-9]+:(\||\[[^]]*\]:)' | cut -c1-100 && found=1
  done < <(git ls-files --cached --others --exclude-standard -- '*.md' ':!docs/reference/commands.md' ':!docs/reference/inventory-errors.md')
  return "$found"
}

# links: every relative link in a page leads to a file.
links() {
  local file target found=0
  while IFS= read -r file; do
    while IFS= read -r target; do
      target=${target%%#*}
      [[ -z $target || $target =~ ^[a-z]+: || -e $(dirname "$file")/$target ]] && continue
      echo "$file: $target isn't there"
      found=1
    done < <(grep -oE '\]\([^) ]+\)' "$file" | sed 's/^](//; s/)$//')
  done < <(git ls-files --cached --others --exclude-standard -- '*.md')
  return "$found"
}

step formatting cargo fmt --check
step clippy clippy
step shellcheck shell
step 'test cluster' tests/cluster/check.sh
step names foreign
step 'line lengths' long_lines
step links links
deny_is_there || install_deny
step dependencies deny
step advisories advisories
exit "$failed"
