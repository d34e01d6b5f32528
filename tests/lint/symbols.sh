#!/bin/sh
# SPDX-License-Identifier: MIT
# The prefix of an exported symbol is its room: nm over each archive finds strangers.
set -eu
cd "${top_builddir:-.}"
bad=0
check() {
    [ -f "$1" ] || return 0
    strangers=$(nm -g --defined-only "$1" 2>/dev/null | awk 'NF == 3 {print $3}' |
        grep -vE "^($2)_" | grep -vE '^(__|_GLOBAL_|\.)' || true)
    if [ -n "$strangers" ]; then
        echo "$1 exports what does not begin with $2_:"
        echo "$strangers"
        bad=1
    fi
}
check common/libcommon.a zc
for a in kernels/*.a; do check "$a" zk; done
check zoracd/weights/libweights.a zw
check zoracd/text/libtext.a zt
check zoracd/engine/libengine.a ze
check zoracd/serve/libserve.a zs
check zorac-cli/libzcli.a zcli
exit $bad
