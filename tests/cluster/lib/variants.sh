# shellcheck shell=bash
# Images that differ a little from the PostgreSQL image, as layers on top of it,
# and the image of pgherd.

build_variants() {
  local base major home
  base=$(reference postgres)
  major=$(argument postgres PG_MAJOR)
  home=/usr/lib/postgresql/$major

  # Without pgAudit: PostgreSQL doesn't start when told to load it.
  variant postgres-plain "$base" -- "gone:$home/lib/pgaudit.so" \
    "gone:/usr/share/postgresql/$major/extension/pgaudit.control"

  # A user that no file in the image knows.
  variant postgres-uid "$base" -user 4321:4321 --

  # The programs in a directory that only PATH leads to. PostgreSQL finds its
  # libraries beside its programs, and its share directory, which isn't beside
  # them in Debian, by the path that was compiled in.
  variant postgres-elsewhere "$base" \
    -env "PATH=/opt/database/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" -- \
    "tree:@BASE@$home:/opt/database" gone:/usr/lib/postgresql
}

# variant NAME BASE [oci-option...] -- LAYER-ENTRY...
# @BASE@ in an entry stands for a directory with the files of the base's first layer.
variant() {
  local name=$1 base=$2 ref hash options=() entries=() layers=()
  ref=$(reference "$name")
  hash=$(hash_of "$(digest "$base")" "$@")
  shift 2
  is_built "$ref" "$hash" && return
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  staging
  if [[ "$*" == *@BASE@* ]]; then
    mkdir "$DIR/staging/base"
    tar -x -C "$DIR/staging/base" -f "$(first_layer "$base")" ./usr/lib/postgresql
  fi
  if (($#)); then
    entries=("${@//@BASE@/$DIR/staging/base}")
    "$BIN/oci" layer "$DIR/staging/layer.tar" "${entries[@]}"
    layers=("$DIR/staging/layer.tar")
  fi
  step "image $ref: written" oci build -ref "$ref" -inputs "$hash" -from "$base" ${options[@]+"${options[@]}"} ${layers[@]+"${layers[@]}"}
}

blob() { # DIGEST
  echo "$LAYOUT/blobs/sha256/${1#sha256:}"
}

first_layer() { # REFERENCE
  local manifest layers
  manifest=$(<"$(blob "$(digest "$1")")")
  layers=${manifest#*\"layers\":}
  [[ $layers =~ sha256:[0-9a-f]{64} ]] && blob "${BASH_REMATCH[0]}"
}

# build_pgherd BINARY [REFERENCE]: wrap a built binary. What it needs around it
# comes from this machine's own Debian, so that the C library is the one that it
# was linked with; that part is an image of its own, made once.
build_pgherd() {
  local binary=$1 ref=${2:-} base hash list=$IMAGES/pgherd/packages.txt
  [[ -x $binary ]] || die "there is no program $binary; build it first: cargo build"
  [[ -n $ref ]] || ref=$(reference pgherd)
  mkdir -p "$LAYOUT"
  base=$(reference pgherd)-base
  hash=$(hash_of "$(packages "$list")" /etc/os-release)
  if ! is_built "$base" "$hash"; then
    staging
    build_pgherd_base "$base" "$hash" "$list"
  fi
  hash=$(hash_of "$(digest "$base")" "$binary" "$IMAGES/pgherd/Containerfile")
  is_built "$ref" "$hash" && return
  staging
  "$BIN/oci" layer "$DIR/staging/pgherd.tar" "file:755:$binary:/usr/local/bin/pgherd"
  # The build file's settings replace the base's.
  step "image $ref: written" oci build -ref "$ref" -inputs "$hash" -from "$base" \
    -containerfile "$IMAGES/pgherd/Containerfile" "$DIR/staging/pgherd.tar"
  oci prune
  rm -rf --one-file-system "$DIR/staging"
}

build_pgherd_base() { # REFERENCE HASH LIST
  local root=$DIR/staging/root d
  local packages
  packages=$(packages "$3")
  mkdir -p "$root/etc/ssl/certs"
  for d in bin sbin lib lib64; do
    # Debian's own layout since bookworm: these are links into /usr.
    mkdir -p "$root/usr/$d"
    ln -s "usr/$d" "$root/$d"
  done
  # shellcheck disable=SC2086  # a list of words
  step "image $1: fetched $packages" fetch_packages $packages
  # What the package's installation script would do.
  find "$root/usr/share/ca-certificates" -name '*.crt' -print0 | LC_ALL=C sort -z |
    xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/lintian" "$root/usr/lib"/*-linux-*/gconv "$root/usr/share/ca-certificates"
  printf 'root:x:0:0::/:/sbin/nologin\npgherd:x:65532:65532::/:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\npgherd:x:65532:\n' >"$root/etc/group"
  "$BIN/oci" layer "$DIR/staging/base.tar" "tree:$root:/" dir:1777:/tmp
  oci build -ref "$1" -inputs "$2" "$DIR/staging/base.tar"
}
