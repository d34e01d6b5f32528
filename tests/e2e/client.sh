#!/bin/sh
# SPDX-License-Identifier: MIT
# The client against a real daemon: where a prompt comes from, what is printed, exit statuses,
# conversations that outlive the daemon, Ctrl-C, a kill in the middle of a reply.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
export XDG_DATA_HOME="$dir/data" ZORAC_SOCKET="$sock" TERM=dumb
zorac=$build/zorac-cli/zorac

# gives STATUS COMMAND...: it must end with that status; output in $dir/out and $dir/err
gives() {
    want=$1
    shift
    got=0
    timeout 60 "$@" >"$dir/out" 2>"$dir/err" </dev/null || got=$?
    [ "$got" = "$want" ] || fail "status $got, not $want: $* ($(cat "$dir/out" "$dir/err"))"
}

# ---- no daemon, wrong usage ----
gives 3 "$zorac" hi
grep -q "no daemon listens at $sock" "$dir/err" || fail "it does not say where it looked"
gives 3 "$zorac" status
gives 2 "$zorac" --no-such-option
gives 2 "$zorac" -t warm hi
grep -q '^zorac: ' "$dir/err" || fail "a message without the name"
for args in "-n -5" "-n 0" "-n 99999999" "-n x" "-t 1e9" "-t nan" "--seed -1"; do
    # shellcheck disable=SC2086 # two words
    gives 2 "$zorac" $args hi
done
gives 2 "$zorac" ""
gives 2 "$zorac" " "
gives 2 "$zorac"
gives 2 "$zorac" raw
gives 2 "$zorac" raw hello '[1]'
gives 2 "$zorac" sessions frobnicate
gives 0 "$zorac" --help
for word in chat sessions status stats model tokens raw; do
    grep -q "^  $word" "$dir/out" || fail "--help does not name $word"
done
gives 0 "$zorac" --version
[ ! -e "$XDG_DATA_HOME/zorac" ] || [ "$(ls "$XDG_DATA_HOME/zorac")" = conversations.db ] ||
    fail "a prompt without memory has left something"

start

# ---- one answer ----
gives 0 "$zorac" -t 0 hello
cp "$dir/out" "$dir/hello"
[ -s "$dir/hello" ] || fail "no answer"
gives 0 "$zorac" -t 0 --no-stream hello
cmp -s "$dir/out" "$dir/hello" || fail "--no-stream says something else"
echo hello | "$zorac" -t 0 >"$dir/out" || fail "a prompt from a pipe"
[ -s "$dir/out" ] || fail "no answer to a pipe"
printf 'tell me a' >"$dir/in"
"$zorac" -t 0 --json -n 1 what is this <"$dir/in" >"$dir/out" || fail "words and standard input"
gives 0 "$zorac" raw render '{"messages":[{"role":"user","content":"what is this\n\ntell me a"}]}'
rendered=$(sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' "$dir/out" | tr ',' '\n' | grep -c .)
"$zorac" --json -n 1 what is this <"$dir/in" >"$dir/out"
grep -q "\"prompt_tokens\":${rendered}[,}]" "$dir/out" || fail "the two parts were not joined"
gives 0 "$zorac" --seed 7 -t 1 "tell me a story"
cp "$dir/out" "$dir/story"
gives 0 "$zorac" --seed 7 -t 1 "tell me a story"
cmp -s "$dir/out" "$dir/story" || fail "the same seed, another story"
gives 0 "$zorac" -- status
grep -q '^state ' "$dir/out" && fail "-- did not make a prompt of a command"
gives 0 "$zorac" --json -n 2 hello
head -n 1 "$dir/out" | grep -q '^{"started":' || fail "no started event"
tail -n 1 "$dir/out" | grep -q '^{"result":.*"finish_reason":"length"' || fail "no result"
printf 'not \377 text' | "$zorac" >/dev/null 2>"$dir/err" && fail "bytes that are no text"
grep -q 'UTF-8' "$dir/err" || fail "it does not say why"
gives 2 "$zorac" -s x --system a -t nan hi
gives 2 "$zorac" --system "$(printf '\377')" hi
gives 2 "$zorac" -s "$(printf '\377')" hi
gives 1 env -u HOME -u XDG_DATA_HOME "$zorac" -s x hi
gives 1 sh -c '"$1" hi >&-' - "$zorac"
grep -q 'cannot write' "$dir/err" || fail "a closed output is not noticed"
for args in "hi" "--json hi" "status" "raw status" "--help"; do
    # shellcheck disable=SC2086 # two words
    gives 1 sh -c '"$@" >/dev/full' - "$zorac" $args
done

# ---- commands ----
gives 0 "$zorac" status
grep -q '^state  *ready' "$dir/out" || fail "status"
gives 0 "$zorac" --json status
grep -q '"state":"ready"' "$dir/out" || fail "status in JSON"
gives 0 "$zorac" stats
gives 0 "$zorac" model
grep -q '^model.name  *zorac-demo' "$dir/out" || fail "model: $(cat "$dir/out")"
gives 2 "$zorac" model trains are fun
grep -q 'zorac -- model' "$dir/err" || fail "no way to such a prompt is named"
gives 0 "$zorac" help
grep -q '^Usage: zorac' "$dir/out" || fail "help is no help"
gives 0 "$zorac" -n 1 help me
grep -q '^Usage' "$dir/out" && fail "help me is a prompt"
gives 0 "$zorac" -n 1 session
grep -q 'zorac sessions$' "$dir/err" || fail "no word of the command that was perhaps meant"
gives 0 "$zorac" -n 1 -- session
[ ! -s "$dir/err" ] || fail "a prompt behind -- is doubted: $(cat "$dir/err")"
gives 0 "$zorac" -n 1 "a story"
[ ! -s "$dir/err" ] || fail "a prompt is doubted: $(cat "$dir/err")"
gives 0 "$zorac" tokens hello world
grep -qx '[0-9][0-9]*' "$dir/out" || fail "tokens"
gives 1 "$zorac" raw no.such.method
gives 1 "$zorac" raw generate '{"promt":"typo"}'
grep -q promt "$dir/out" || fail "the unknown key is not named"
gives 0 "$zorac" --json -t 0.3 -n 1 hi
grep -q '"temperature":0\.3[,}]' "$dir/out" || fail "0.3 is printed as $(field temperature <"$dir/out")"
gives 4 "$zorac" --json -n 1 "$(head -c 40000 /dev/zero | tr '\0' 'x')"
grep -q '"data":{.*[0-9]' "$dir/out" || fail "an error's facts are not printed: $(cat "$dir/out")"
head -c 40000 /dev/zero | tr '\0' 'x' >"$dir/long"
status=0
"$zorac" <"$dir/long" >"$dir/out" 2>"$dir/err" || status=$?
[ $status = 4 ] || fail "status $status for a prompt over the context"
grep -q '[0-9]' "$dir/err" || fail "it does not say how long is too long"

# ---- a reader that has gone ends the client as it ends other tools ----
mkfifo "$dir/gone"
for words in "-s gone hi" "hi" "--json hi" "raw status" "status" "--help"; do
    exec 5<>"$dir/gone" 6>"$dir/gone" 5>&-
    rc=0
    # shellcheck disable=SC2086 # several words
    timeout 60 "$zorac" $words >&6 2>"$dir/err" || rc=$?
    exec 6>&-
    [ $rc = 141 ] || fail "status $rc without a reader: $words"
    [ ! -s "$dir/err" ] || fail "a reader that has gone is told of: $(cat "$dir/err")"
done
gives 0 "$zorac" sessions delete gone

# ---- a conversation, and the daemon's restart in the middle of it ----
printf 'my name is Anna\n' | "$zorac" -t 0 -s talk chat >"$dir/out" || fail "chat from a pipe"
[ -s "$dir/out" ] || fail "the chat says nothing"
kill -TERM "$pid"
stopped 0
start
gives 0 "$zorac" -t 0 -s talk "and again"
esc=$(printf '\302\23331m')
gives 2 "$zorac" -s "name$esc" hi
grep -q 'without control characters' "$dir/err" || fail "$(cat "$dir/err")"
gives 2 "$zorac" sessions rename talk "$(printf 'x\377\033[31my')"
grep -q 'without control characters' "$dir/err" || fail "$(cat "$dir/err")"
gives 0 "$zorac" --json sessions list
grep -q '"name":"talk"' "$dir/out" || fail "--json sessions list: $(cat "$dir/out")"
gives 0 "$zorac" --json sessions show talk
[ "$(wc -l <"$dir/out")" = 4 ] || fail "the conversation is not whole: $(cat "$dir/out")"
gives 0 "$zorac" sessions
grep -q '^talk .*my name is Anna' "$dir/out" || fail "sessions list"
gives 2 "$zorac" -s talk --system "too late" hi
gives 0 "$zorac" sessions rename talk walk
gives 1 "$zorac" sessions show talk
gives 0 "$zorac" sessions delete walk
gives 1 "$zorac" sessions show walk

# ---- a line from a pipe is whole or refused ----
rc=0
printf 'hello\0world\n' | "$zorac" -t 0 -s nul chat >"$dir/out" 2>"$dir/err" || rc=$?
[ $rc = 1 ] || fail "status $rc for a line with a NUL"
grep -q 'UTF-8' "$dir/err" || fail "it does not say why: $(cat "$dir/err")"
gives 0 "$zorac" sessions show nul
[ ! -s "$dir/out" ] || fail "a part of the line was sent: $(cat "$dir/out")"
gives 0 "$zorac" sessions delete nul

# ---- the store on a full disk: what the system says is told ----
rc=0
said=$(trap '' XFSZ && ulimit -f 0 && "$zorac" -s full hi 2>&1) || rc=$?
[ $rc = 1 ] || fail "status $rc with a store that cannot be written"
case $said in *"(File too large)"*) ;; *) fail "a store that cannot be written: $said" ;; esac

# ---- a conversation that is deleted while a chat is in it ----
mkfifo "$dir/deleted"
"$zorac" -t 0 -n 8 -s brief chat <"$dir/deleted" >"$dir/chat" 2>"$dir/chat.err" &
client=$!
exec 5>"$dir/deleted"
is_there() {
    "$zorac" sessions show brief
}
until_true 40 is_there
gives 0 "$zorac" sessions delete brief
{ echo hello; echo /trim; echo /new brief; echo hello; } >&5
exec 5>&-
wait $client || fail "the chat ends with $?: $(cat "$dir/chat.err")"
[ "$(grep -c 'has been deleted' "$dir/chat.err")" = 2 ] || fail "a deleted conversation: $(cat "$dir/chat.err")"
grep -q 'in a chat: /new' "$dir/chat.err" || fail "it does not say what to do: $(cat "$dir/chat.err")"
grep -q 'of 0 messages' "$dir/chat" && fail "it trims what is not there"
gives 0 "$zorac" --json sessions show brief
[ "$(wc -l <"$dir/out")" = 2 ] || fail "the chat does not go on: $(cat "$dir/out")"
gives 0 "$zorac" sessions delete brief

# ---- a prompt while the daemon is down: kept, shown as such, never sent ----
mkfifo "$dir/lines"
"$zorac" -t 0 -n 8 -s down chat <"$dir/lines" >"$dir/out" 2>"$dir/err" &
client=$!
exec 5>"$dir/lines"
has_said() { # that many replies and errors so far
    [ "$("$zorac" --json sessions show down 2>/dev/null | wc -l)" = "$1" ]
}
echo hello >&5
until_true 40 is_idle
until_true 40 has_said 2
kill -TERM "$pid"
stopped 0
echo "are you there" >&5
until_true 40 grep -q "no daemon listens" "$dir/err"
until_true 40 has_said 3
start 5>&- # it would hold the pipe open
echo "and now" >&5
until_true 40 has_said 5
exec 5>&-
wait $client || fail "the chat ends with $?: $(cat "$dir/err")"
gives 0 "$zorac" sessions show down
grep -q '^user (no reply): are you there' "$dir/out" || fail "the lost prompt: $(cat "$dir/out")"
gives 0 "$zorac" sessions
grep -q '^down .* 4  hello' "$dir/out" || fail "what got no reply is counted: $(cat "$dir/out")"
gives 0 "$zorac" sessions delete down

# ---- a conversation that outgrows the context, and one message that is over the limit ----
kill -TERM "$pid"
stopped 0
echo 'limit-message-bytes = 65536' >"$conf"
start --context 256
words=$(seq 1 60 | tr '\n' ' ')
n=0
status=0
while [ $status = 0 ]; do
    n=$((n + 1))
    [ $n -lt 20 ] || fail "a context of 256 tokens holds everything"
    timeout 60 "$zorac" -t 0 -n 8 -s "my grow'n talk" "$words" >"$dir/out" 2>"$dir/err" || status=$?
done
[ $n -gt 1 ] || fail "not one turn has room: $(cat "$dir/err")"
[ $status = 4 ] || fail "status $status for a conversation over the context"
grep -q 'the context holds 256' "$dir/err" || fail "it does not say how much there is: $(cat "$dir/err")"
# what is said can be typed
hint=$(sed -n 's/.* zorac sessions trim /gives 0 "$zorac" sessions trim /p' "$dir/err")
[ -n "$hint" ] || fail "it does not say what to do"
eval "$hint"
gives 0 "$zorac" sessions trim "my grow'n talk" 0
gives 0 "$zorac" sessions rename "my grow'n talk" grow
gives 0 "$zorac" sessions trim grow 100
grep -q "^$((2 * n - 2)) of $((2 * n - 2)) messages are left out" "$dir/out" || fail "$(cat "$dir/out")"
gives 0 "$zorac" -t 0 -n 8 -s grow "$words"
gives 0 "$zorac" sessions show grow
[ "$(grep -c '^user (left out): ' "$dir/out")" = $((n - 1)) ] || fail "$(cat "$dir/out")"
grep -q '^user (no reply)' "$dir/out" && fail "a prompt that was asked again is kept twice"
gives 2 "$zorac" sessions trim grow -3
gives 4 "$zorac" -s fresh "$(seq 1 400)"
grep -q 'sessions trim' "$dir/err" && fail "a prompt that is too long by itself is not helped by that"
seq 1 20000 >"$dir/long"
status=0
"$zorac" <"$dir/long" >"$dir/out" 2>"$dir/err" || status=$?
[ $status = 4 ] || fail "status $status for a message over the limit: $(cat "$dir/err")"
grep -q 'limit' "$dir/err" || fail "a message over the limit: $(cat "$dir/err")"
: >"$conf"

# ---- in the middle of a reply: a model that never ends, and a pipe that nobody empties ----
kill -TERM "$pid"
stopped 0
mkdir "$dir/endless"
for f in "$ZORAC_DEMO_MODEL"/*; do
    sed 's/"eos_token_id": 2/"eos_token_id": 1/;s/"max_position_embeddings": 2048/"max_position_embeddings": 65536/' \
        "$f" >"$dir/endless/${f##*/}"
done
echo 'limit-unsent-bytes = 4096' >"$conf"
start -m "$dir/endless" --context 65536 --memory-limit 512MiB
mkfifo "$dir/pipe"

# tell NAME: a client that tells a story, and has printed some of it; the rest of what it prints comes
# out of `rest`
tell() {
    "$zorac" -s "$1" -t 1 "tell me a story" >"$dir/pipe" 2>"$dir/err" &
    client=$!
    exec 4<"$dir/pipe"
    timeout 60 dd bs=1 count=1 <&4 >"$dir/out" 2>/dev/null
    [ -s "$dir/out" ] || fail "no story: $(cat "$dir/err")"
}
rest() {
    cat <&4 >>"$dir/out"
    exec 4<&-
    status=0
    wait $client || status=$?
}

# Ctrl-C stops the reply; what came is kept
tell stop
kill -INT $client
rest
[ $status = 130 ] || fail "status $status after Ctrl-C"
"$zorac" --json sessions show stop >"$dir/kept"
tail -n 1 "$dir/kept" | grep -q '"role":"assistant"' || fail "the partial reply is not kept"
until_true 40 is_idle

# a kill keeps what was printed
tell killed
kill -KILL $client
rest
printed=$(wc -c <"$dir/out")
kept=$("$zorac" --json sessions show killed | tail -n 1 | sed 's/.*"content":"\(.*\)"}/\1/' | wc -c)
[ "$kept" -ge "$printed" ] || fail "$printed bytes were printed and $kept are kept"
until_true 40 is_idle

# Ctrl-C with a pipe that nobody empties: it ends though not a byte more can be printed
tell blocked
kill -INT $client
status=0
wait $client || status=$?
exec 4<&-
[ $status = 130 ] || fail "status $status after Ctrl-C with a full pipe"
until_true 40 is_idle

# Ctrl-C with a daemon that stands still: before it has taken the prompt, and while it is waited for
head -c 1000000 /dev/zero | tr '\0' 'x' >"$dir/long"
catches_interrupt() { # the client itself, and not yet the shell that becomes it
    [ "$(cat "/proc/$1/comm")" = zorac ] && grep -q '^SigCgt:.*[2367abef]$' "/proc/$1/status"
}
for session in "" "-s still"; do
    kill -STOP "$pid"
    # shellcheck disable=SC2086 # no word or two
    "$zorac" $session <"$dir/long" >"$dir/out" 2>"$dir/err" &
    client=$!
    until_true 40 catches_interrupt $client
    kill -INT $client
    status=0
    wait $client || status=$?
    kill -CONT "$pid"
    [ $status = 130 ] || fail "status $status after Ctrl-C with a daemon that stands still"
done
