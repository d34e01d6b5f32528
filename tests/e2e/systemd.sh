#!/bin/sh
# SPDX-License-Identifier: MIT
# What systemd gives and is told: a socket that was opened before the daemon, readiness, the end.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
command -v python3 >/dev/null || skip "no python3 to hear notifications with"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"

cat >"$dir/hear.py" <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
while True:
    text = s.recv(4096).decode()
    print(text, flush=True)
    if "STOPPING=1" in text:
        break
PY
python3 "$dir/hear.py" "$dir/notify" >"$dir/heard" &
hear=$!
until_true 40 test -S "$dir/notify"
systemd-socket-activate -l "$sock" -E "NOTIFY_SOCKET=$dir/notify" -E "ZORAC_DEMO_MODEL=$ZORAC_DEMO_MODEL" \
    "$zoracd" -c "$conf" 2>>"$log" &
pid=$!
until_true 40 is_state ready
echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}" | ask -q |
    grep -q '"finish_reason":"stop"' || fail "no answer at the socket that was passed"
kill "$pid"
stopped 0
wait $hear || fail "the end was not told"
grep -q 'READY=1' "$dir/heard" || fail "readiness was not told: $(cat "$dir/heard")"
[ -S "$sock" ] || fail "the daemon took systemd's socket away"
