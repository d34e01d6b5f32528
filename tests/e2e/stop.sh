#!/bin/sh
# SPDX-License-Identifier: MIT
# SIGTERM: running requests finish; at the deadline they are canceled and what they have is delivered;
# a second SIGTERM cancels at once; nothing new is taken.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
request() {
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",\"ignore_eos\":true,\"seed\":1$1}}"
}

# client PARAMS: streams in the background, with a second request once it has begun
client() {
    rm -f "$dir/out"
    {
        request "$1"
        echo '{"event":"delta","of":1}'
        echo '{"sleep_ms":300}'
        echo '{"id":2,"method":"generate","params":{"prompt":"x"}}'
    } | ask >"$dir/out" 2>"$dir/err" &
    client=$!
    until_true 40 grep -q '"event":"delta"' "$dir/out"
}

# finishes: 300 tokens are not there yet when the signal comes, and all are delivered
echo 'stop-timeout = 60' >"$conf"
start
client ',"max_tokens":300'
kill -TERM "$pid"
wait $client || fail "$(cat "$dir/err")"
response 1 <"$dir/out" | grep -q '"completion_tokens":300' || fail "it was not finished"
stopped 0
[ ! -e "$sock" ] || fail "the socket is still there"

# the deadline
echo 'stop-timeout = 1' >"$conf"
start
client ',"n":16'
kill -TERM "$pid"
wait $client || fail "$(cat "$dir/err")"
response 1 <"$dir/out" | grep -q '"finish_reason":"canceled"' || fail "not canceled at the deadline"
[ "$(response 1 <"$dir/out" | field text)" != '""' ] || fail "the partial reply is lost"
response 2 <"$dir/out" | grep -q 'the daemon is stopping' || fail "a new request was taken"
stopped 0

# the second signal
echo 'stop-timeout = 60' >"$conf"
start
client ',"n":16'
kill -TERM "$pid"
sleep 0.4
kill -TERM "$pid"
t0=$(date +%s)
wait $client || fail "$(cat "$dir/err")"
response 1 <"$dir/out" | grep -q '"finish_reason":"canceled"' || fail "not canceled by the second signal"
stopped 0
[ $(($(date +%s) - t0)) -lt 10 ] || fail "the second signal did not hurry"
