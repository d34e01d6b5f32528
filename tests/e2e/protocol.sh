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

# the limits of the table are those that hello announces, and the fixed ones hold
start
echo '{"id":1,"method":"hello"}' | ask | sed 's/.*"limits":{\([^}]*\)}.*/\1/' | tr ',' '\n' | tr -d '"' | sort >"$dir/announced"
sed -n '/begin limits/,/end limits/s/^| .\([a-z_]*\). | \([0-9]*\) | .*/\1:\2/p' "$src/docs/protocol.md" | sort >"$dir/table"
cmp -s "$dir/announced" "$dir/table" || fail "announced and documented limits differ: $(diff "$dir/announced" "$dir/table")"
for key in stop_bytes text_tokens text_bytes; do
    grep -q "^$key:[1-9]" "$dir/announced" || fail "hello does not announce $key"
done
stop_of() { # a request with a stop text of that many bytes
    printf '{"id":%s,"method":"generate","params":{"prompt":"a","max_tokens":1,"stop":"%s"}}\n' "$1" \
        "$(head -c "$1" /dev/zero | tr '\0' 'x')"
}
most=$(sed -n 's/^stop_bytes://p' "$dir/announced")
{ stop_of "$most"; stop_of $((most + 1)); } | ask -q >"$dir/out"
response "$most" <"$dir/out" | grep -q '"finish_reason"' || fail "a stop text at the limit: $(cat "$dir/out")"
response $((most + 1)) <"$dir/out" | grep -q '"code":"limit"' || fail "a stop text over the limit: $(cat "$dir/out")"
most=$(sed -n 's/^text_tokens://p' "$dir/announced")
printf '{"id":1,"method":"tokenize","params":{"text":"%s"}}\n' "$(head -c 8000000 /dev/zero | tr '\0' 'x')" |
    ask -q >"$dir/out"
response 1 <"$dir/out" | grep -q "more than $most tokens" || fail "a text over the limit: $(head -c 300 "$dir/out")"

if python3 -c 'import msgpack' 2>/dev/null; then
    sed -n '/^```python/,/^```/p' "$dir/protocol.md" | sed '/^```/d' >"$dir/client.py"
    ZORAC_SOCKET=$sock timeout 60 python3 "$dir/client.py" >"$dir/out" || fail "$(cat "$dir/out")"
    [ "$(wc -w <"$dir/out")" -gt 3 ] && grep -q '^stop$' "$dir/out" || fail "$(cat "$dir/out")"
else
    echo "no msgpack for Python here: the example was not run"
fi
