#!/bin/sh
# SPDX-License-Identifier: MIT
# The tarball of `make dist` has every file that git has, but for those that are named here, and from the
# sources nothing else.
set -eu
export LC_ALL=C
src=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
fail() {
    echo "FAILED: $*"
    exit 1
}
[ -e "$src/.git" ] && command -v git >/dev/null || {
    echo "skipped: no git here; these sources are perhaps a tarball's"
    exit 77
}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/zorac-tarball-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# Of use in a checkout only.
printf '%s\n' .ci/run .gitignore tools/demo-model/.gitignore | sort >"$tmp/omitted"

git -c safe.directory='*' -C "$src" ls-files --deleted | sort >"$tmp/gone"
git -c safe.directory='*' -C "$src" ls-files | sort | comm -23 - "$tmp/gone" >"$tmp/tracked"
[ "$(wc -l <"$tmp/tracked")" -gt 300 ] || fail "git names $(wc -l <"$tmp/tracked") files only"
comm -13 "$tmp/tracked" "$tmp/omitted" >"$tmp/stale"
[ ! -s "$tmp/stale" ] || fail "git has no longer: $(cat "$tmp/stale")"
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$build" distdir distdir="$tmp/dist" >"$tmp/log" 2>&1 || fail "make distdir: $(tail -n 5 "$tmp/log")"
(cd "$tmp/dist" && find . ! -type d | sed 's|^\./||' | sort) >"$tmp/has"
comm -23 "$tmp/tracked" "$tmp/has" | comm -23 - "$tmp/omitted" >"$tmp/lacks"
[ ! -s "$tmp/lacks" ] || fail "the tarball lacks $(cat "$tmp/lacks")"
comm -13 "$tmp/tracked" "$tmp/has" | grep -vE '^(build-aux/.*|(.*/)?Makefile\.in|aclocal\.m4|config\.h\.in|configure)$' >"$tmp/more" || true
# what is there and not yet added to git is somebody's work in progress
git -c safe.directory='*' -C "$src" ls-files --others --exclude-standard | sort | comm -23 "$tmp/more" - >"$tmp/strange"
[ ! -s "$tmp/strange" ] || fail "the tarball has $(cat "$tmp/strange")"
echo "$(wc -l <"$tmp/tracked") files, all there but $(wc -l <"$tmp/omitted")"
