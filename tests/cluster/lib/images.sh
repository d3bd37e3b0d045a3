# shellcheck shell=bash
# Building the images, without a registry, into one OCI layout whose layers they share.

readonly IMAGES=$HERE/../../manifests/images

# image NAME: its line in the table as "REFERENCE ARGUMENTS...".
image() {
  awk -v name="$1" '$1 == name { $1 = ""; sub(/^ */, ""); print; found = 1 } END { exit !found }' "$IMAGES/images.txt" ||
    die "manifests/images/images.txt has no image named $1."
}

reference() {
  local line
  line=$(image "$1")
  echo "${line%% *}"
}

# argument NAME KEY: an argument of its build file.
argument() {
  local word
  for word in $(image "$1"); do
    [[ $word == "$2="* ]] && echo "${word#*=}" && return
  done
  die "image $1 has no argument $2 in manifests/images/images.txt."
}

packages() { # FILE
  sed 's/#.*//' "$1" | xargs
}

oci() {
  local verb=$1
  shift
  "$BIN/oci" "$verb" -layout "$LAYOUT" "$@"
}

hash_of() { # WORD-OR-FILE...: of the words and of the files' contents
  local w
  for w in "$FORMAT" "$@"; do
    if [[ -f $w ]]; then sha256sum <"$w"; else printf '%s\n' "$w"; fi
  done | sha256sum | cut -c1-16
}

# is_built REFERENCE HASH
is_built() {
  [[ -f $LAYOUT/index.json ]] && oci list | awk -v r="$1" -v h="$2" '$1 == r && $3 == h { found = 1 } END { exit !found }'
}

# Which image was made from which: what the variants depend on.
digest() { # REFERENCE
  oci list | awk -v r="$1" '$1 == r { print $2 }'
}

staging() {
  rm -rf --one-file-system "$DIR/staging"
  mkdir -p "$DIR/staging"
}

build_images() {
  local before
  mkdir -p "$LAYOUT"
  before=$(oci list)
  build_pause
  build_busybox
  build_postgres postgres
  build_variants
  [[ $before == "$(oci list)" ]] || oci prune
  rm -rf --one-file-system "$DIR/staging"
}

build_pause() {
  local ref hash
  ref=$(reference pause)
  hash=$(hash_of "$BIN/pause")
  is_built "$ref" "$hash" && return
  staging
  "$BIN/oci" layer "$DIR/staging/pause.tar" "file:755:$BIN/pause:/pause"
  printf 'FROM scratch\nENTRYPOINT ["/pause"]\nUSER 65535:65535\n' >"$DIR/staging/Containerfile"
  oci build -ref "$ref" -inputs "$hash" -containerfile "$DIR/staging/Containerfile" "$DIR/staging/pause.tar"
}

# A shell and the small programs: it makes the directories of volumes, and it
# is at hand for a look around. The least that can be loaded and started.
build_busybox() {
  local ref hash applet links=()
  ref=$(reference busybox)
  hash=$(hash_of busybox-static /etc/os-release)
  is_built "$ref" "$hash" && return
  staging
  step "image $ref: fetched busybox-static" fetch_packages busybox-static
  local program=$DIR/staging/root/bin/busybox
  [[ -x $program ]] || program=$DIR/staging/root/usr/bin/busybox
  for applet in $("$program" --list); do
    [[ $applet == busybox ]] || links+=("link:busybox:/bin/$applet")
  done
  "$BIN/oci" layer "$DIR/staging/busybox.tar" "file:755:$program:/bin/busybox" "${links[@]}" dir:1777:/tmp
  printf 'FROM scratch\nENV PATH=/bin\nCMD ["sh"]\n' >"$DIR/staging/Containerfile"
  oci build -ref "$ref" -inputs "$hash" -containerfile "$DIR/staging/Containerfile" "$DIR/staging/busybox.tar"
}

# fetch_packages PACKAGE...: unpack packages of this machine's own Debian to $DIR/staging/root.
fetch_packages() {
  local deb root=$DIR/staging/root
  mkdir -p "$DIR/staging/debs" "$root"
  fetch() { (cd "$DIR/staging/debs" && apt-get download -q "$@" >../apt.log 2>&1); }
  chmod 777 "$DIR/staging/debs" # apt fetches as a user of its own
  fetch "$@" || { apt-get update -q >/dev/null 2>&1 && fetch "$@"; } || {
    tail -n 5 "$DIR/staging/apt.log" >&2
    die "apt-get could not download: $*"
  }
  for deb in "$DIR/staging/debs"/*.deb; do
    # Debian's directories below / may be links into /usr, and must stay that.
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink
  done
}

build_postgres() { # NAME
  local name=$1 ref suite major dir=$IMAGES/postgres hash list
  ref=$(reference "$name")
  suite=$(argument "$name" DEBIAN_SUITE)
  major=$(argument "$name" PG_MAJOR)
  list=$dir/packages-$major.txt
  [[ -f $list ]] || die "$list is missing."
  # Comments in the list don't count.
  hash=$(hash_of "$suite $major $(packages "$list")" "$dir/before.sh" "$dir/after.sh" "$dir/Containerfile")
  is_built "$ref" "$hash" && return
  staging
  say "building image $ref from Debian $suite"
  step "image $ref: installed its packages" debian_root "$DIR/staging/postgres.tar" "$suite" "$dir" "$(packages "$list")"
  step "image $ref: written" oci build -ref "$ref" -inputs "$hash" -containerfile "$dir/Containerfile" \
    -arg "PG_MAJOR=$major" -arg "DEBIAN_SUITE=$suite" "$DIR/staging/postgres.tar"
}

# debian_root OUT.tar SUITE HOOKS PACKAGES: a root filesystem, the same bytes
# for the same versions of the packages. In a mount namespace, so that nothing
# stays mounted when it is killed.
debian_root() {
  local log=$DIR/staging/mmdebstrap.log
  SOURCE_DATE_EPOCH=0 TMPDIR=$DIR/staging unshare --mount --propagation private mmdebstrap --quiet --variant=minbase --skip=output/dev --architectures="$(dpkg --print-architecture)" \
    --essential-hook="sh '$3/before.sh' \"\$1\"" --customize-hook="sh '$3/after.sh' \"\$1\"" \
    --include="${4// /,}" "$2" "$1" ${PGHERD_DEBIAN_MIRROR:+"$PGHERD_DEBIAN_MIRROR"} >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "mmdebstrap failed."
  }
}
