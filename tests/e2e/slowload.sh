#!/bin/sh
# SPDX-License-Identifier: MIT
# The time that systemd gives a load is extended while it moves and not while it stands still. The disk
# gives one piece of the model for each byte that we send, so there is never more to tell than we let
# through, however long anything takes.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
command -v python3 >/dev/null || skip "no python3 to hear notifications with"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"
! grep -qE '__(asan|tsan)_init' "$zoracd" || skip "sanitizers have the calls that the slow disk needs"
[ -f "$build/tests/e2e/slowdisk.so" ] || fail "no slowdisk.so"
python3 "$src/tests/e2e/hear.py" "$dir/notify" >"$dir/heard" &
until_true 40 test -S "$dir/notify"
mkfifo "$dir/disk"
exec 9<>"$dir/disk"
NOTIFY_SOCKET="$dir/notify" SLOW_DISK="$dir/disk" LD_PRELOAD="$build/tests/e2e/slowdisk.so" \
    "$zoracd" -c "$conf" -S "$sock" -b cpu --threads 2 2>>"$log" 9>&- &
pid=$!
until_true 40 is_state loading

given=0
extended() {
    grep -c 'EXTEND_TIMEOUT_USEC=120000000' "$dir/heard" || true
}
# stands: so many turns of the daemon's loop that one which tells in each turn would be found out
stands() {
    enough=$(($(grep -c 'WATCHDOG=1' "$dir/heard" || true) + given + 4))
    has_turned() {
        [ "$(grep -c 'WATCHDOG=1' "$dir/heard" || true)" -ge $enough ]
    }
    until_true 80 has_turned
    [ "$(extended)" -le $((given + 1)) ] ||
        fail "extended $(extended) times for $given pieces: $(cat "$dir/heard")"
}
stands
[ "$(extended)" = 1 ] || fail "the first time is not told: $(cat "$dir/heard")"
has_moved() {
    [ "$(extended)" -gt "$1" ] && return
    printf x >&9
    given=$((given + 1))
    return 1
}
until_true 40 has_moved 1
until_true 40 has_moved 2
stands
is_state loading || fail "ready before the model was there"
exec 9>&-
until_true 40 is_state ready
until_true 40 grep -q 'READY=1' "$dir/heard"
sed -n 's/.*Loading the model: \([0-9]*\) % of .*/\1/p' "$dir/heard" >"$dir/percents"
sort -n "$dir/percents" | cmp -s - "$dir/percents" || fail "it went back: $(cat "$dir/percents")"
kill "$pid"
stopped 0
