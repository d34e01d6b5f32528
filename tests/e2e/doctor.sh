#!/bin/sh
# SPDX-License-Identifier: MIT
# zorac-inspect doctor on models that lack a part, or whose parts are broken or not of one model: what
# is wrong is said with what to do, and the parts that are there are looked at all the same.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
inspect=$build/zoracd/tools/zorac-inspect
broken=$dir/broken

# doctor STATUS MODEL
doctor() {
    got=0
    timeout 120 "$inspect" doctor "$2" >"$dir/out" 2>"$dir/err" </dev/null || got=$?
    [ "$got" = "$1" ] || fail "status $got instead of $1: $(cat "$dir/out" "$dir/err")"
}

# told LINE...: these lines are told, among others
told() {
    for words in "$@"; do
        grep -qF -- "$words" "$dir/out" || fail "not said: $words (but: $(cat "$dir/out"))"
    done
}

# fails N: so many lines say that something is wrong
fails() {
    [ "$(grep -c '^FAIL' "$dir/out")" = "$1" ] || fail "not $1: $(cat "$dir/out")"
}

# fresh: a copy of the demo model that may be broken
fresh() {
    rm -rf "$broken"
    mkdir "$broken"
    for file in "$ZORAC_DEMO_MODEL"/*; do
        ln -s "$file" "$broken/"
    done
}

# edit FILE SED-SCRIPT: of the copy
edit() {
    sed "$2" "$ZORAC_DEMO_MODEL/$1" >"$dir/edited"
    ! cmp -s "$dir/edited" "$ZORAC_DEMO_MODEL/$1" || fail "nothing to edit in $1: $2"
    rm "$broken/$1"
    mv "$dir/edited" "$broken/$1"
}

whole="ok    config: MistralForCausalLM"
good_text="ok    text: replies end at </s> (2)"

# ---- a model that is well, and none at all
doctor 0 "$ZORAC_DEMO_MODEL"
fails 0
told "$whole" "ok    weights: " "ok    tokenizer: " "ok    template: the model's own" "$good_text" \
    "ok    text: the template takes a system message" "ok    text: the template takes a second question"
doctor 1 "$dir/nowhere"
fails 1
told "FAIL  model: $dir/nowhere is no directory. Give the one that holds config.json"
mkdir "$dir/empty"
doctor 1 "$dir/empty"
fails 4
told "FAIL  config: $dir/empty/config.json: no such file. Fetch config.json from the model's repository" \
    "FAIL  weights: $dir/empty holds no model.safetensors and no model.safetensors.index.json. Fetch" \
    "FAIL  tokenizer: $dir/empty: no tokenizer.json, tekken.json or tokenizer.model. Fetch one of" \
    "FAIL  template: no chat template: there is no chat_template.jinja and no chat_template in" \
    "Fetch one of these files from the model's repository; a base model has none"

# ---- config.json and generation_config.json
fresh
rm "$broken/config.json"
doctor 1 "$broken"
fails 1
told "FAIL  config: " "ok    weights: " "tensors in whole files" "ok    tokenizer: " \
    "ok    text: the template takes a system message"
fresh
edit config.json 's/MistralForCausalLM/FalconForCausalLM/'
doctor 1 "$broken"
fails 1
told "the architecture FalconForCausalLM is not supported" "Take a model of one of these architectures"
fresh
edit generation_config.json 's/"eos_token_id": 2/"eos_token_id": 2000000/'
doctor 1 "$broken"
fails 1
told "FAIL  config: generation_config.json: eos_token_id is not a token of a vocabulary of" \
    "Correct it there, or fetch the file again" "ok    text: the template takes a system message"
fresh
rm "$broken/generation_config.json"
head -c 20 "$ZORAC_DEMO_MODEL/generation_config.json" >"$broken/generation_config.json"
doctor 1 "$broken"
fails 1
told "FAIL  config: $broken/generation_config.json: JSON, line" "Correct it there, or fetch the file again"

# ---- weights
fresh
rm "$broken/model.safetensors"
doctor 1 "$broken"
fails 1
told "$whole" "FAIL  weights: " "Fetch model.safetensors, or model.safetensors.index.json" "$good_text"
fresh
rm "$broken/model.safetensors"
head -c 100000 "$ZORAC_DEMO_MODEL/model.safetensors" >"$broken/model.safetensors"
doctor 1 "$broken"
fails 1
told "FAIL  weights: " "It is damaged, cut short or of another model: fetch it again" "$good_text"
doctor_limit=$("$inspect" doctor --memory-limit 1000 "$ZORAC_DEMO_MODEL" || true)
echo "$doctor_limit" | grep -q '^FAIL *weights: .*Give a smaller --context' || fail "$doctor_limit"

# ---- tokenizer
fresh
rm "$broken/tokenizer.json"
doctor 1 "$broken"
fails 1
told "$whole" "ok    weights: " "FAIL  tokenizer: " "Fetch one of these files" \
    "ok    template: the model's own" "ok    text: the template takes a system message"
fresh
edit tokenizer.json '1s/{/{,/'
doctor 1 "$broken"
fails 1
told "FAIL  tokenizer: $broken/tokenizer.json: byte " "It is damaged or cut short: fetch it again"
fresh
edit tokenizer.json 's/"BPE"/"Unigram"/'
doctor 1 "$broken"
fails 1
told "model 'Unigram' is not supported. Nothing stands in for it"

# ---- template
fresh
edit tokenizer_config.json '1s/{/{,/'
doctor 1 "$broken"
fails 2
told "$whole" "FAIL  tokenizer: $broken/tokenizer_config.json:1:" \
    "FAIL  template: tokenizer_config.json:1:" "Correct it there, or fetch the file again"
fresh
echo '{% if x %}' >"$broken/chat_template.jinja"
doctor 1 "$broken"
fails 1
told "FAIL  template: chat_template.jinja:1: " "$good_text"
fresh
echo '{{ raise_exception("never") }}' >"$broken/chat_template.jinja"
doctor 1 "$broken"
fails 1
told "FAIL  text: the template refuses a question: chat_template.jinja:1: never; fetch" "$good_text"
fresh
: >"$broken/chat_template.jinja"
doctor 1 "$broken"
fails 1
told "FAIL  text: the template is empty, or writes nothing for a question; fetch" "$good_text"

# ---- parts of two models: the daemon does not serve them either
fresh
edit tokenizer_config.json 's|"eos_token": "</s>"|"eos_token": "<end>"|'
doctor 1 "$broken"
fails 1
told "FAIL  text: the template writes the eos_token <end>, which is no token of the tokenizer" \
    "fetch it again from the model's repository"
! timeout 120 "$zoracd" --check -m "$broken" >"$dir/out" 2>&1 || fail "served"
told "the eos_token <end>"
