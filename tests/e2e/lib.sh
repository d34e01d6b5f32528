# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034 # variables are for the scripts that read this
# What every end-to-end script needs: a daemon of its own at a socket of its own, in a folder that
# goes away. ZORAC_E2E_SOCKET points at a daemon that is already running, in a debugger say.
set -eu
src=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
zoracd=$build/zoracd/zoracd
rpc=$build/tests/e2e/rpc
export ZORAC_DEMO_MODEL="${ZORAC_DEMO_MODEL:-$src/zoracd/demo/model}"
export LC_ALL=C
unset NOTIFY_SOCKET LISTEN_FDS XDG_CONFIG_HOME || true

skip() {
    echo "skipped: $*"
    exit 77
}
[ -f "$ZORAC_DEMO_MODEL/config.json" ] || skip "the demo model is not there"

dir=$(mktemp -d "${TMPDIR:-/tmp}/zorac-e2e-XXXXXX")
sock=${ZORAC_E2E_SOCKET:-$dir/s}
log=$dir/log
conf=$dir/zoracd.conf
pid=
slow=
: >"$conf"
: >"$log"

cleanup() {
    status=$?
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        echo "--- log of the daemon"
        cat "$log"
    fi
    rm -rf "$dir"
    exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $*"
    exit 1
}

# launch [options]: starts a daemon and does not wait for it
launch() {
    [ -z "${ZORAC_E2E_SOCKET-}" ] || return 0
    # shellcheck disable=SC2086 # words
    env $slow "$zoracd" -c "$conf" -S "$sock" -b cpu --threads 2 "$@" 2>>"$log" &
    pid=$!
}

# slow_disk FILE: what is launched from now on opens FILE only when somebody has opened the pipe
# $dir/disk for writing and closed it (tests/e2e/slowdisk.c)
slow_disk() {
    ! grep -q __tsan_init "$zoracd" || skip "the thread sanitizer has the calls that the slow disk needs"
    [ -f "$build/tests/e2e/slowdisk.so" ] || fail "no slowdisk.so"
    [ -p "$dir/disk" ] || mkfifo "$dir/disk"
    slow="SLOW_DISK=$dir/disk SLOW_FILE=$1 LD_PRELOAD=$build/tests/e2e/slowdisk.so"
    slow="$slow ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-}"
}

# ask [options of rpc]: requests from standard input, answers to standard output
ask() {
    timeout 90 "$rpc" -S "$sock" "$@"
}

# until_true SECONDS COMMAND...: until it succeeds
until_true() {
    n=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        n=$((n - 1))
        [ $n -gt 0 ] || fail "in vain: $*"
        sleep 0.05
    done
}

is_state() {
    echo '{"id":1,"method":"hello"}' | ask 2>/dev/null | grep -q "\"state\":\"$1\""
}

# start [options]: a daemon that is ready
start() {
    launch "$@"
    until_true 40 is_state ready
}

# stopped STATUS: waits for the daemon's end
stopped() {
    status=0
    wait "$pid" || status=$?
    pid=
    [ "$status" = "$1" ] || fail "the daemon ended with status $status, not $1"
}

# field NAME: the last value of that key in the lines of standard input
field() {
    sed -n "s/.*\"$1\":\\(\"\\([^\"\\\\]\\|\\\\.\\)*\"\\|[^,}]*\\).*/\\1/p" | tail -n 1
}

stat_of() {
    echo '{"id":1,"method":"stats"}' | ask | field "$1"
}

running() {
    echo '{"id":1,"method":"status"}' | ask | sed 's/.*"requests":\({[^}]*}\).*/\1/' | field all
}
is_busy() {
    [ "$(running)" != 0 ]
}
is_idle() {
    [ "$(running)" = 0 ]
}

# response ID: that response among the lines of standard input
response() {
    grep -e "^{\"id\":$1," -e "\"id\":$1}\$" | grep -v '^{"event"' || fail "no response to request $1"
}

# Parameters of a reply that can't end before its client reads: its logprobs are more than what may
# wait unsent and what a socket holds, and a reply whose client does not read rests.
flood='"ignore_eos":true,"seed":1,"logprobs":20,"max_tokens":1500'

# hold NAME LINES...: a client in the background that sends these lines and then reads nothing until
# `release NAME`; $client is its process, $dir/NAME what it prints
hold() {
    held=$1
    shift
    {
        for line in "$@"; do
            printf '%s\n' "$line"
        done
        echo "{\"hold\":\"$dir/$held.go\"}"
    } | ask -t 80 >"$dir/$held" 2>&1 &
    client=$!
}
release() {
    : >"$dir/$1.go"
}

# freeze THREAD [WHAT]: the daemon's thread of that name stands still until descriptor 9 is closed in
# every process that has it; $freeze is who holds it. Where that is denied the test is skipped, WHAT
# before the reason saying how much of it ran.
freeze() {
    mkfifo "$dir/hold"
    "$build/tests/e2e/freeze" "$pid" "$1" <"$dir/hold" >"$dir/frozen" &
    freeze=$!
    exec 9>"$dir/hold"
    until_true 20 is_frozen
    [ -s "$dir/frozen" ] || skip "${2-}threads of another process can't be held here"
}
is_frozen() {
    [ -s "$dir/frozen" ] || ! kill -0 "$freeze"
}

user() {
    printf '[{"role":"user","content":"%s"}]' "$1"
}
