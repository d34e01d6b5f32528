#!/bin/sh
# SPDX-License-Identifier: MIT
# A prompt answered: events and response agree, stop texts, limits, choices, logprobs, a session's next
# turn computes only what is new, and what is wrong is named.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
start

# the deltas' sum is the text; every event names its request
echo "{\"id\":7,\"method\":\"generate\",\"params\":{\"messages\":$(user hi),\"seed\":5}}" |
    ask >"$dir/out"
sed -n 's/.*"event":"delta".*"text":"\(.*\)"}}$/\1/p' "$dir/out" | tr -d '\n' >"$dir/sum"
text=$(response 7 <"$dir/out" | field text)
[ "\"$(cat "$dir/sum")\"" = "$text" ] || fail "deltas say $(cat "$dir/sum"), the response $text"
[ "${#text}" -gt 4 ] || fail "no text: $text"
! grep '"event"' "$dir/out" | grep -v '"id":7' || fail "an event without its id"
grep '"event":"started"' "$dir/out" | grep -q '"seed":5' || fail "no effective parameters"
response 7 <"$dir/out" | grep -q '"finish_reason":"stop"' || fail "no end"
grep '"event":"started"' "$dir/out" | grep '"logit_bias":{},"logprobs":null' | grep -q '"stop":\[\]' ||
    fail "what is not asked for is not said to be so"
echo '{"id":1,"method":"generate","params":{"prompt":"a","max_tokens":1,"stop":["x","yz"],"logit_bias":{"7":-1.5},"logprobs":0}}' |
    ask >"$dir/out"
grep '"event":"started"' "$dir/out" | grep '"logit_bias":{"7":-1.5},"logprobs":0' |
    grep -q '"stop":\["x","yz"\]' || fail "parameters are missing: $(cat "$dir/out")"

# the same seed, the same text; another seed of a long story, another text
story='"prompt":"Once upon a time","max_tokens":40,"ignore_eos":true,"stream":false,"temperature":1'
for i in 1 2 3; do
    echo "{\"id\":$i,\"method\":\"generate\",\"params\":{$story,\"seed\":$((i / 3))}}"
done | ask >"$dir/out"
a=$(response 1 <"$dir/out" | field text)
b=$(response 2 <"$dir/out" | field text)
c=$(response 3 <"$dir/out" | field text)
[ "$a" = "$b" ] || fail "one seed, two texts: $a and $b"
[ "$a" != "$c" ] || fail "two seeds, one text: $a"
response 1 <"$dir/out" | grep -q '"finish_reason":"length"' || fail "max_tokens did not end it"
response 1 <"$dir/out" | grep -q '"completion_tokens":40' || fail "not 40 tokens"
! grep -q '"event"' "$dir/out" || fail "events without stream"

# a stop text ends the reply before it, across token borders, and no event shows a part of it
word=$(printf %s "$a" | cut -c 12-19)
echo "{\"id\":1,\"method\":\"generate\",\"params\":{$story,\"seed\":0,\"stream\":true,\"stop\":[\"never there\",\"$word\"]}}" |
    sed 's/"stream":false,//' | ask >"$dir/out"
cut=$(response 1 <"$dir/out" | field text)
case $a in "${cut%\"}$word"*) ;; *) fail "'$word' did not cut $a but gave $cut" ;; esac
response 1 <"$dir/out" | grep -q '"finish_reason":"stop"' || fail "a stop text is a stop"
sed -n 's/.*"event":"delta".*"text":"\(.*\)"}}$/\1/p' "$dir/out" | tr -d '\n' >"$dir/sum"
[ "\"$(cat "$dir/sum")\"" = "$cut" ] || fail "deltas say $(cat "$dir/sum"), not $cut"

# choices and logprobs
echo "{\"id\":1,\"method\":\"generate\",\"params\":{$story,\"seed\":0,\"n\":3,\"logprobs\":2}}" |
    ask >"$dir/out"
for i in 0 1 2; do
    grep -q "\"index\":$i" "$dir/out" || fail "no choice $i"
done
grep -q '"top":\[{"id":[0-9]*,"logprob":-' "$dir/out" || fail "no logprobs"
[ "$(sed 's/.*"params"//' "$dir/out" | field text)" = "$a" ] || fail "choice 0 differs from n 1"

# a session: the second turn computes only what is new
{
    echo '{"id":1,"method":"session.open","params":{"session":"s"}}'
    echo "{\"id\":2,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user 'Who are you?'),\"seed\":1}}"
    echo '{"wait":2}'
    echo "{\"id\":3,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user 'And how do I get a real model?'),\"seed\":1}}"
    echo '{"wait":3}'
    echo '{"id":4,"method":"session.list"}'
    echo '{"id":5,"method":"session.fork","params":{"session":"s","as":"t"}}'
    echo '{"id":6,"method":"session.truncate","params":{"session":"t","messages":2}}'
    echo '{"id":8,"method":"session.close","params":{"session":"s"}}'
    echo "{\"id\":9,\"method\":\"generate\",\"params\":{\"session\":\"s\",\"messages\":$(user x)}}"
    echo '{"id":10,"method":"generate","params":{"session":"t","messages":[],"n":2}}'
} | ask -q >"$dir/out"
first=$(response 2 <"$dir/out" | sed 's/.*"used":\([0-9]*\).*/\1/')
cached=$(response 3 <"$dir/out" | field cached_tokens)
[ "$cached" -ge $((first / 16 * 16)) ] || fail "only $cached of $first tokens came from the cache"
response 4 <"$dir/out" | grep -q '"messages":4,' || fail "the session has not 4 messages"
response 5 <"$dir/out" | grep -q '"messages":4,"session":"t"' || fail "no copy"
response 6 <"$dir/out" | grep -q '"messages":2' || fail "not cut"
response 9 <"$dir/out" | grep -q '"code":"unknown_session"' || fail "a closed session answers"
response 10 <"$dir/out" | grep -q '"message":"n must be 1 with a session' || fail "n 2 with a session"

# what is wrong is named, with its numbers
long=$(printf 'a b c d e f g h %.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
long=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do printf %s "$long"; done)
{
    echo "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"$long\"}}"
    echo '{"id":2,"method":"generate","params":{"prompt":"x","temperatur":1}}'
    echo '{"id":3,"method":"generate","params":{"prompt":[99999]}}'
    echo '{"id":4,"method":"generate","params":{"prompt":"x","messages":[]}}'
    echo '{"id":5,"method":"generate"}'
    echo '{"id":6,"method":"generate","params":{"prompt":"x","stop":""}}'
} | ask -q >"$dir/out"
response 1 <"$dir/out" | grep -q 'the prompt has [0-9]* tokens, and the context holds 2048' || fail "no numbers"
response 1 <"$dir/out" | grep -q '"code":"limit","data":{"context":2048,' || fail "no data"
response 2 <"$dir/out" | grep -q "no parameter 'temperatur'" || fail "unknown key"
response 3 <"$dir/out" | grep -q 'prompt\[0\]: the vocabulary' || fail "foreign id"
response 4 <"$dir/out" | grep -q 'not both' || fail "both"
response 5 <"$dir/out" | grep -q 'needs prompt or messages' || fail "neither"
response 6 <"$dir/out" | grep -q 'stop must not have an empty text' || fail "empty stop"

# texts and ids go both ways, special tokens only where they are asked for
{
    echo '{"id":1,"method":"tokenize","params":{"text":"Hello, world"}}'
    echo '{"id":2,"method":"tokenize","params":{"text":"</s>"}}'
    echo '{"id":3,"method":"tokenize","params":{"text":"</s>","parse_special":true}}'
    echo "{\"id\":4,\"method\":\"render\",\"params\":{\"messages\":$(user '</s>')}}"
} | ask >"$dir/out"
ids=$(response 1 <"$dir/out" | sed 's/.*"ids":\(\[[^]]*\]\).*/\1/')
echo "{\"id\":1,\"method\":\"detokenize\",\"params\":{\"ids\":$ids}}" | ask | grep -q '"text":"Hello, world"' ||
    fail "not the same text"
[ "$(response 2 <"$dir/out" | field count)" -gt 1 ] || fail "text became a control token"
[ "$(response 3 <"$dir/out" | field count)" = 1 ] || fail "a special token was not parsed"
eos=$(response 3 <"$dir/out" | sed 's/.*"ids":\[\([0-9]*\)\].*/\1/')
! response 4 <"$dir/out" | grep -q "\"ids\":[^]]*[[,]$eos[],]" || fail "a message's text became a control token"
until_true 40 is_idle

# a template variable that would be dropped is refused by its name; another one reaches the template
for v in messages add_generation_prompt bos_token; do
    printf '{"id":1,"method":"render","params":{"messages":%s,"template_vars":{"%s":"x"}}}\n' \
        "$(user hi)" $v | ask | response 1 | grep -q "template_vars: '$v'" ||
        fail "template_vars may set $v"
done
printf '{"id":1,"method":"render","params":{"messages":%s,"template_vars":{"own":"x"}}}\n' \
    "$(user hi)" | ask | response 1 | grep -q '"text"' || fail "template_vars"
