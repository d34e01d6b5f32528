#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/protocol.md says what the code does: its tables are what the table in the code makes, and its
# example in Python runs (where Python has msgpack).
. "${top_srcdir:-.}/tests/e2e/lib.sh"
"$build/docs/mkprotocol" "$src/docs/protocol.md" >"$dir/protocol.md"
cmp -s "$dir/protocol.md" "$src/docs/protocol.md" || {
    diff "$src/docs/protocol.md" "$dir/protocol.md" | head -20
    fail "docs/protocol.md is not what zc_wire.def makes: run 'make protocol'"
}
[ "$(grep -c '^### ' "$dir/protocol.md")" -gt 14 ] || fail "the tables are empty"

if python3 -c 'import msgpack' 2>/dev/null; then
    start
    sed -n '/^```python/,/^```/p' "$dir/protocol.md" | sed '/^```/d' >"$dir/client.py"
    ZORAC_SOCKET=$sock timeout 60 python3 "$dir/client.py" >"$dir/out" || fail "$(cat "$dir/out")"
    [ "$(wc -w <"$dir/out")" -gt 3 ] && grep -q '^stop$' "$dir/out" || fail "$(cat "$dir/out")"
else
    echo "no msgpack for Python here: the example was not run"
fi
