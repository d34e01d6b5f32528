# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034 # variables are for the scripts that read this
# What the programs say of themselves, one word per line and sorted.
set -eu
src=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
export LC_ALL=C
tmp=$(mktemp -d "${TMPDIR:-/tmp}/zorac-docs-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
programs="zoracd zorac zorac-bench zorac-inspect"
failed=0

wrong() {
    echo "FAILED: $*"
    failed=1
}

help_of() {
    case $1 in
    zoracd) "$build/zoracd/zoracd" --help ;;
    zorac) "$build/zorac-cli/zorac" --help ;;
    *) "$build/zoracd/tools/$1" --help ;;
    esac
}

# The options of a program: of its --help, which for the daemon is made from its table, and of the
# table of the others in their source.
options_of() {
    {
        help_of "$1" | sed -n '/^  /p' | sed '/^      [a-z]/d' |
            grep -oE '(^|[ ,])(-[A-Za-z]|--[a-z][a-z_-]*)([ ,]|$)' | grep -oE -e '--?[A-Za-z_-]+'
        case $1 in
        zorac) table=zorac-cli/main.c ;;
        zorac-*) table=zoracd/tools/$1.c ;;
        *) table= ;;
        esac
        [ -z "$table" ] || sed -n 's/^    {"\([a-z-]*\)", \(no\|required\)_argument.*/--\1/p' "$src/$table"
    } | sort -u
}

# same WHAT FILE FILE: the second is what is right
same() {
    cmp -s "$2" "$3" || {
        diff "$2" "$3" | grep '^[<>]' | sed 's/^</  too much:/; s/^>/  missing:/'
        wrong "$1"
    }
}
