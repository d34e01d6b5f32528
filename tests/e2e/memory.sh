#!/bin/sh
# SPDX-License-Identifier: MIT
# Pages run out: requests queue, the youngest give theirs up and are computed again, all finish, and
# each gets the text that it gets alone. Nobody reads until all are there, so that they meet.
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
