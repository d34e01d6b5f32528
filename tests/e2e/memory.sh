#!/bin/sh
# SPDX-License-Identifier: MIT
# Pages run out: requests queue, the youngest give theirs up and are computed again, all finish, and
# each gets the text that it gets alone.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
start --memory-limit 10MiB --context 384
request() {
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Story $1\",\"seed\":$1,\"temperature\":1,\"ignore_eos\":true}}"
}
for i in 1 2 3; do
    request $i | ask -q | field text >"$dir/alone.$i"
done
pids=
for i in $(seq 9); do
    request $((i % 3 + 1)) | ask >"$dir/out.$i" &
    pids="$pids $!"
done
for p in $pids; do
    wait "$p" || fail "a request did not finish"
done
for i in $(seq 9); do
    response 1 <"$dir/out.$i" | field text | cmp -s - "$dir/alone.$((i % 3 + 1))" || fail "request $i got another text"
    grep -q '"left":0,"limit":384' "$dir/out.$i" || fail "request $i did not get the whole context: $(response 1 <"$dir/out.$i")"
done
cat "$dir"/out.* | grep -q '"phase":"queue"' || fail "nobody was told of the queue"
[ "$(stat_of preemptions)" -gt 0 ] || fail "nothing was taken away: this tested nothing"
until_true 40 is_idle
