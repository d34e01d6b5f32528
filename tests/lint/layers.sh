#!/bin/sh
# SPDX-License-Identifier: MIT
# The walls: fails on any #include that layers.txt does not allow, and on a room that it does not
# know. With a planted violation it must fail: that is tried too.
set -eu
here=${top_srcdir:-.}
table=$here/tests/lint/layers.txt

# check ROOT: prints violations of the sources under ROOT
check() {
    (cd "$1" && find common kernels zoracd zorac-cli -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh') |
        sort | while read -r f; do
        room=
        for r in $(sed -n 's/^\([^#:]*\):.*/\1/p' "$table"); do
            case $f in "$r"/*) room=$r ;; esac
        done
        # zoracd/main.c joins the rooms of the daemon: it is of serve
        [ "$f" = zoracd/main.c ] && room=zoracd/serve
        if [ -z "$room" ]; then
            echo "$f: in no room of layers.txt"
            continue
        fi
        allowed=$(sed -n "s|^$room:||p" "$table")
        sed -n 's/^#[[:space:]]*include "\([^"]*\)".*/\1/p' "$1/$f" | while read -r inc; do
            [ "$inc" = config.h ] && continue
            ok=
            for a in $room $allowed; do
                case $inc in "$a"/*) ok=1 ;; esac
            done
            case $inc in
            */*_internal.h) case $inc in "$room"/*) ;; *) ok= ;; esac ;;
            esac
            [ -n "$ok" ] || echo "$f: includes $inc, which $room may not"
        done
    done
}

bad=$(check "$here")
if [ -n "$bad" ]; then
    echo "$bad"
    exit 1
fi

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir -p "$planted/common" "$planted/kernels" "$planted/zoracd/text" "$planted/zorac-cli"
echo '#include "kernels/zk.h"' >"$planted/zoracd/text/zt_planted.c"
if [ -z "$(check "$planted")" ]; then
    echo "a planted violation was not found"
    exit 1
fi
