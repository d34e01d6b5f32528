#!/bin/sh
# SPDX-License-Identifier: MIT
# SIGTERM: running requests finish; at the deadline they are canceled and what they have is delivered;
# a second SIGTERM cancels at once; nothing new is taken.
. "${top_srcdir:-.}/tests/e2e/lib.sh"

# request ID PARAMS
request() {
    echo "{\"id\":$1,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",\"ignore_eos\":true,\"seed\":1$2}}"
}

# client PARAMS: streams in the background; PARAMS are those of its first request
client() {
    rm -f "$dir/out"
    request 1 "$1" | ask >"$dir/out" 2>"$dir/err" &
    client=$!
    until_true 40 grep -q '"event":"delta"' "$dir/out"
}

# busy_client: more work than any machine does in a second, and, once the daemon was told to stop,
# one request more
busy_client() {
    rm -f "$dir/out" "$dir/told"
    {
        for id in 1 2 3 4 5 6 7 8; do
            request $id ',"n":16'
        done
        echo '{"event":"delta","of":1}'
        until_true 80 test -e "$dir/told"
        echo '{"id":99,"method":"generate","params":{"prompt":"x"}}'
    } | ask >"$dir/out" 2>"$dir/err" &
    client=$!
    until_true 40 grep -q '"event":"delta"' "$dir/out"
}

# canceled: what there was of the replies came, and nothing new was taken
canceled() {
    grep '"finish_reason":"canceled"' "$dir/out" | grep -q '"text":"[^"]' ||
        fail "no request was canceled, or its partial reply is lost"
}

is_told() {
    [ "$(grep -c 'signal 15' "$log")" -ge "$1" ]
}

# finishes: its tokens are not all there yet when the signal comes, and all are delivered
echo 'stop-timeout = 60' >"$conf"
start
client ',"max_tokens":1000'
kill -TERM "$pid"
wait $client || fail "$(cat "$dir/err")"
response 1 <"$dir/out" | grep -q '"completion_tokens":1000' || fail "it was not finished"
stopped 0
[ ! -e "$sock" ] || fail "the socket is still there"

# the deadline
echo 'stop-timeout = 1' >"$conf"
: >"$log"
start
busy_client
kill -TERM "$pid"
until_true 40 is_told 1
touch "$dir/told"
wait $client || fail "$(cat "$dir/err")"
canceled
response 99 <"$dir/out" | grep -q 'the daemon is stopping' || fail "a new request was taken"
stopped 0

# the second signal: long before the deadline
echo 'stop-timeout = 3000' >"$conf"
: >"$log"
start
busy_client
kill -TERM "$pid"
until_true 40 is_told 1
touch "$dir/told"
until_true 40 grep -q 'the daemon is stopping' "$dir/out"
kill -TERM "$pid"
wait $client || fail "$(cat "$dir/err")"
canceled
stopped 0
