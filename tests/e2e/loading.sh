#!/bin/sh
# SPDX-License-Identifier: MIT
# While the model loads: hello and status answer, a request waits and is told so, can be canceled, and
# runs when the model is there. A disk that gives no byte of a file makes loading wait for us.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
mkdir "$dir/model"
cp "$ZORAC_DEMO_MODEL"/* "$dir/model"
slow_disk "$dir/model/tokenizer_config.json"

launch -m "$dir/model"
until_true 40 is_state loading
echo '{"id":1,"method":"status"}' | ask | grep -q '"load":{"done":' || fail "no load in status"
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}"
    echo "{\"id\":2,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}"
    echo '{"id":3,"method":"tokenize","params":{"text":"a"}}'
    echo '{"id":4,"method":"generate","params":{"prmpt":1}}'
    echo '{"wait":4}'
    echo '{"event":"progress","of":1}'
    echo '{"id":5,"method":"cancel","params":{"id":2}}'
    echo '{"wait":2}'
} | ask >"$dir/out" &
client=$!
until_true 40 grep -q '"id":5,"result"' "$dir/out"
grep '"event":"progress"' "$dir/out" | grep -q '"phase":"load"' || fail "no progress"

# a client that waits, has shut its sending side, and dies: missed at once, as nothing is sent to it
connections() {
    echo '{"id":1,"method":"status"}' | ask | field connections
}
others=$(connections)
{
    echo '{"id":1,"method":"generate","params":{"prompt":"Once","stream":false}}'
    echo '{"shut":true}'
    echo "{\"hold\":\"$dir/never\"}"
} >"$dir/in"
"$rpc" -S "$sock" <"$dir/in" >"$dir/half" 2>&1 &
half=$!
until_true 40 grep -q '"shut":true' "$dir/half"
[ "$(connections)" = $((others + 1)) ] || fail "half closed, and not there any more"
kill -9 $half
wait $half || true
[ "$(connections)" = "$others" ] || fail "a dead peer is still there"

: >"$dir/disk"
wait $client || fail "the waiting request was not answered"
response 1 <"$dir/out" | grep -q '"finish_reason":"stop"' || fail "not answered after loading"
response 2 <"$dir/out" | grep -q '"finish_reason":"canceled"' || fail "not canceled while loading"
response 3 <"$dir/out" | grep -q '"ids":\[' || fail "no ids"
kill "$pid"
stopped 0

# stopped while loading: at once when the disk wakes up; if it does not, at the deadline, or at the
# second signal
held() {
    : >"$log"
    echo "stop-timeout = $1" >"$conf"
    launch -m "$dir/model"
    exec 5>"$dir/disk"
    is_state loading || fail "not loading"
    kill "$pid"
    until_true 40 grep -q 'signal 15: stopping' "$log"
}
held 3000
exec 5>&-
stopped 0
! grep -q 'left behind' "$log" || fail "the load was left behind"
held 1
until_true 40 grep -q 'left behind' "$log"
stopped 0
[ ! -e "$sock" ] || fail "the socket is still there"
held 3000
kill "$pid"
until_true 40 grep -q 'left behind' "$log"
stopped 0
exec 5>&-

# a file that is too large, which is seen without reading it: no fault of who waits for the model
echo 'stop-timeout = 10' >"$conf"
mv "$dir/model/tokenizer.json" "$dir/tokenizer.json"
truncate -s 6G "$dir/model/tokenizer.json" 2>/dev/null || : >"$dir/model/tokenizer.json"
: >"$log"
launch -m "$dir/model"
until_true 40 is_state loading
echo '{"id":1,"method":"generate","params":{"prompt":"x"}}' | ask >"$dir/out" &
client=$!
is_waiting() {
    [ "$(running)" = 1 ]
}
until_true 40 is_waiting
: >"$dir/disk"
stopped 1
wait $client || fail "no answer about a model that can't be loaded"
response 1 <"$dir/out" | grep -q '"code":"system"' || fail "the wrong code: $(cat "$dir/out")"
mv "$dir/tokenizer.json" "$dir/model/tokenizer.json"
slow=
: >"$conf"

# what would make us wait for somebody is no file
rm "$dir/model/tokenizer_config.json"
mkfifo "$dir/model/tokenizer_config.json"
: >"$log"
launch -m "$dir/model"
stopped 1
grep -q 'tokenizer_config.json: not a regular file' "$log" || fail "a pipe: $(cat "$log")"

# a model that can't be served: said to the waiting client, in the log, by the status
rm "$dir/model/tokenizer_config.json"
printf '%s' '{"chat_template": "{% for m in messages %}\n{{ m.content | frobnicate }}{% endfor %}"}' \
    >"$dir/model/tokenizer_config.json"
: >"$log"
launch -m "$dir/model"
stopped 1
grep -q 'chat_template:2' "$log" || fail "the template's line is not named: $(cat "$log")"
grep -q 'frobnicate' "$log" || fail "the filter is not named"
rm "$dir/model/tokenizer_config.json"
: >"$log"
launch -m "$dir/model"
stopped 1
grep -q 'no chat template' "$log" || fail "a missing template: $(cat "$log")"
: >"$log"
launch -m "$dir/nowhere"
stopped 1
[ "$(wc -l <"$log")" = 1 ] && grep -q "$dir/nowhere" "$log" || fail "an unreadable model: $(cat "$log")"
