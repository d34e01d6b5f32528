#!/bin/sh
# SPDX-License-Identifier: MIT
# Options and configuration: each that is taken works or is refused with a reason; the exit statuses
# that --help promises; SIGHUP.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"

# expect STATUS SAYS OPTIONS...
expect() {
    want=$1
    says=$2
    shift 2
    st=0
    timeout 60 "$zoracd" "$@" >"$dir/out" 2>"$dir/err" || st=$?
    [ $st = "$want" ] || fail "zoracd $*: status $st, not $want: $(cat "$dir/err")"
    cat "$dir/out" "$dir/err" | grep -q -e "$says" || fail "zoracd $*: $(cat "$dir/out" "$dir/err")"
}
expect 0 'Exit status' --help
expect 0 '^zoracd [0-9]' --version
expect 2 "no option '--bogus'" --bogus
expect 2 '-m needs a value' -m
expect 2 "no option '-z'" -zh
expect 2 "no option '-z'" -hz
expect 2 "no option '--bogus=1'" --bogus=1
expect 2 '--context needs a value' --contex
expect 2 '--exact takes no value' --exact=yes
expect 2 '--help takes no value' --help=me
expect 2 "option '--so=3' may be any of --socket, --socket-mode" --so=3
expect 2 'may be any of --limit-message-bytes, --limit-message-items, ' --limit 3
for args in --help --version "--check -c $conf"; do
    # shellcheck disable=SC2086 # words
    st=0 && "$zoracd" $args >/dev/full 2>"$dir/err" || st=$?
    [ $st = 1 ] && grep -q 'zoracd: cannot write to standard output' "$dir/err" ||
        fail "$args into a full device: status $st, $(cat "$dir/err")"
done
expect 2 "'x' is not an option" x
expect 2 "'x' is not an option" -- x
expect 1 'the CUDA back-end is not installed' -b cuda -c "$conf" -S "$dir/x"
expect 2 "backend is auto, cuda or cpu, not 'tpu'" -b tpu
expect 2 'contradicts backend cpu' --device 0 -b cpu
expect 2 "kv-type is f16 or fp8, not 'x'" --kv-type x
expect 2 'exact stores keys and values in full precision' --kv-type fp8 --exact
for bits in 7 9 12 17 x; do
    expect 2 "lm-head is 8 or 16, not '$bits'" --lm-head $bits
done
printf 'lm-head = 9\n' >"$conf"
expect 2 "$conf:1: lm-head is 8 or 16, not '9'" --check -c "$conf"
: >"$conf"
expect 2 "memory-limit is a size as 6GiB, not 'lots'" --memory-limit lots
expect 2 'threads is a number from 0 to 1024' --threads -1
expect 2 'log-level is one of' --log-level loud
expect 2 'caps: "nonsense" is none of' --caps nonsense
expect 2 'nowhere.conf: no such file' -c "$dir/nowhere.conf"
expect 1 'no such file' --check -m "$dir/nowhere"
expect 0 'the model can be served' --check -c "$conf"
expect 1 'the model does not fit' --check -c "$conf" --memory-limit 1MiB
expect 1 'longer than' -c "$conf" -S "$(printf '/%0200d' 1)"

# file LINE SAYS: the file, the line, the key
file() {
    printf 'log-level = info\n%s\n' "$1" >"$dir/bad.conf"
    expect 2 "$dir/bad.conf:2: $2" -c "$dir/bad.conf"
}
file 'modle = x' "unknown key 'modle'"
file 'context = many' 'context is a number from'
printf '[server]\nmodel = x\n' >"$dir/bad.conf"
expect 2 'bad.conf:1: there are no sections' -c "$dir/bad.conf"
file 'exact = perhaps' 'exact is yes or no'
file 'nonsense' "not 'key = value'"
file 'log-level = debug' 'log-level is there twice'

# every resource option at work
printf 'max-sequences = 4\ncontext = 512\nexact = yes\nmemory-limit = 2GiB\nsocket-mode = 660\n' >"$conf"
start --caps portable --lm-head 16 --strict
echo '{"id":1,"method":"status"}' | ask >"$dir/out"
grep -q '"context":512' "$dir/out" || fail "context"
grep -q '"kv_type":"f32"' "$dir/out" || fail "exact"
grep -q 'cpu portable' "$dir/out" || fail "caps: $(cat "$dir/out")"
[ "$(stat -c %a "$sock")" = 660 ] || fail "socket-mode"
"$zoracd" --check -c /dev/null --context 512 --max-sequences 1 --kv-type fp8 >"$dir/out" ||
    fail "fp8: $(cat "$dir/out")"
grep -q 'fp8' "$dir/out" || fail "fp8: $(cat "$dir/out")"

# SIGHUP: a connection that was there before has the new limits too
printf 'limit-message-items = 1024\n' >"$conf"
reread_is() {
    [ "$(grep -c 'configuration reread' "$log")" = "$1" ]
}
kill -HUP "$pid"
until_true 40 reread_is 1
{
    echo '{"id":1,"method":"hello"}'
    echo '{"wait":1}'
    echo "{\"hold\":\"$dir/old.go\"}"
    echo "{\"id\":2,\"method\":\"detokenize\",\"params\":{\"ids\":[$(seq -s , 3 1200),3]}}"
} | ask >"$dir/old" &
client=$!
until_true 40 grep -q '"message_items":1024' "$dir/old"
: >"$conf"
kill -HUP "$pid"
until_true 40 reread_is 2
release old
wait $client || fail "the old limit holds: $(cat "$dir/old")"
response 2 <"$dir/old" | grep -q '"text"' || fail "the old limit holds: $(cat "$dir/old")"
: >"$log"

# SIGHUP: what can change does, what can't is said, a broken file changes nothing
printf 'max-sequences = 8\ncontext = 512\nexact = yes\nmemory-limit = 2GiB\nsocket-mode = 660\nlog-level = debug\nlimit-requests-per-connection = 3\n' >"$conf"
kill -HUP "$pid"
until_true 40 grep -q 'configuration reread; only a restart changes max-sequences' "$log"
echo '{"id":1,"method":"hello"}' | ask | grep -q '"requests_per_connection":3' || fail "the limit has not changed"
until_true 20 grep -q 'connection [0-9]*: closed' "$log"
{
    for i in 1 2 3 4; do
        echo "{\"id\":$i,\"method\":\"generate\",\"params\":{\"prompt\":\"x\",\"n\":4,$flood}}"
    done
    for i in 1 2 3; do
        echo "{\"id\":9,\"method\":\"cancel\",\"params\":{\"id\":$i}}"
    done
} | ask -q | response 4 | grep -q 'which is the limit' || fail "the limit is not enforced"
echo 'bogus = 1' >"$conf"
kill -HUP "$pid"
until_true 40 grep -q "configuration not reread: $conf:1: unknown key 'bogus'" "$log"
is_state ready || fail "a broken file stopped the daemon"
rm "$conf"
mkfifo "$conf"
kill -HUP "$pid"
until_true 40 grep -q "configuration not reread: $conf: not a regular file" "$log"
is_state ready || fail "a pipe stopped the daemon"
rm "$conf"
kill "$pid"
stopped 0

# signals that come before the daemon is ready for them wait: here it still reads its configuration
early() {
    : >"$log"
    launch
    exec 5>"$dir/disk"
    kill "-$1" "$pid"
    exec 5>&-
}
: >"$conf"
slow_disk "$conf"
early HUP
until_true 40 grep -q 'configuration reread' "$log"
kill "$pid"
stopped 0
early TERM
stopped 0
grep -q 'signal 15: stopping' "$log" || fail "an early SIGTERM was lost"
slow=

# another protocol version is refused with a sentence
: >"$conf"
start
echo '{"id":1,"method":"hello","params":{"version_min":2,"version_max":3}}' | ask |
    grep -q '"code":"version".*speaks protocol version 1, the client 2 to 3' || fail "version"
grep -q 'no model is configured: serving the demo model' "$log" || fail "the demo model is not announced"
