#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory that is short, and memory that is given back. Pages run out: requests queue, the youngest give
# theirs up and are computed again, all finish, and each gets the text that it gets alone. Nobody reads
# until all are there, so that they meet.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
start --memory-limit 10MiB --context 384
request() {
    echo "{\"id\":$1,\"method\":\"generate\",\"params\":{\"prompt\":\"Story $2\",\"seed\":$2,\"temperature\":1,\"ignore_eos\":true,\"logprobs\":20}}"
}
text() {
    response "$1" | sed 's/.*"params"//' | field text
}
for i in 1 2 3; do
    request 1 $i | ask -q | text 1 >"$dir/alone.$i"
done
all_are_there() {
    echo '{"id":1,"method":"status"}' | ask | sed 's/.*"requests"://' >"$dir/requests"
    [ $(($(field running <"$dir/requests") + $(field queued <"$dir/requests"))) = 9 ]
}
for i in $(seq 9); do
    request "$i" $((i % 3 + 1))
done >"$dir/in"
hold nine "$(cat "$dir/in")"
until_true 40 all_are_there
release nine
wait $client || fail "a request did not finish: $(tail -n 1 "$dir/nine")"
for i in $(seq 9); do
    text "$i" <"$dir/nine" | cmp -s - "$dir/alone.$((i % 3 + 1))" || fail "request $i got another text"
    response "$i" <"$dir/nine" | grep -q '"left":0,"limit":384' ||
        fail "request $i did not get the whole context: $(response "$i" <"$dir/nine" | cut -c 1-200)"
done
cat "$dir/nine" | grep -q '"phase":"queue"' || fail "nobody was told of the queue"
[ "$(stat_of preemptions)" -gt 0 ] || fail "nothing was taken away: this tested nothing"
until_true 40 is_idle

# what a long text took goes back to the system (the sanitizers keep what is freed)
grep -q __asan_init "$zoracd" && exit 0
rss() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"
}
before=$(rss)
{
    printf '{"id":1,"method":"tokenize","params":{"text":"'
    yes 'a word' | head -c 7000000 | tr '\n' ' '
    echo '"}}'
} | ask | grep -q '"count":' || fail "no ids of a long text"
is_small_again() {
    [ "$(rss)" -lt $((before + 8192)) ]
}
until_true 40 is_small_again
