#!/bin/sh
# SPDX-License-Identifier: MIT
# One daemon per socket: a second one says so in one sentence; what a dead one left is replaced;
# what is not ours is left alone.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
start
st=0
"$zoracd" -c "$conf" -S "$sock" 2>"$dir/err" || st=$?
[ $st = 3 ] || fail "status $st, not 3"
[ "$(cat "$dir/err")" = "zoracd: a daemon is already running at $sock" ] || fail "$(cat "$dir/err")"
is_state ready || fail "the first daemon is gone"

# killed: its socket stays, and is replaced
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
[ -S "$sock" ] || fail "no stale socket to try with"
start
echo '{"id":1,"method":"shutdown"}' | ask | grep -q '"stopping":true' || fail "no shutdown"
stopped 0
[ ! -e "$sock" ] || fail "the socket is still there"

echo precious >"$sock"
st=0
"$zoracd" -c "$conf" -S "$sock" 2>"$dir/err" || st=$?
[ $st = 1 ] && grep -q 'is there and is not a socket' "$dir/err" || fail "$st: $(cat "$dir/err")"
[ "$(cat "$sock")" = precious ] || fail "a file was taken for a stale socket"
rm "$sock"

# a folder of its own for the user's default socket
XDG_RUNTIME_DIR=$dir
export XDG_RUNTIME_DIR
if [ "$(id -u)" != 0 ]; then
    "$zoracd" -c "$conf" 2>>"$log" &
    pid=$!
    until_true 40 test -S "$dir/zorac/zoracd.sock"
    [ "$(stat -c %a "$dir/zorac")" = 700 ] || fail "the folder is open to others"
    kill "$pid"
    stopped 0
fi
