#!/bin/sh
# SPDX-License-Identifier: MIT
# What a reviewer should not spend breath on: licence line, tabs, trailing blanks, line length,
# private comments, and where a process may end.
set -eu
cd "${top_srcdir:-.}"
bad=0
fail() {
    echo "$*"
    bad=1
}

sources=$(find common kernels zoracd zorac-cli tests \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \) | sort)
for f in $sources; do
    head -n 1 "$f" | grep -q 'SPDX-License-Identifier: MIT' || fail "$f:1: no SPDX line"
    grep -nP '\t|[ \t]+$' "$f" /dev/null && fail "$f: tab or trailing blank"
    LC_ALL=C.UTF-8 grep -nE '^.{101,}' "$f" /dev/null && fail "$f: over 100 columns"
done
# shellcheck disable=SC2086 # one word per file
grep -nP '(^|[^:"'"'"'])//(?!/)(?![^"]*"[^"]*$)' $(echo "$sources" | grep '\.[ch]$') /dev/null | grep -vP '".*//.*"' | grep -vP '\*.*//|://' &&
    fail "a // comment is private: it is not committed"
for f in $(echo "$sources" | grep -E '^(common|kernels|zoracd|zorac-cli)/.*\.c$'); do
    case $f in
    */main.c | zoracd/tools/zorac-*.c | zoracd/tools/zo.c | common/zc_err.c | common/zc_mem.c) continue ;;
    esac
    grep -nE '(^|[^_[:alnum:].>])(exit|abort|_exit)[[:space:]]*\(' "$f" /dev/null &&
        fail "$f: only a main file may end the process"
done
# shellcheck disable=SC2086
grep -nE 'TODO|FIXME' $sources /dev/null | grep -v 'tests/lint/' && fail "an unfinished thought"
exit $bad
