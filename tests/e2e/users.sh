#!/bin/sh
# SPDX-License-Identifier: MIT
# Two users at one daemon: neither sees the other's sessions, requests or cache; only the owner may
# stop it. Needs root, to be somebody else.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v setpriv >/dev/null || skip "needs setpriv"
start --socket-mode 666 --log-level info
chmod 755 "$dir"
cp "$rpc" "$dir/rpc"
chmod 755 "$dir/rpc"
other() {
    setpriv --reuid 65534 --regid 65534 --clear-groups timeout 60 "$dir/rpc" -S "$sock" "$@"
}
echo '{"id":1,"method":"hello"}' | other >/dev/null 2>&1 || skip "another user can't run programs here"

prompt='"prompt":"A long enough prompt that fills more than one page of the cache: one two three four five six seven eight nine ten","max_tokens":4,"stream":false'
{
    echo '{"id":1,"method":"session.open","params":{"session":"mine","messages":[{"role":"user","content":"secret"}]}}'
    echo "{\"id\":2,\"method\":\"generate\",\"params\":{$prompt}}"
    echo '{"wait":2}'
    echo "{\"id\":3,\"method\":\"generate\",\"params\":{$prompt}}"
} | ask >"$dir/out"
[ "$(response 3 <"$dir/out" | field cached_tokens)" -gt 0 ] || fail "the user's own prefix is not cached"
{
    echo '{"id":1,"method":"session.list"}'
    echo '{"id":2,"method":"render","params":{"session":"mine"}}'
    echo '{"id":3,"method":"session.close","params":{"session":"mine"}}'
    echo "{\"id\":4,\"method\":\"generate\",\"params\":{$prompt}}"
    echo '{"id":5,"method":"shutdown"}'
    echo '{"id":6,"method":"cancel","params":{"id":2}}'
    echo '{"id":7,"method":"stats"}'
    echo '{"id":8,"method":"status"}'
} | other >"$dir/out"
response 1 <"$dir/out" | grep -q '"sessions":\[\]' || fail "another user's sessions are listed"
response 2 <"$dir/out" | grep -q '"code":"unknown_session"' || fail "another user's session is read"
response 3 <"$dir/out" | grep -q '"code":"unknown_session"' || fail "another user's session is closed"
[ "$(response 4 <"$dir/out" | field cached_tokens)" = 0 ] || fail "another user's cache answers"
response 5 <"$dir/out" | grep -q '"code":"permission"' || fail "another user stops the daemon"
response 6 <"$dir/out" | grep -q '"canceled":false' || fail "another user's request is found"
response 7 <"$dir/out" | grep -q '"code":"permission"' || fail "the lengths of another user's prompts are told"
response 8 <"$dir/out" | grep -q '"kv":{"pages":[0-9]*}' || fail "how full another user's cache is: $(response 8 <"$dir/out")"
echo '{"id":1,"method":"status"}' | ask | grep -q '"kv":{[^}]*"used"' || fail "the owner is not told of the cache"
echo '{"id":1,"method":"session.list"}' | ask | grep -q '"session":"mine"' || fail "the session is gone"

# long texts, each too long in the end: nobody waits for all of another user. The thread that takes
# them is held until all of them are there.
freeze zoracd-long "all but turns with texts: "
text=$(head -c 100000 /dev/zero | tr '\0' 'a')
for i in 1 2 3 4 5 6 7 8 9; do
    echo "{\"id\":$i,\"method\":\"generate\",\"params\":{\"prompt\":\"$text\"}}"
done >"$dir/many"
are_there() {
    [ "$(running)" = "$1" ]
}
{ exec 9>&- && other; } <"$dir/many" >"$dir/out" 2>"$dir/err" &
client=$!
until_true 40 are_there 9
echo "{\"id\":77,\"method\":\"tokenize\",\"params\":{\"text\":\"$text\"}}" >"$dir/in"
{ exec 9>&- && ask; } <"$dir/in" >"$dir/one" &
one=$!
until_true 40 are_there 10
exec 9>&-
wait $one || fail "$(head -c 300 "$dir/one")"
wait $client || fail "$(cat "$dir/err")"
wait "$freeze" || true
[ "$(wc -l <"$dir/out")" = 9 ] || fail "$(wc -l <"$dir/out") answers of 9"
place=$(grep -o 'request [0-9]* of uid [0-9]*:.*' "$log" | tail -n 10 | grep -n '^request 77 ' | cut -d : -f 1)
[ "$place" -le 2 ] || fail "it waited for $((place - 1)) texts of another user"
