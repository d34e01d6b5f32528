#!/bin/sh
# SPDX-License-Identifier: MIT
# What the daemon itself costs, on the demo model: how long until it is ready, the client's way to the
# wire, the front thread's time per token, resident memory. Prints figures and judges none:
#   top_srcdir=SOURCE top_builddir=BUILD tests/bench/daemon.sh
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it measures a daemon of its own"

# the middle of the numbers, a line each, in standard input
median() {
    sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

for i in 1 2 3 4 5 6 7; do
    : >"$log"
    start
    kill -TERM "$pid"
    stopped 0
    sed -n 's/.*ready after \([0-9]*\) ms.*/\1/p' "$log"
done >"$dir/ready"
echo "ready after exec, median of 7: $(median <"$dir/ready") ms"

start
rss() {
    awk '/^VmRSS/ {print $2}' "/proc/$pid/status"
}
echo '{"id":1,"method":"status"}' | ask >"$dir/status"
echo "resident, idle: $(rss) kB, of it weights $(($(field weights <"$dir/status") / 1024)) kB"

# from the client's first instruction to the end of its first write into the socket
if command -v strace >/dev/null; then
    XDG_DATA_HOME=$dir
    export XDG_DATA_HOME
    for i in 1 2 3 4 5 6 7; do
        strace --seccomp-bpf -f -ttt -e trace=execve,connect,sendto,sendmsg,write -o "$dir/trace" \
            "$build/zorac-cli/zorac" -S "$sock" -n 4 hi >/dev/null
        awk '/execve/ && !t {t = $2} /connect/ {c = 1}
            c && /send|write\([3-9]/ {printf "%.2f\n", 1000 * ($2 - t); exit}' "$dir/trace"
    done >"$dir/wire"
    echo "zorac hi, exec to the request on the wire (under strace), median of 7: $(median <"$dir/wire") ms"
fi

for i in $(seq 32); do
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Story $i\",\"seed\":$i,\"max_tokens\":512,\"ignore_eos\":true}}" |
        ask -q -t 80 >/dev/null &
    clients="${clients-} $!"
done
most=0
while [ "$(running)" != 0 ] || [ "$(stat_of events)" = 0 ]; do
    now=$(rss)
    [ "$now" -le "$most" ] || most=$now
done
for c in $clients; do
    wait "$c" || fail "a client failed"
done
echo "resident, 32 streams, the most seen: $most kB"
echo "front thread, per token and stream: $(stat_of cpu_us) us / $(stat_of events) tokens = $(
    awk "BEGIN {print $(stat_of cpu_us) / $(stat_of events)}") us"
