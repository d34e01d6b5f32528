#!/bin/sh
# SPDX-License-Identifier: MIT
# In the journal a line has the request, user and session it is about, and no line at any level has a
# word of a prompt or a reply. Needs root: the journal's socket is put into a mount namespace.
if [ -z "${ZORAC_IN_NAMESPACE-}" ]; then
    unshare -m true 2>/dev/null || {
        echo "skipped: needs root, for a mount namespace"
        exit 77
    }
    ZORAC_IN_NAMESPACE=1 exec unshare -m "$0"
fi
. "${top_srcdir:-.}/tests/e2e/lib.sh"
command -v python3 >/dev/null || skip "no python3 to be the journal"
grep -q sd_listen_fds "$zoracd" || skip "built without libsystemd"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
python3 "$src/tests/e2e/hear.py" /run/systemd/journal/socket >"$dir/heard" &
hear=$!
until_true 40 test -S /run/systemd/journal/socket
JOURNAL_STREAM=$(stat -c %d:%i "$log")
export JOURNAL_STREAM
start --log-level debug
{
    echo '{"id":1,"method":"session.open","params":{"session":"talk"}}'
    echo '{"wait":1}'
    echo "{\"id\":42,\"method\":\"generate\",\"params\":{\"session\":\"talk\",\"messages\":$(user xyzzyprompt)}}"
    echo '{"id":43,"method":"tokenize","params":{"text":"xyzzyprompt"}}'
    echo '{"id":44,"method":"generate","params":{"prompt":"xyzzyprompt","max_tokens":99999999}}'
    echo '{"id":45,"method":"generate","params":{"xyzzykey":"xyzzyprompt"}}'
    echo '{"id":46,"method":"session.open","params":{"session":"xyzzyprompt","messages":"xyzzyprompt"}}'
} | ask >"$dir/out"
reply=$(response 42 <"$dir/out" | field text | tr -d '"')
[ -n "$reply" ] || fail "no reply"
kill "$pid"
stopped 0
kill $hear
[ ! -s "$log" ] || fail "lines on standard error: $(cat "$log")"
grep 'ZORAC_REQUEST=42' "$dir/heard" | grep 'ZORAC_SESSION=talk' | grep -q "ZORAC_UID=$(id -u)" ||
    fail "no fields: $(cat "$dir/heard")"
grep 'ZORAC_REQUEST=43' "$dir/heard" | grep -q 'MESSAGE=request 43 .*tokenize done' || fail "no line of 43"
grep -q 'PRIORITY=7' "$dir/heard" || fail "no debug lines"
! grep -q xyzzyprompt "$dir/heard" || fail "a prompt is logged: $(grep xyzzyprompt "$dir/heard")"
! grep -qF "$reply" "$dir/heard" || fail "a reply is logged"
