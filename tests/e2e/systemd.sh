#!/bin/sh
# SPDX-License-Identifier: MIT
# What systemd gives and is told: a socket that was opened before the daemon and is chosen by its name,
# readiness, the load, the end. The first prompt starts the daemon, and the socket outlives it.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
command -v python3 >/dev/null || skip "no python3 to hear notifications with"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"

# activate [options of systemd-socket-activate]: as the socket unit does
activate() {
    systemd-socket-activate "$@" -E "NOTIFY_SOCKET=$dir/notify" \
        -E "ZORAC_DEMO_MODEL=$ZORAC_DEMO_MODEL" "$zoracd" -c "$conf" -b cpu --threads 2 2>>"$log" &
    pid=$!
}
rm -f "$dir/notify"
python3 "$src/tests/e2e/hear.py" "$dir/notify" >"$dir/heard" &
hear=$!
until_true 40 test -S "$dir/notify"

# two sockets; ours is the second and has the name
activate -l "$dir/other" -l "$sock" --fdname=other:zoracd
until_true 40 test -S "$sock"
echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}" | ask -q >"$dir/out"
response 1 <"$dir/out" | grep -q '"finish_reason":"stop"' || fail "no answer at the socket that was passed"
until_true 40 grep -q 'READY=1' "$dir/heard"
[ "$(grep -n 'EXTEND_TIMEOUT_USEC=.*STATUS=Loading' "$dir/heard" | head -n 1 | cut -d: -f 1)" = 1 ] ||
    fail "the load was not told first: $(cat "$dir/heard")"
grep -q 'READY=1 | STATUS=Serving zorac-demo' "$dir/heard" || fail "no status: $(cat "$dir/heard")"
kill "$pid"
stopped 0
wait $hear || fail "the end was not told"
grep -q 'STOPPING=1 | STATUS=Finishing .* EXTEND_TIMEOUT_USEC=' "$dir/heard" || fail "no time to finish"
[ -S "$sock" ] || fail "the daemon took systemd's socket away"

# several sockets, none of them ours; and one that is no stream
rm -f "$sock" "$dir/other"
activate -l "$dir/other" -l "$sock" --fdname=other:another
until_true 40 test -S "$sock"
echo '{"id":1,"method":"hello"}' | ask >/dev/null 2>&1 || true
stopped 1
grep -q '2 sockets, and none is named zoracd' "$log" || fail "a socket was guessed"
rm -f "$sock" "$dir/other"
systemd-socket-activate -d -l "$sock" "$zoracd" -c "$conf" 2>>"$log" &
pid=$!
until_true 40 test -S "$sock"
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", sys.argv[1])' "$sock"
stopped 1
grep -q 'no listening Unix stream socket' "$log" || fail "a datagram socket was taken"
