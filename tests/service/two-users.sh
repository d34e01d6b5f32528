#!/bin/sh
# SPDX-License-Identifier: MIT
# Two real users in the socket's group, a third who is not, and the daemon under an account of its own:
# neither of the two sees, cancels, ends or starves the other, and the third does not get in.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
command -v setpriv >/dev/null || skip "needs setpriv"
# as UID GROUP COMMAND...: without being in any other group
as() {
    uid=$1
    group=$2
    shift 2
    setpriv --reuid "$uid" --regid "$uid" --groups "$group" --no-new-privs "$@"
}
daemon=30000 anna=30001 bert=30002 carl=30003 members=30100
chmod 755 "$dir"
cp "$zoracd" "$rpc" "$dir"
cp -r "$ZORAC_DEMO_MODEL" "$dir/model"
chmod -R a+rX "$dir"
as $carl $carl test -x "$dir/rpc" || skip "another user can't run programs in $dir"

# The folder is root's, as /run/zoracd is; the socket is made by root and passed, as systemd does.
mkdir -m 755 "$dir/run"
sock=$dir/run/zoracd.sock
cat >"$dir/pass.py" <<'PY'
import os, socket, sys
path, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
os.umask(0o117)
s.bind(path)
os.chown(path, 0, gid)
os.chmod(path, 0o660)
s.listen(64)
if s.fileno() != 3:
    os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="zoracd")
os.execv(sys.argv[4], sys.argv[4:])
PY
command -v python3 >/dev/null || skip "no python3 to pass the socket with"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"
echo 'limit-requests-per-user = 4' >"$conf"
chmod 644 "$conf"
python3 "$dir/pass.py" "$sock" $daemon $members "$dir/zoracd" -c "$conf" -m "$dir/model" -b cpu --threads 2 2>>"$log" &
pid=$!
until_true 40 is_state ready
[ "$(stat -c '%u %g %a' "$sock")" = "0 $members 660" ] || fail "the socket is $(stat -c '%u %g %a' "$sock")"
[ "$(stat -c %u "/proc/$pid")" = $daemon ] || fail "the daemon is not under its own account"

a() {
    as $anna $members timeout 90 "$dir/rpc" -S "$sock" "$@"
}
b() {
    as $bert $members timeout 90 "$dir/rpc" -S "$sock" "$@"
}
# who is not in the group is refused by the kernel
echo '{"id":1,"method":"hello"}' | as $carl $carl timeout 60 "$dir/rpc" -S "$sock" >"$dir/out" 2>"$dir/err" &&
    fail "a stranger got in: $(cat "$dir/out")"
grep -q 'no permission' "$dir/err" || fail "a stranger is told something else: $(cat "$dir/err")"

# Anna has a session, and then as much work as she may have, without an end in sight.
{
    echo '{"id":1,"method":"session.open","params":{"session":"diary","messages":[{"role":"user","content":"dear diary"}]}}'
} | a >/dev/null
long='"ignore_eos":true,"n":16,"seed":1,"prompt":"Once"'
{
    for i in 1 2 3 4; do
        echo "{\"id\":$i,\"method\":\"generate\",\"params\":{$long}}"
    done
} | exec setpriv --reuid $anna --regid $anna --groups $members --no-new-privs \
    "$dir/rpc" -S "$sock" -q -t 80 >"$dir/anna" 2>&1 & # itself, so that a signal reaches it
work=$!
has_four() {
    [ "$(running)" = 4 ]
}
until_true 40 has_four
echo "{\"id\":9,\"method\":\"generate\",\"params\":{$long}}" | a >"$dir/out"
response 9 <"$dir/out" | grep -q '"code":"limit"' || fail "more than her limit: $(cat "$dir/out")"

# Bert gets his answer while all of hers still run; he sees and touches none of it
{
    echo '{"id":1,"method":"generate","params":{"prompt":"hi","max_tokens":4,"stream":false}}'
    echo '{"wait":1}'
    echo '{"id":2,"method":"session.list"}'
    echo '{"id":3,"method":"session.close","params":{"session":"diary"}}'
    echo '{"id":4,"method":"cancel","params":{"id":3}}'
    echo '{"id":5,"method":"shutdown"}'
    echo '{"id":6,"method":"generate","params":{"session":"diary","messages":[]}}'
    echo '{"id":7,"method":"session.fork","params":{"session":"diary"}}'
    echo '{"id":8,"method":"status"}'
} | b >"$dir/bert"
response 1 <"$dir/bert" | grep -q '"completion_tokens"' || fail "Bert starves: $(cat "$dir/bert")"
response 2 <"$dir/bert" | grep -q '"sessions":\[\]' || fail "Bert sees her sessions"
response 3 <"$dir/bert" | grep -q '"code":"unknown_session"' || fail "Bert closes her session"
response 4 <"$dir/bert" | grep -q '"canceled":false' || fail "Bert cancels her request"
response 5 <"$dir/bert" | grep -q '"code":"permission"' || fail "Bert ends the daemon"
response 6 <"$dir/bert" | grep -q '"code":"unknown_session"' || fail "Bert goes on in her session"
response 7 <"$dir/bert" | grep -q '"code":"unknown_session"' || fail "Bert copies her session"
! grep -q diary "$log" || fail "her words are in the log"
! response 8 <"$dir/bert" | grep -q diary || fail "status tells Bert of her session"
[ "$(running)" = 4 ] || fail "her requests ended before his: $(running) of 4 run"
echo '{"id":5,"method":"shutdown"}' | a | grep -q '"code":"permission"' || fail "Anna ends the daemon"
kill $work
wait $work || true
until_true 40 is_idle
echo '{"id":1,"method":"session.list"}' | a | grep -q '"session":"diary"' || fail "her session is gone"
# Descriptors that come with a message are nobody's: the daemon has no more than before.
cat >"$dir/fds.py" <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
hello = bytes([0x94, 0, 1, 0xa5]) + b"hello" + bytes([0x90])
for _ in range(100):
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    socket.send_fds(s, [hello], fds)
    for fd in fds:
        os.close(fd)
    if not s.recv(65536):
        sys.exit("cut off")
PY
before=$(ls "/proc/$pid/fd" | wc -l)
python3 "$dir/fds.py" "$sock" >"$dir/out" 2>&1 || fail "descriptors: $(cat "$dir/out")"
is_as_before() {
    [ "$(ls "/proc/$pid/fd" | wc -l)" -le "$before" ]
}
until_true 40 is_as_before

# Bert's client, with the folder of Carl's session in its environment, does not ask Carl's daemon.
cp "$build/zorac-cli/zorac" "$dir"
mkdir -m 755 "$dir/session" "$dir/session/zorac"
chown -R $carl "$dir/session"
cat >"$dir/listen.py" <<'PY'
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
os.umask(0)
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(8)
while True:
    c = s.accept()[0]
    print("asked:", c.recv(65536), flush=True)
PY
python3 "$dir/listen.py" "$dir/session/zorac/zoracd.sock" $carl >"$dir/asked" &
listener=$!
until_true 40 test -S "$dir/session/zorac/zoracd.sock"
! (unset ZORAC_SOCKET && XDG_RUNTIME_DIR=$dir/session HOME=$dir as $bert $members timeout 60 "$dir/zorac" hi) >"$dir/out" 2>&1 </dev/null ||
    fail "Carl's daemon was asked: $(cat "$dir/out")"
grep -q "is of another user (uid $carl)" "$dir/out" || fail "Bert is told: $(cat "$dir/out")"
kill $listener
wait $listener 2>/dev/null || true
! grep -q asked: "$dir/asked" || grep -q "asked: b''" "$dir/asked" || fail "Carl read: $(cat "$dir/asked")"

# the daemon's own account may
echo '{"id":1,"method":"shutdown"}' | as $daemon $members timeout 60 "$dir/rpc" -S "$sock" |
    grep -q '"stopping":true' || fail "the daemon's own user can't end it"
stopped 0
[ -S "$sock" ] || fail "the socket went with the daemon"
