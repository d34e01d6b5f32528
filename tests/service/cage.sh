#!/bin/sh
# SPDX-License-Identifier: MIT
# What the daemon (and, of cores, the client) takes from itself holds in every thread: the filter of system calls (its list is tried
# call by call in tests/unit), no core, no rights to gain; and the modes of what it makes in the file system.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
ulimit -c unlimited 2>/dev/null || true
umask 000
sock=$dir/new/s
start
case $(uname -m) in
x86_64 | aarch64)
    ! grep -q 'no filter of system calls' "$log" || fail "$(cat "$log")"
    for t in /proc/"$pid"/task/*; do
        grep -q '^Seccomp:.*2$' "$t/status" || fail "a thread has no filter: $(cat "$t/comm")"
        grep -q '^NoNewPrivs:.*1$' "$t/status" || fail "a thread may gain rights: $(cat "$t/comm")"
    done
    ;;
esac
# no_core PID: a crash of it leaves nothing
no_core() {
    grep -q '^Max core file size *0 *0 ' "/proc/$1/limits" || fail "cores: $(grep core "/proc/$1/limits")"
    [ "$(cat "/proc/$1/coredump_filter")" = 00000000 ] || fail "memory in cores: $(cat "/proc/$1/coredump_filter")"
}
no_core "$pid"
[ "$(stat -c %a "$dir/new")" = 700 ] || fail "the socket's folder is $(stat -c %a "$dir/new")"
[ "$(stat -c %a "$sock")" = 600 ] || fail "the socket is $(stat -c %a "$sock")"
[ "$(stat -c %a "$sock.lock")" = 600 ] || fail "the lock is $(stat -c %a "$sock.lock")"
echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user hi)}}" | ask -q |
    grep -q '"finish_reason":"stop"' || fail "no answer from within the cage"
# the client has prompts and replies in its memory, too; this one reads what it is to ask
mkfifo "$dir/fifo"
exec 9<>"$dir/fifo"
"$build/zorac-cli/zorac" -S "$sock" <"$dir/fifo" >/dev/null 2>&1 9>&- &
client=$!
reads() {
    [ "$(readlink "/proc/$client/exe")" = "$(readlink -f "$build/zorac-cli/zorac")" ] &&
        [ "$(cat "/proc/$client/coredump_filter")" = 00000000 ]
}
until_true 40 reads
no_core $client
exec 9>&-
wait $client || true
kill -HUP "$pid"
until_true 40 grep -q 'configuration reread' "$log"
kill "$pid"
stopped 0
start --socket-mode 660
[ "$(stat -c %a "$sock")" = 660 ] || fail "the socket is $(stat -c %a "$sock"), not 660"
# a crash leaves nothing
kill -SEGV "$pid"
wait "$pid" || true
pid=
[ -z "$(find . "$dir" -maxdepth 2 -name 'core*' -newer "$conf" -type f 2>/dev/null)" ] || fail "a core file"
