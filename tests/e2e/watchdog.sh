#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd's watchdog is fed while the daemon is idle and while the engine moves, and not while a
# request waits for an engine that stands still.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
command -v python3 >/dev/null || skip "no python3 to hear notifications with"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"
python3 "$src/tests/e2e/hear.py" "$dir/notify" >"$dir/heard" &
until_true 40 test -S "$dir/notify"
export NOTIFY_SOCKET="$dir/notify"
start
unset NOTIFY_SOCKET
beats() {
    grep -c 'WATCHDOG=1' "$dir/heard" || true
}
has_beats() {
    [ "$(beats)" -ge "$1" ]
}
until_true 40 has_beats $(($(beats) + 2)) # idle

# More work than any machine does before it is held; its reader stays.
for id in 1 2 3 4 5 6 7 8; do
    echo "{\"id\":$id,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",\"ignore_eos\":true,\"n\":16,\"seed\":1}}"
done | ask -q -t 80 >/dev/null 2>&1 &
until_true 40 is_busy
freeze zoracd-engine
[ "$(running)" != 0 ] || fail "the work was done before it could be held"
n=$(beats)
sleep 4
[ "$(beats)" -le $((n + 1)) ] || fail "fed $(($(beats) - n)) times while the engine stood still"
n=$(beats)
exec 9>&-
until_true 40 has_beats $((n + 2)) # it moves again, or is idle again
