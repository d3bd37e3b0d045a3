#!/usr/bin/env bash
# Makes the Python environment that Ansible runs in, unless it is there, and says on standard output where. Ends with 3, and
# the reason as the last line of standard error, where Python or its packages can't be had.
#
# usage: prepare.sh DIRECTORY
set -euo pipefail
requirements=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requirements.txt
home=$1/ansible-$(sha256sum <"$requirements" | cut -c1-16)

without() {
  printf '%s\n' "$*" >&2
  exit 3
}

# Written last: what an interrupted run left doesn't count.
if [[ ! -e $home/complete ]]; then
  python=$(command -v python3) || without "python3 isn't installed"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || without "$("$python" --version) is older than 3.11"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then without "Python's module venv is missing"; fi
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv; } >&2 ||
      without "Debian's package python3-venv can't be installed"
  fi
  rm -rf "$home"
  mkdir -p "$1"
  "$python" -m venv "$home" >&2 || without "python3 -m venv failed"
  echo "fetching Ansible into $home, once: about 550 MB" >&2
  "$home/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements" >&2 ||
    without "pip couldn't get the packages of benches/cluster/ansible/requirements.txt"
  : >"$home/complete"
fi
printf '%s\n' "$home"
