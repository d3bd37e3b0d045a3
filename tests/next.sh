#!/usr/bin/env bash
# Builds the version after this one, for tests of updates: the same sources with the next minor number, and with one field more
# in the definition of PostgresCluster, spec.nextField. The last line it prints is the program. What ships knows nothing of it.
#
# usage: tests/next.sh
set -euo pipefail
cd "$(dirname "$0")/.."

profile=quick
target=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
readonly profile target sources=$target/next/sources program=$target/next/pgherd

# change FILE SED-SCRIPT: a change that changes nothing means that the sources are no longer as this script thinks. What is
# changed is as old as what it comes from, so that Cargo builds only when there is something new.
change() {
  local file=$sources/$1 newest=$1
  if [[ tests/next.sh -nt $1 ]]; then newest=tests/next.sh; fi
  sed -i.before "$2" "$file"
  if cmp -s "$file" "$file.before"; then
    echo "tests/next.sh: there is no place for its change in $1" >&2
    exit 1
  fi
  rm "$file.before"
  touch -r "$newest" "$file"
}

rm -rf "$sources"
mkdir -p "$sources"
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
  tar -c --null -T - | tar -x -C "$sources"
# Cargo looks at the age of folders too.
find roles -type d -exec touch -r '{}' "$sources/{}" ';'

version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
IFS=. read -r major minor _ <<<"$version"
next=$major.$((minor + 1)).0
change Cargo.toml "0,/^version = \"$version\"\$/s//version = \"$next\"/"
change Cargo.lock "/^name = \"pgherd\"\$/{n;s/\"$version\"/\"$next\"/}"
field='/// What only the next version knows.'
change src/api/postgres_cluster/mod.rs "s|^    /// Stops PostgreSQL and keeps the data\.\$|    $field\n    pub next_field: Option<String>,\n&|"
change src/cli/verbs/create/manifest.rs 's/^        shutdown: None,$/        next_field: None,\n&/'

# The same target folder: the dependencies are built already, as these sources ask for the same ones.
(cd "$sources" && CARGO_TARGET_DIR=$target cargo build --profile "$profile" --locked --bin pgherd >&2)
# Hard links keep a copy of the same file from being written again and from looking new.
cmp -s "$target/$profile/pgherd" "$program" || cp "$target/$profile/pgherd" "$program"
echo "$program"
