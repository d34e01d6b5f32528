#!/bin/sh
# SPDX-License-Identifier: MIT
# The daemon on the CUDA back-end, simulated: the demo model's text is the CPU's; a missing, old,
# busy, small or lost device is told for what it is, and `auto` falls back to the CPU aloud.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
[ -z "${ZORAC_E2E_SOCKET-}" ] || skip "it needs a daemon of its own"
export ZORAC_PLUGINS="${CUDA_PLUGINS:-$build/tests/cudasim/plain}"
[ -f "$ZORAC_PLUGINS/libzorac-cuda.so" ] || skip "no C++ compiler: the CUDA simulator is not built"

# on BACKEND [options]: a daemon that is ready
on() {
    backend=$1
    shift
    "$zoracd" -c "$conf" -S "$sock" -b "$backend" --threads 1 --context 256 "$@" 2>>"$log" &
    pid=$!
    until_true 60 is_state ready
}
off() {
    kill "$pid"
    stopped 0
}
status_of() {
    echo '{"id":1,"method":"status"}' | ask
}
text_of() {
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"messages\":$(user "$1"),\"temperature\":0,\"stream\":false,\"max_tokens\":24}}" |
        ask -t 80 | field text
}

# ---- the same text
on cpu
want=$(text_of 'hello, who are you?')
off
[ -n "$want" ] || fail "the CPU says nothing"
CUDASIM_DEVICES=3 on cuda # the one with most memory is the last
got=$(text_of 'hello, who are you?')
status_of | grep -q '"backend":"cuda"' || fail "status does not say cuda: $(status_of)"
[ -n "${CUDA_PLUGINS-}" ] || status_of | grep -q '"label":"cuda 2: Simulated GPU 2' ||
    fail "not the largest: $(status_of)"
off
[ "$got" = "$want" ] || fail "cuda says $got, the CPU $want"

# refused SAYS [NAME=VALUE...]: -b cuda ends with a sentence and the status $ends
ends=1
refused() {
    says=$1
    shift
    st=0
    env "$@" timeout -k 5 60 "$zoracd" -c "$conf" -S "$sock" -b cuda >"$dir/out" 2>&1 || st=$?
    [ $st = $ends ] && grep -q -e "$says" "$dir/out" || fail "$*: status $st, $(cat "$dir/out")"
}
refused 'the CUDA back-end is not installed' ZORAC_PLUGINS=/nonexistent
if [ -z "${CUDA_PLUGINS-}" ]; then
    refused 'there is no NVIDIA driver' CUDASIM_FAIL=no-driver
    refused 'the NVIDIA driver is too old: it serves CUDA 11.8' CUDASIM_FAIL=old-driver
    refused 'GPU 0 (Simulated GPU 0) can.t be used: the device is busy' CUDASIM_FAIL=busy
    refused 'there is no GPU' CUDASIM_DEVICES=0
    refused 'the model does not fit' CUDASIM_MEMORY=3
    refused 'the GPU has no .* MiB left: .* are free' CUDASIM_FAIL=memory:4
    # an index counts by PCI address; a number that is no index may be part of a name
    refused 'GPU 0 (Simulated GPU 2) can.t' CUDASIM_FAIL=busy CUDASIM_DEVICES=-3
    echo 'device = 2' >"$conf"
    refused 'GPU 2 (Simulated GPU 0) can.t' CUDASIM_FAIL=busy CUDASIM_DEVICES=-3
    echo 'device = 4090' >"$conf"
    refused 'GPU 0 (RTX 4090 0) can.t' CUDASIM_FAIL=busy CUDASIM_NAME='RTX 4090'
    : >"$conf"
    # what is too old, or closed to programs, is not chosen beside one that serves
    refused 'GPU 1 (Simulated GPU 1) can.t' CUDASIM_FAIL=busy CUDASIM_DEVICES=4 CUDASIM_CC=70,89,90,75 CUDASIM_PROHIBITED=2
    refused 'compute capability 7.5: 8.0 (Ampere) or later is needed' CUDASIM_CC=75
    refused 'this build has no kernels for a GPU of compute capability 8.9' CUDASIM_FAIL=no-image CUDASIM_CC=89
fi
echo 'device = 4095' >"$conf"
refused 'none of the .* GPUs is "4095"'
: >"$conf"

# ---- auto
CUDASIM_DEVICES=0 ZORAC_PLUGINS=/nonexistent on auto
status_of | grep -q '"backend":"cpu"' || fail "auto without a device: $(status_of)"
status_of | grep -q 'no GPU serves, the CPU does' || fail "status gives no reason: $(status_of)"
grep -q 'no GPU serves, the CPU does' "$log" || fail "the log gives no reason"
echo '{"id":1,"method":"hello"}' | ask | field notice | grep -q 'no GPU serves, the CPU does' ||
    fail "hello gives no reason, so a chat does not tell it"
off

# on_cpu SAYS NAME=VALUE: a GPU that does not serve is told in log and status, and the CPU does
on_cpu() {
    export "${2?}"
    on auto
    unset "${2%%=*}"
    status_of | grep -q "\"backend\":\"cpu\".*no GPU serves, the CPU does: $1" || fail "$2: $(status_of)"
    grep -q "no GPU serves, the CPU does: $1" "$log" || fail "$2: the log gives no reason"
    off
}
if [ -z "${CUDA_PLUGINS-}" ]; then
    on_cpu 'there is no NVIDIA driver' CUDASIM_FAIL=no-driver
    on_cpu 'the NVIDIA driver is too old' CUDASIM_FAIL=old-driver
    on_cpu 'there is no GPU' CUDASIM_DEVICES=0
    on_cpu 'GPU 0 (Simulated GPU 0) can.t be used: the device is busy' CUDASIM_FAIL=busy
    # the embedding, where main memory can't be pinned: on the GPU, aloud (the first is its own)
    CUDASIM_FAIL=pinned:2 on cuda
    status_of | grep -q '"embedding_on_host":false' || fail "the embedding: $(status_of)"
    grep -q 'the embedding lies in the GPU.s memory' "$log" || fail "the log says nothing of it"
    off
fi

# ---- a cuBLAS that is older than the device is not used, and the label says so
if [ -z "${CUDA_PLUGINS-}" ]; then
    export LD_LIBRARY_PATH="$ZORAC_PLUGINS${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    on cuda
    status_of | grep -q ', cuBLAS 13.1"' || fail "cuBLAS is not used: $(status_of)"
    off
    CUDASIM_FAIL=cublas on cuda
    status_of | grep -q ", cuBLAS 13.1 can.t be used\"" || fail "cuBLAS is used: $(status_of)"
    got=$(text_of 'hello, who are you?')
    off
    [ "$got" = "$want" ] || fail "cuda without cuBLAS says $got, the CPU $want"
fi

# ---- a device lost at the start: the log has CUDA's own words, and the daemon is started again
if [ -z "${CUDA_PLUGINS-}" ]; then
    ends=4
    echo 'threads = 16' >"$conf" # more of them than the ring of pinned memory has pieces
    refused 'could not be copied to the device: the GPU failed: the device is lost' CUDASIM_FAIL=lost:10
    : >"$conf"
    refused 'the device does not say how much memory it has' CUDASIM_FAIL=no-memory-info
    refused 'demo/model: the GPU failed: the device is lost' CUDASIM_FAIL=lost:120 # a pass
fi

# ---- a lost device ends the daemon with a status that is started again
if [ -z "${CUDA_PLUGINS-}" ]; then
    CUDASIM_DEVICES=3 CUDASIM_FAIL=lost:1500 on cuda --device 'gpu 1' # the start takes hundreds
    grep -q 'zorac-demo on cuda 1: ' "$log" || fail "the GPU that was named does not serve"
    text_of 'hello' >/dev/null || true
    stopped 4
    grep -q 'the device is lost: the GPU failed: ' "$log" || fail "the log does not say that the device is lost"
fi
