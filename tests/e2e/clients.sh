#!/bin/sh
# SPDX-License-Identifier: MIT
# 64 clients at once: each gets the text that it gets alone, whatever runs beside it; two that stream
# at the same time get their tokens in turn.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
start

request() {
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Story $1\",\"seed\":$1,\"max_tokens\":$((16 + $1 % 7 * 8)),\"temperature\":1,\"ignore_eos\":true,\"stream\":$2}}"
}
for i in 1 2 3 4 5 6 7 8; do
    request $i false | ask | field text >"$dir/alone.$i"
done
pids=
for i in $(seq 64); do
    request $((i % 8 + 1)) true | ask -q >"$dir/out.$i" &
    pids="$pids $!"
done
for p in $pids; do
    wait "$p" || fail "a client failed"
done
for i in $(seq 64); do
    response 1 <"$dir/out.$i" | field text | cmp -s - "$dir/alone.$((i % 8 + 1))" ||
        fail "client $i got $(field text <"$dir/out.$i"), alone it was $(cat "$dir/alone.$((i % 8 + 1))")"
done

# many requests on one connection, each under its id
for i in $(seq 32); do
    request $((i % 8 + 1)) true | sed "s/\"id\":1/\"id\":$i/"
done | ask >"$dir/out"
for i in $(seq 32); do
    response "$i" <"$dir/out" | field text | cmp -s - "$dir/alone.$((i % 8 + 1))" || fail "request $i"
done

# two streams run at the same time: once both have begun, events of both are mixed
both_run() {
    echo '{"id":1,"method":"status"}' | ask | grep -q '"running":2'
}
hold two "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"One\",$flood}}" \
    "{\"id\":2,\"method\":\"generate\",\"params\":{\"prompt\":\"Two\",$flood}}"
until_true 40 both_run
release two
wait $client || fail "$(tail -n 1 "$dir/two")"
turns=$(sed -n 's/.*"event":"delta","params":{"choice":0,"id":\([0-9]*\).*/\1/p' "$dir/two" | uniq | wc -l)
[ "$turns" -gt 20 ] || fail "one stream waited for the other: $turns turns"

# an id that is in use
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"One\",$flood}}"
    echo '{"event":"delta","of":1}'
    echo '{"id":1,"method":"tokenize","params":{"text":"x"}}'
    echo '{"id":1,"method":"hello"}'
    echo '{"wait":1}'
    echo '{"id":2,"method":"cancel","params":{"id":1}}'
} | ask -q >"$dir/out"
grep 'a request with id 1 is running' "$dir/out" | grep -q '"id":-1' ||
    fail "an id that is used twice: it passes for the running request's answer, or is taken"
[ "$(grep -c '"id":1[,}]' "$dir/out")" = 3 ] || fail "one answer to request 1, and two words of it: $(cat "$dir/out")"

# descriptors: a user gets as many connections as it leaves to others, and one more is told why
[ -z "${ZORAC_E2E_SOCKET-}" ] || exit 0
[ -z "$pid" ] || { kill "$pid"; stopped 0; }
: >"$conf"
ulimit -n 80
start
holders=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    { echo '{"id":1,"method":"status"}'; echo '{"sleep_ms":80000}'; } | ask >"$dir/held$i" 2>&1 &
    holders="$holders $!"
done
is_refused() {
    [ "$(cat "$dir"/held* | grep -c 'no user has more connections than are free')" = 4 ]
}
until_true 40 is_refused
# shellcheck disable=SC2086 # one word per process
kill $holders 2>/dev/null || true
