#!/bin/sh
# Takes out what an image doesn't need, after the packages are installed.
# The argument is the image's root directory, / when there is none.
set -eu
root=${1:-}
cd "$root/"

# A [main] section here makes every pgBackRest command fail that is configured
# in another way.
rm -f etc/pgbackrest.conf
# A private key that every copy of the image would share.
rm -f etc/ssl/private/ssl-cert-snakeoil.key etc/ssl/certs/ssl-cert-snakeoil.pem

# Just-in-time compilation: its library weighs as much as all the rest.
# PostgreSQL looks for llvmjit.so and goes without when it isn't there.
rm -rf usr/lib/postgresql/*/lib/llvmjit* usr/lib/postgresql/*/lib/bitcode
rm -f usr/lib/*-linux-*/libLLVM* usr/lib/*-linux-*/libz3.so*
rm -rf usr/lib/llvm-*

# For building extensions, not for running them.
rm -rf usr/lib/postgresql/*/lib/pgxs usr/include/*
find usr/lib -name '*.a' -delete

# Read by people, or by programs that speak another language: the image's
# locale is C.UTF-8, which libc brings along. The licences stay.
find usr/share/doc ! -type d ! -name copyright -delete
rm -rf usr/share/man/* usr/share/info/* usr/share/lintian usr/share/locale/* usr/share/i18n
find usr/share/postgresql -name '*.1.gz' -delete

# debconf's answers come in another order every time.
rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/* var/log/* tmp/* var/tmp/*
rm -rf etc/postgresql/* var/lib/postgresql/[0-9]*

# Where the programs put their sockets unless told otherwise, for any user.
mkdir -p run/postgresql
chmod 3777 run/postgresql
