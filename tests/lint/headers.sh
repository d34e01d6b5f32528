#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header stands alone: each is compiled by itself.
set -eu
: "${CC:=cc}"
src=${top_srcdir:-.}
build=${top_builddir:-.}
bad=0
# shellcheck disable=SC2086 # flags are words
for h in $(cd "$src" && find common kernels zoracd zorac-cli -name '*.h' | sort); do
    printf '#include "config.h"\n#include "%s"\n' "$h" |
        $CC -std=gnu17 -fsyntax-only -I"$src" -I"$build" ${LINT_CFLAGS-} -x c - || { echo "$h does not stand alone"; bad=1; }
done
exit $bad
