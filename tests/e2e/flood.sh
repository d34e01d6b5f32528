#!/bin/sh
# SPDX-License-Identifier: MIT
# One user's connections, however many, are one user: who else asks is served in turn with them. What
# was served before is counted, not timed: while the daemon is stopped, one user sends a large message
# on each of forty connections; then root asks how many of them have been refused. Once more with short
# messages that are much work: forks of a session; root asks how many sessions there are.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
command -v python3 >/dev/null || skip "no python3"
start --socket-mode 666
chmod 755 "$dir"
cat >"$dir/flood.py" <<'PY'
import os, signal, socket, sys
path, daemon, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    return s
def text(s):
    return bytes([0xa0 + len(s)]) + s.encode()
def request(method, *pairs): # the values are msgpack
    return bytes([0x94, 0, 7]) + text(method) + bytes([0x91, 0x80 + len(pairs)]) + b"".join(
        text(key) + value for key, value in pairs)
def receive(s, *keys):
    got = b""
    while any(key not in got for key in keys):
        more = s.recv(65536)
        if not more:
            sys.exit("cut off")
        got += more
    return got
def large():
    flood = [connect() for _ in range(40)]
    stop()
    for s in flood:
        s.sendall(request("nothing", ("a", b"\xc5\xf0\x00" + bytes(0xf000))))
    return flood
def forks():
    s = connect()
    content = b"\xdb\x00\x02\x00\x00" + b"x" * 0x20000
    message = b"\x82" + text("role") + text("user") + text("content") + content
    s.sendall(request("session.open", ("session", text("a")), ("messages", b"\x91" + message)))
    receive(s, b"messages")
    stop()
    s.sendall(40 * request("session.fork", ("session", text("a"))))
    return s
def stop(): # the parent does: this is somebody else
    os.write(tell, b"s")
    os.read(stopped, 1)
def number(data, key): # the integer after a key of msgpack's
    at = data.index(key) + len(key)
    sizes = {0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8}
    n = sizes.get(data[at], 0)
    return int.from_bytes(data[at + 1:at + 1 + n], "big") if n else data[at]
ready, tell = os.pipe()
stopped, say_stopped = os.pipe()
child = os.fork()
if child == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    flood = {"large": large, "forks": forks}[kind]()
    os.write(tell, b"x")
    signal.pause()
os.close(tell)
if os.read(ready, 1) != b"s": # a folder above is closed to other users, perhaps
    sys.exit(77)
os.kill(daemon, signal.SIGSTOP)
while open("/proc/%d/stat" % daemon).read().rsplit(")")[1].split()[0] != "T":
    pass
os.write(say_stopped, b"x")
try:
    if os.read(ready, 1) != b"x":
        sys.exit("nothing was sent")
    me = connect()
    me.sendall(request({"large": "stats", "forks": "status"}[kind]))
finally:
    os.kill(daemon, signal.SIGCONT)
if kind == "large":
    print(number(receive(me, b"\xa7refused", b"\xa6events"), b"\xa7refused"))
else:
    print(number(receive(me, b"\xabconnections", b"\xa8sessions"), b"\xa8sessions") - 1)
os.kill(child, signal.SIGKILL)
PY
for kind in large forks; do
    timeout 60 python3 "$dir/flood.py" "$sock" "$pid" $kind >"$dir/out" 2>"$dir/err" || {
        [ $? != 77 ] || skip "another user can't connect here: $(tail -n 1 "$dir/err")"
        fail "$(cat "$dir/err")"
    }
    [ "$(cat "$dir/out")" -le 10 ] || fail "$kind: $(cat "$dir/out") of another user's 40 messages came first"
    echo "$kind: $(cat "$dir/out") of another user's 40 messages came first"
done
