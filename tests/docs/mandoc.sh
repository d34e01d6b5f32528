#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual is well-formed: mandoc has nothing to say about it, and what it renders has no macro that
# became a word, no word that became a macro, and no bracket that closes late.
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
    mandoc -T ascii "$page" | sed 's/.\x08//g' >"$tmp/text"
    [ "$(wc -l <"$tmp/text")" -gt 20 ] || wrong "$page is not rendered"
    grep -nE '^ *<|(^|[[| ])(Ar|Cm|Dl|Er|Ev|Fl|Ic|Nm|Oc|Oo|Op|Pa|Ql|Va|Xr)([] |]|$)' "$tmp/text" &&
        wrong "$page: a macro stands where a word should"
    case $page in
    *.7) ;; # has arrays in arrays
    *) grep -n ']]' "$tmp/text" && wrong "$page: options inside each other" ;;
    esac
done
[ $n -ge 6 ] || wrong "$n pages are not all"
exit $failed
