#!/bin/sh
# SPDX-License-Identifier: MIT
# zorac-inspect and zorac-bench: every verb on the demo model, the keys of their output, and the exit
# statuses that their --help promises.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
inspect=$build/zoracd/tools/zorac-inspect
bench=$build/zoracd/tools/zorac-bench
model=$ZORAC_DEMO_MODEL

# status N COMMAND...: it ends with that status; output in $dir/out and $dir/err
status() {
    want=$1
    shift
    got=0
    timeout 120 "$@" >"$dir/out" 2>"$dir/err" </dev/null || got=$?
    [ "$got" = "$want" ] || fail "status $got instead of $want: $* ($(cat "$dir/err"))"
}

# says WORDS: the last error says so
says() {
    grep -qF -- "$1" "$dir/err" || fail "not said: $1 (but: $(cat "$dir/err"))"
}

# line WANT: the output is this line
line() {
    [ "$(cat "$dir/out")" = "$1" ] || fail "$(cat "$dir/out") instead of $1"
}

# feed INPUT STATUS COMMAND...
feed() {
    input=$1 want=$2
    shift 2
    got=0
    printf '%s\n' "$input" | timeout 120 "$@" >"$dir/out" 2>"$dir/err" || got=$?
    [ "$got" = "$want" ] || fail "status $got instead of $want: $* ($(cat "$dir/err"))"
}

# ---- both: help, version, wrong usage
for tool in "$inspect" "$bench"; do
    status 0 "$tool" --help
    grep -q 'Exit status: 0' "$dir/out" || fail "no exit statuses in --help of $tool"
    status 0 "$tool" --version
    grep -q "^$(basename "$tool") [0-9]" "$dir/out" || fail "no version"
    for option in --help --version; do
        status 1 sh -c '"$@" >/dev/full' - "$tool" $option
        says 'cannot write to standard output'
    done
    status 2 "$tool" --no-such-option
    status 2 "$tool"
done
status 2 "$inspect" frobnicate "$model"
says frobnicate
status 2 "$inspect" plan
status 2 "$inspect" plan "$model" more
status 2 "$inspect" render
status 2 "$inspect" render --template x "$model"
status 2 "$inspect" --threads 0 plan "$model"
status 2 "$inspect" --threads 2x plan "$model"
status 2 "$inspect" --caps mmx plan "$model"
says mmx
status 2 "$inspect" --now yesterday render "$model"
status 2 "$bench" -m "$model" --batch 1,x
status 2 "$bench" -m "$model" --shape "$model/config.json"
status 2 "$bench" -m "$model" left over
status 2 "$bench" -m "$model" --exact --kv-type f16
says 'contradicts --kv-type f16'
status 1 "$bench" -m "$dir/nowhere"
says "$dir/nowhere"
status 1 "$inspect" plan "$dir/nowhere"
says "$dir/nowhere"

# ---- looking without running
status 0 "$inspect" plan "$model"
grep -q '^weights .* MiB' "$dir/out" || fail "no weights in the plan"
status 0 "$inspect" plan --json -- "$model"
grep -q '"weights":[1-9].*"kv":[1-9].*"context":2048' "$dir/out" || fail "$(cat "$dir/out")"
status 4 "$inspect" plan --memory-limit 1000 "$model"
says "does not fit"
status 0 "$inspect" plan -b cpu --shape "$src/tests/bench/shape-24b.json" --memory-limit 64GiB
grep -q '^weights .*4-bit 1[0-9]*\.[0-9]' "$dir/out" || fail "$(cat "$dir/out")"
status 2 "$inspect" plan --backend gpu "$model"
status 2 "$inspect" tensors --shape "$model"
status 2 "$inspect" plan --memory-limit lots "$model"
says "a size as 6GiB"
status 0 "$inspect" plan --memory-limit 1GiB --max-sequences 4 "$model"
cp "$dir/out" "$dir/plan"
status 0 "$zoracd" --check -c /dev/null -b cpu -m "$model" --memory-limit 1GiB --max-sequences 4
grep -v -e '^model' -e '^the model' "$dir/out" | cmp -s - "$dir/plan" ||
    fail "two plans: $(cat "$dir/out" "$dir/plan")"
status 4 "$inspect" plan --memory-limit 1000 "$model"
says "does not fit"
status 0 "$inspect" tensors "$model"
grep -q '{"name":"lm_head.weight","dtype":"BF16","shape":\[[0-9]*,[0-9]*\],"bytes":[0-9]*,"file":"model.safetensors"}' \
    "$dir/out" || fail "no lm_head"
status 0 "$inspect" doctor "$model"
grep -q '^ok *weights: .* MiB in all' "$dir/out" || fail "$(cat "$dir/out")"

# ---- text
status 0 "$inspect" speed "$model" "$model/tokenizer.json"
grep -q '{"bytes":[1-9][0-9]*,"tokens":[1-9][0-9]*,"load_s":[0-9.e-]*,"encode_s":[0-9.e-]*}' "$dir/out" ||
    fail "$(cat "$dir/out")"
feed '{"text":"Hello, world! \u00fc\u0000"}' 0 "$inspect" tokenize "$model"
feed "$(cat "$dir/out")" 0 "$inspect" detokenize "$model"
line '{"text":"Hello, world! ü\u0000"}'
feed '{"hex":"48690a"}' 0 "$inspect" tokenize "$model"
feed "$(cat "$dir/out")" 0 "$inspect" detokenize "$model"
line '{"text":"Hi\n"}'
feed '{"text":"</s>"}' 0 "$inspect" tokenize --parse-special "$model"
line '{"ids":[2]}'
feed '{"text":"</s>"}' 0 "$inspect" tokenize "$model"
grep -q '\[2\]' "$dir/out" && fail "text became a control token"
feed '{"text":""}' 0 "$inspect" tokenize --add-special "$model"
line '{"ids":[1]}'
feed '{"ids":[1,2]}' 0 "$inspect" detokenize --skip-special "$model"
line '{"text":""}'
feed 'no json' 1 "$inspect" tokenize "$model"
grep -q '^{"error":' "$dir/out" || fail "no error for a line that is no JSON"
feed '{"hex":"4"}' 1 "$inspect" tokenize "$model"
feed '{"ids":[-1]}' 1 "$inspect" detokenize "$model"

printf '%s' '{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ strftime_now("%Y-%m-%d") }}' \
    >"$dir/t.jinja"
feed '{"bos_token":"B","messages":[{"role":"user","content":"hi"}]}' 0 \
    "$inspect" render --now 2026-01-15T12:34:56 --template "$dir/t.jinja"
line '{"text":"B<user>hi2026-01-15"}'
feed '{"messages":[{"role":"user","content":"hi"}]}' 0 "$inspect" render "$model"
grep -q 'hi' "$dir/out" || fail "$(cat "$dir/out")"
printf '%s' '{{ raise_exception("not so") }}' >"$dir/t.jinja"
feed '{}' 1 "$inspect" render --template "$dir/t.jinja"
grep -q 'not so' "$dir/out" || fail "$(cat "$dir/out")"
printf '{%% frob %%}' >"$dir/t.jinja"
status 1 "$inspect" render --template "$dir/t.jinja"
says frob

# ---- running
feed '{"ids":[1,300]}' 0 "$inspect" logits "$model"
[ "$(tr ',' '\n' <"$dir/out" | wc -l)" = 1280 ] || fail "not one logit per token"
cp "$dir/out" "$dir/first"
feed '{"ids":[1,300]}' 0 "$inspect" logits --threads 1 "$model"
cmp -s "$dir/out" "$dir/first" || fail "other logits with another number of threads"
feed '{"ids":[]}' 1 "$inspect" logits "$model"
feed '{"ids":[99999]}' 1 "$inspect" logits "$model"
grep -q '99999' "$dir/out" || fail "the token is not named"
echo "Hello! How are you today? I am fine, thank you." >"$dir/text"
status 0 "$inspect" perplexity "$model" "$dir/text"
grep -qE '^\{"tokens":[0-9]+,"nll":[0-9.]+,"perplexity":[0-9.]+\}$' "$dir/out" || fail "$(cat "$dir/out")"
status 1 "$inspect" perplexity "$model" "$dir/nowhere"

# ---- measuring
keys='"kind":"[a-z]*","backend":"cpu","shape":"[^"]*","batch":[0-9]*,"depth":[0-9]*,"tokens":[0-9]*,"tokens_per_s":[0-9.e+null]*,"bytes_per_step":[0-9.e+]*,"flops_per_step":[0-9.e+]*,"bound_tokens_per_s":[0-9.e+null]*,"fraction":[-0-9.e+null]*,"device":"cpu [^"]*","threads":1(,"joules_per_token":[-0-9.e+nul]*)?'
status 0 "$bench" -m "$model" --threads 1 --prefill 16,40 --decode 4 --batch 1,3 --depth 0,20 --json
[ "$(grep -cE "^\{$keys\}\$" "$dir/out")" = 7 ] || fail "$(cat "$dir/out")"
[ "$(grep -c '"kind":"prefill"' "$dir/out")" = 2 ] || fail "not two of prefill"
[ "$(grep -c '"kind":"decode"' "$dir/out")" = 4 ] || fail "not four of decode"
status 0 "$bench" --shape "$model/config.json" --threads 1 --prefill 8 --decode 2
grep -q '^decode .* tokens/s .* %' "$dir/out" || fail "$(cat "$dir/out")"
