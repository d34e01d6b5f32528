#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/admin.md quotes is what the programs say, and its keys are keys; files that the pages name are
# there; links in the pages that are installed lead to pages that are installed, and to headings in them.
. "${top_srcdir:-.}/tests/docs/lib.sh"

# The sources with their literals joined as the compiler does, and "..." for the formats' fields.
find "$src/common" "$src/zoracd" "$src/zorac-cli" "$src/kernels" -name '*.c' -exec cat {} + | tr '\n' ' ' |
    sed -E 's/" *ZS_SD_NAME *"/zoracd/g; s/" *"//g; s/%[-+ #0-9.*]*(l|ll|z)?[a-zA-Z]/.../g' >"$tmp/says"
# quotes TEXT: it is in a message; an ending after what was named is the system's own
quotes() {
    grep -qF -- "$1" "$tmp/says" || {
        case $1 in
        *': Permission denied') grep -qF -- "${1%: *}" "$tmp/says" ;;
        *) return 1 ;;
        esac
    }
}
sed -n '/^## Troubleshooting/,$p' "$src/docs/admin.md" | sed -n '/^|---/,$s/^| \([^|]*\) |.*/\1/p' |
    grep -oE '`[^`]+`' | tr -d '`' | sort -u >"$tmp/quoted"
grep -v '^\(zoracd\|status\|zorac\|[a-z.]*\.conf\|/[a-z]*\)$' "$tmp/quoted" >"$tmp/messages"
[ "$(wc -l <"$tmp/messages")" -gt 12 ] || wrong "the table of symptoms has $(wc -l <"$tmp/messages") messages"
while read -r text; do
    quotes "$text" || quotes "${text% ...}" || wrong "docs/admin.md: nothing says: $text"
done <"$tmp/messages"

# key = value, as lines and as words
options_of zoracd | sed -n 's/^--//p' >"$tmp/keys"
grep -oE '(^    |`)[a-z][a-z_-]* = ' "$src/docs/admin.md" "$src/README.md" | sed -E 's/.*(    |`)//; s/ = //' | sort -u >"$tmp/named"
[ "$(wc -l <"$tmp/named")" -gt 4 ] || wrong "docs/admin.md names no keys"
while read -r key; do
    grep -qx -- "$key" "$tmp/keys" || wrong "docs/admin.md: $key is no key"
done <"$tmp/named"

# files that are named are there, programs by their source
grep -ohE '`(tests|docs|packaging|zoracd|zorac-cli|kernels|common)/[^` ]*[^/` ]`' "$src"/*.md "$src"/docs/*.md "$src/packaging/README.md" |
    tr -d '`' | sort -u >"$tmp/named"
[ "$(wc -l <"$tmp/named")" -gt 20 ] || wrong "the pages name $(wc -l <"$tmp/named") files"
while read -r file; do
    # shellcheck disable=SC2086 # a pattern, perhaps
    ls -d "$src"/$file >/dev/null 2>&1 || [ -f "$src/$file.c" ] || wrong "the pages speak of $file, which is not there"
done <"$tmp/named"

# links; the tree that make install makes of these is the one they have here
sed -n 's/^dist_\(doc\|docs\)_DATA *=//p' "$src/docs/local.mk" | tr ' ' '\n' | sed "s|%D%|docs|" | grep . | sort >"$tmp/installed"
[ "$(wc -l <"$tmp/installed")" -gt 5 ] || wrong "which pages are installed is not seen"
while read -r page; do
    grep -oE '\]\([^)]*\)' "$src/$page" | sed 's/^](//; s/)$//' >"$tmp/links" || true
    while read -r link; do
        case $link in http*) continue ;; esac
        to=${link%%#*}
        case $page in docs/*) to=${to:+docs/$to} ;; esac
        [ -n "$to" ] || to=$page
        grep -qx -- "$to" "$tmp/installed" || wrong "$page: $link is not installed"
        case $link in
        *'#'*)
            sed -n 's/^##* //p' "$src/$to" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-' | grep -qx -- "${link#*#}" ||
                wrong "$page: $link has no heading"
            ;;
        esac
    done <"$tmp/links"
done <"$tmp/installed"
exit $failed
