#!/bin/sh
# SPDX-License-Identifier: MIT
# One user's connections, however many, are one user: who else asks is served in turn with them. What
# was served before is counted, not timed: while the daemon is stopped, one user sends a large message
# on each of forty connections; then root asks how many of them have been refused.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
command -v python3 >/dev/null || skip "no python3"
start --socket-mode 666
chmod 755 "$dir"
cat >"$dir/flood.py" <<'PY'
import os, signal, socket, sys
path, daemon, connections = sys.argv[1], *map(int, sys.argv[2:])
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    return s
def number(data, key): # the integer after a key of msgpack's
    at = data.index(key) + len(key)
    sizes = {0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8}
    n = sizes.get(data[at], 0)
    return int.from_bytes(data[at + 1:at + 1 + n], "big") if n else data[at]
os.kill(daemon, signal.SIGSTOP)
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    flood = [connect() for _ in range(connections)]
    for s in flood:
        s.sendall(bytes([0x94, 0, 7, 0xa7]) + b"nothing\x91\x81\xa1a\xc5\xf0\x00" + bytes(0xf000))
    os.write(tell, b"x")
    signal.pause()
os.close(tell)
if os.read(ready, 1) != b"x": # a folder above is closed to other users, perhaps
    os.kill(daemon, signal.SIGCONT)
    sys.exit(77)
me = connect()
me.sendall(bytes([0x94, 0, 1, 0xa5]) + b"stats\x90")
os.kill(daemon, signal.SIGCONT)
answer = b""
while b"\xa7refused" not in answer or b"\xa6events" not in answer:
    got = me.recv(65536)
    if not got:
        sys.exit("cut off")
    answer += got
print(number(answer, b"\xa7refused"))
os.kill(child, signal.SIGKILL)
PY
timeout 60 python3 "$dir/flood.py" "$sock" "$pid" 40 >"$dir/out" 2>"$dir/err" || {
    [ $? != 77 ] || skip "another user can't connect here: $(tail -n 1 "$dir/err")"
    fail "$(cat "$dir/err")"
}
[ "$(cat "$dir/out")" -le 10 ] || fail "$(cat "$dir/out") of another user's 40 messages came first"
echo "$(cat "$dir/out") of another user's 40 messages came first"
