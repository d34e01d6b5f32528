#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual is well-formed: mandoc has nothing to say about it.
. "${top_srcdir:-.}/tests/docs/lib.sh"
command -v mandoc >/dev/null || {
    echo "skipped: no mandoc here"
    exit 77
}
n=0
for page in "$src"/docs/man/*.[1-8]; do
    n=$((n + 1))
    # whether the manual of a system has our pages and systemd's is not our matter
    mandoc -T lint "$page" 2>&1 | grep -vE 'mandoc\.db|referenced manual not found' >"$tmp/says" || true
    [ ! -s "$tmp/says" ] || {
        cat "$tmp/says"
        wrong "$page"
    }
done
[ $n -ge 6 ] || wrong "$n pages are not all"
exit $failed
