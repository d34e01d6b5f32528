#!/bin/sh
# SPDX-License-Identifier: MIT
# The units are what systemd understands, the base unit's exposure is at most 2.5 (of 10), each
# directive has its reason above it, and what the daemon really calls is what the filter lets through.
set -eu
src=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
export LC_ALL=C
fail() {
    echo "FAILED: $*"
    exit 1
}
skip() {
    echo "skipped: $*"
    exit 77
}
[ -f "$build/packaging/systemd/zoracd.service" ] || skip "built without libsystemd: no units"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/zorac-units-XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# each directive has a comment of its own, in the line above
for f in "$src"/packaging/systemd/*.conf.in "$src"/packaging/systemd/*.service.in "$src"/packaging/systemd/*.socket.in \
    "$src"/packaging/systemd/user/*.in; do
    awk -v file="$f" '/^[A-Z]/ && !/^(Description|Documentation)=/{n++
        if (above !~ /^# /) {print file ": " $0; bad = 1}} {above = $0} END{exit bad || n < 5}' "$f" ||
        fail "a directive without its reason"
done

# The generator lets the GPU in where there is one: display controllers of NVIDIA, and nothing else.
sed "s|@pkgdatadir@|/usr/share/zorac|" "$src/packaging/systemd/zoracd-cuda.in" >"$tmp/generator"
lets_in() {
    rm -rf "$tmp/units" "$tmp/sys/bus/pci/devices/0000:01:00.0" && mkdir -p "$tmp/units" "$tmp/sys/bus/pci/devices/0000:01:00.0"
    echo "$1" >"$tmp/sys/bus/pci/devices/0000:01:00.0/vendor"
    echo "$2" >"$tmp/sys/bus/pci/devices/0000:01:00.0/class"
    sh "$tmp/generator" "$tmp/units" "$tmp/units" "$tmp/units" "$tmp/sys" || fail "the generator failed"
    [ "$(find "$tmp/units" -type l -printf '%P %l\n' | sort)" = "zoracd-.service.d/10-cuda.conf /usr/share/zorac/10-cuda.conf
zoracd.service.d/10-cuda.conf /usr/share/zorac/10-cuda.conf" ]
}
lets_in 0x10de 0x030000 || fail "the generator does not see a graphics card"
lets_in 0x10de 0x030200 || fail "the generator does not see a card without a display"
! lets_in 0x10de 0x040300 || fail "the sound of a card is taken for a GPU"
! lets_in 0x8086 0x030000 || fail "another maker's card is taken for NVIDIA's"
sh "$tmp/generator" "$tmp/none" "$tmp/none" "$tmp/none" "$tmp/nosys" || fail "no /sys, and the generator failed"
[ ! -e "$tmp/none" ] || fail "no /sys, and something was let in"

command -v systemd-analyze >/dev/null || skip "no systemd-analyze: the units were only read"
mkdir "$tmp/system" "$tmp/user" "$tmp/system/zoracd.service.d"
for f in zoracd.service zoracd.socket user/zoracd.service user/zoracd.socket; do
    case $f in user/*) to=$tmp/$f ;; *) to=$tmp/system/$f ;; esac
    sed "s|^ExecStart=[^ ]*|ExecStart=$build/zoracd/zoracd|" "$build/packaging/systemd/$f" >"$to"
done
# quiet COMMAND...: succeeds and says nothing
quiet() {
    "$@" >"$tmp/says" 2>&1 || fail "$* : $(cat "$tmp/says")"
    [ ! -s "$tmp/says" ] || fail "$* : $(cat "$tmp/says")"
}
quiet systemd-analyze verify --man=no "$tmp/system/zoracd.service" "$tmp/system/zoracd.socket"
mkdir -m 700 "$tmp/run"
XDG_RUNTIME_DIR=$tmp/run
export XDG_RUNTIME_DIR
quiet systemd-analyze --user verify --man=no "$tmp/user/zoracd.service" "$tmp/user/zoracd.socket"

# the second daemon of docs/admin.md
sed -n '/^## Two daemons/,/^## /s/^    //p' "$src/docs/admin.md" | sed '/^systemctl\|^cp /d' |
    sed "s#/[a-z]*/systemd/system#$tmp/system#" >"$tmp/second"
[ "$(grep -c 'zoracd-b' "$tmp/second")" -ge 3 ] || fail "docs/admin.md has no second daemon: $(cat "$tmp/second")"
sh -eu "$tmp/second"
quiet systemd-analyze verify --man=no "$tmp/system/zoracd-b.service" "$tmp/system/zoracd-b.socket"
shares() {
    grep -hE '^(ListenStream|(State|Cache|Runtime)Directory|ExecStart|Requires|After)=' "$tmp/system/$1.service" "$tmp/system/$1.socket" | sort
}
shares zoracd >"$tmp/first"
shares zoracd-b | comm -12 - "$tmp/first" >"$tmp/same"
[ "$(cat "$tmp/same")" = After=nvidia-persistenced.service ] || fail "two daemons share $(cat "$tmp/same")"

# where each keeps the GPU's compiled kernels: the drop-in names it after the unit
grep -qx 'Environment=CUDA_CACHE_PATH=%C/%N/cuda' "$src/packaging/systemd/10-cuda.conf.in" ||
    fail "10-cuda.conf does not name the cache after the unit"
for unit in zoracd zoracd-b; do
    grep -qx "CacheDirectory=$unit" "$tmp/system/$unit.service" || fail "$unit.service has no cache of its name"
done

# exposure FILE ARGUMENT: must not be over it, in tenths
exposure() {
    systemd-analyze security --offline=true --no-pager --threshold="$2" "$1" >"$tmp/says" 2>&1 ||
        fail "$1: $(tail -n 1 "$tmp/says")"
    tail -n 1 "$tmp/says"
}
exposure "$tmp/system/zoracd.service" 25
# with the GPU let in
cp "$src/packaging/systemd/10-cuda.conf.in" "$tmp/system/zoracd.service.d/10-cuda.conf"
quiet systemd-analyze verify --man=no "$tmp/system/zoracd.service" "$tmp/system/zoracd.socket"
exposure "$tmp/system/zoracd.service" 35

# calls_of SET: with those of the sets that it holds
calls_of() {
    systemd-analyze syscall-filter --no-pager "$1" | sed -n 's/^ *\(@*[a-z_0-9-]*\)$/\1/p' | sed 1d >"$tmp/set$1"
    grep -v @ "$tmp/set$1" || true
    for inner in $(grep @ "$tmp/set$1"); do
        calls_of "$inner"
    done
}
# the calls of a whole life: start, load, a reply, a reload, the end
if command -v strace >/dev/null && strace -o "$tmp/x" true 2>/dev/null; then
    allowed=$(calls_of @default; calls_of @system-service; echo seccomp)
    denied=$({ calls_of @privileged; calls_of @resources; } |
        grep -vxE 'sched_setaffinity|mbind|set_mempolicy')
    export ZORAC_DEMO_MODEL="${ZORAC_DEMO_MODEL:-$src/zoracd/demo/model}"
    : >"$tmp/conf"
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$tmp/calls" "$build/zoracd/zoracd" -c "$tmp/conf" -S "$tmp/s" 2>"$tmp/log" &
    tracer=$!
    n=0
    until "$build/zorac-cli/zorac" -S "$tmp/s" -t 0 hello >"$tmp/reply" 2>/dev/null </dev/null; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "no reply under strace: $(cat "$tmp/log")"
        sleep 0.1
    done
    pid=$(sed -n '1s/ .*//p' "$tmp/calls")
    kill -HUP "$pid"
    kill "$pid"
    wait $tracer || fail "the daemon failed under strace"
    sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$tmp/calls" | sort -u >"$tmp/used"
    [ "$(wc -l <"$tmp/used")" -gt 20 ] || fail "strace saw too little"
    while read -r call; do
        echo "$allowed" | grep -qx "$call" || fail "the filter does not know $call"
        ! echo "$denied" | grep -qx "$call" || fail "the filter denies $call"
    done <"$tmp/used"
    echo "$(wc -l <"$tmp/used") different calls, all allowed"
else
    echo "no strace here: the calls were not compared with the filter"
fi
