#!/bin/sh
# What must be in the image before the packages are installed.
# The argument is the image's root directory, / when there is none.
set -eu
root=${1:-}

# Debian would give its postgres user the next free number, which depends on
# what was installed before. A fixed one is the same in every build.
printf 'postgres:x:999:\n' >>"$root/etc/group"
printf 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash\n' >>"$root/etc/passwd"

# No database cluster on installation: an operator makes its own.
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
