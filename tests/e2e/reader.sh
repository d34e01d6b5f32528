#!/bin/sh
# SPDX-License-Identifier: MIT
# A client that does not read: its own work rests, nobody else's does; when it reads again it gets
# everything; when it never does, it is cut off.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
echo 'limit-unsent-bytes = 4096' >"$conf"
start

# choices with logprobs make far more than the socket and the mark hold
flood='"prompt":"Once","ignore_eos":true,"max_tokens":200,"n":8,"logprobs":20,"seed":1'
mkfifo "$dir/in"
ask -t 80 <"$dir/in" >"$dir/slow" &
slow=$!
exec 3>"$dir/in"
echo "{\"id\":1,\"method\":\"generate\",\"params\":{$flood}}" >&3
until_true 40 is_busy
is_resting() {
    a=$(stat_of generated)
    sleep 0.5
    [ "$a" -gt 0 ] && [ "$a" = "$(stat_of generated)" ]
}
until_true 3 is_resting
[ "$(stat_of generated)" -lt 1600 ] || fail "the whole reply was generated for nobody"
# another client is served at once
echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}" | ask -q |
    grep -q '"finish_reason":"stop"' || fail "another client waits for the slow one"
exec 3>&-
wait $slow || fail "the slow reader did not get its answer"
[ "$(grep -c '"event":"delta"' "$dir/slow")" -gt 200 ] || fail "deltas were lost"
response 1 <"$dir/slow" | grep -q '"completion_tokens":1600' || fail "tokens were lost"

# cut off
echo 'stall-timeout = 1' >>"$conf"
kill -HUP "$pid"
ask -t 80 <"$dir/in" >"$dir/slow" 2>&1 &
slow=$!
exec 3>"$dir/in"
echo "{\"id\":1,\"method\":\"generate\",\"params\":{$flood}}" >&3
until_true 40 grep -q 'it has read nothing for 1 s' "$log"
exec 3>&-
! wait $slow || fail "a reader that never reads was not cut off"
grep -q '"closed":true' "$dir/slow" || fail "not closed"
until_true 40 is_idle

# too much waits for one user: the connection goes for which the most does, not the one that grew last
printf 'limit-unsent-bytes = 4096\nlimit-unsent-per-user-bytes = 800000\n' >"$conf"
reread=$(grep -c 'configuration reread' "$log")
kill -HUP "$pid"
is_reread() {
    [ "$(grep -c 'configuration reread' "$log")" -gt "$reread" ]
}
until_true 40 is_reread
big() { # a request whose answer has 15 times N bytes
    printf '{"id":1,"method":"detokenize","params":{"ids":[5%s]}}' "$(printf ',5%.0s' $(seq "$1"))"
}
has_finished() {
    [ "$(stat_of finished)" -ge "$1" ]
}
n=$(stat_of finished)
hold most "$(big 60000)"
most=$client
until_true 40 has_finished $((n + 1))
hold last "$(big 40000)"
last=$client
until_true 40 grep -q 'cut off with' "$log"
release last
wait $last || fail "the one that grew last was cut off: $(head -c 300 "$dir/last")"
[ "$(wc -c <"$dir/last")" -gt 600000 ] || fail "its answer is not whole"
release most
! wait $most || fail "the one for which the most waited was not cut off"
