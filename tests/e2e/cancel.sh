#!/bin/sh
# SPDX-License-Identifier: MIT
# Cancel before, in and after the prompt; a client killed in mid-stream: the work ends within a step,
# and what was written so far is delivered.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
start

# in decode: a partial reply
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",$flood}}"
    echo '{"event":"delta","of":1}'
    echo '{"id":2,"method":"cancel","params":{"id":1}}'
    echo '{"wait":1}'
    echo '{"id":3,"method":"cancel","params":{"id":1}}'
} | ask >"$dir/out"
response 1 <"$dir/out" | grep -q '"finish_reason":"canceled"' || fail "not canceled"
[ "$(response 1 <"$dir/out" | sed 's/.*"params"//' | field text)" != '""' ] ||
    fail "the partial reply is lost"
response 2 <"$dir/out" | grep -q '"canceled":true' || fail "cancel found nothing"
response 3 <"$dir/out" | grep -q '"canceled":false' || fail "cancel found what has ended"
tokens=$(response 1 <"$dir/out" | field completion_tokens)
[ "$tokens" -lt 1500 ] || fail "canceled after $tokens tokens"

# before the prompt is computed: request and cancel arrive together
long=$(for i in 1 2 3 4 5 6 7 8 9 10; do printf 'one two three four five six seven eight nine ten '; done)
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"$long$long\",$flood}}"
    echo '{"id":2,"method":"cancel","params":{"id":1}}'
} | ask -q >"$dir/out"
response 1 <"$dir/out" | grep -q '"finish_reason":"canceled"' || fail "not canceled before it began"

# a canceled reply stays in its session, and one that never began leaves it as it was
{
    echo '{"id":1,"method":"session.open","params":{"session":"s"}}'
    echo "{\"id\":2,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user hi),$flood}}"
    echo '{"event":"delta","of":2}'
    echo "{\"id\":3,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user hi)}}"
    echo '{"id":4,"method":"cancel","params":{"id":2}}'
    echo '{"wait":2}'
    echo '{"id":5,"method":"session.list"}'
    echo "{\"id\":6,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user hi),$flood}}"
    echo '{"id":7,"method":"cancel","params":{"id":6}}'
    echo '{"wait":6}'
    echo '{"id":8,"method":"session.list"}'
} | ask -q >"$dir/out"
response 3 <"$dir/out" | grep -q '"code":"busy"' || fail "a busy session took another request"
response 5 <"$dir/out" | grep -q '"busy":false,.*"messages":2,' || fail "the partial reply is not kept"
response 6 <"$dir/out" | sed 's/.*"params"//' | grep -q '"text":""' && expect=2 || expect=4
response 8 <"$dir/out" | grep -q "\"messages\":$expect," || fail "not $expect messages"

# a client that dies in mid-stream
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",$flood}}"
    echo '{"event":"delta","of":1}'
    echo "{\"hold\":\"$dir/never\"}"
} >"$dir/in"
before=$(stat_of canceled)
"$rpc" -S "$sock" <"$dir/in" >"$dir/out" 2>&1 &
client=$!
until_true 40 grep -q '"event":"delta"' "$dir/out"
kill -9 $client
until_true 40 is_idle
[ "$(stat_of canceled)" -gt "$before" ] || fail "the lost client's work was not canceled"

# one that only shuts its sending side gets its answer, and is let go then
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}"
    echo '{"shut":true}'
    echo '{"wait":1}'
    echo '{"closed":true}'
} | ask -q >"$dir/out"
response 1 <"$dir/out" | grep -q '"finish_reason":"stop"' || fail "half closed: no answer"
