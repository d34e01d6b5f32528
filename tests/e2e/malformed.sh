#!/bin/sh
# SPDX-License-Identifier: MIT
# What is malformed is answered with its reason; the connection ends only where the stream can't be
# trusted; memory is not taken for what is only announced; nobody else notices.
. "${top_srcdir:-.}/tests/e2e/lib.sh"
start
rss() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"
}

# somebody is in the middle of a stream all the while
hold other "{\"id\":1,\"method\":\"generate\",\"params\":{\"prompt\":\"Once\",$flood}}" \
    '{"event":"delta","of":1}'
other=$client
is_resting() {
    a=$(stat_of generated)
    sleep 0.5
    [ "$a" -gt 100 ] && [ "$a" = "$(stat_of generated)" ]
}
until_true 10 is_resting
before=$(rss)
# closing RAW SAYS: the bytes, the reason
closing() {
    { echo "{\"raw\":\"$1\"}"; echo '{"closed":true}'; } | ask >"$dir/out"
    grep -q "$2" "$dir/out" || fail "$1: $(cat "$dir/out")"
    grep -q '"id":-1' "$dir/out" || fail "$1: an id was made up"
}
closing 91c1 'is 0xc1, which is not msgpack'
closing 91dbffffffff 'a string of 4294967295 bytes is over the limit'
closing ddffffffff 'a message of more than 262144 values'
closing 91dfffffffff 'a message of more than 262144 values'
closing 91c6ffffffff 'a string of 4294967295 bytes'
closing "$(printf '91%.0s' $(seq 40))" 'nested deeper than 32'
# text, which msgpack takes for a number in every byte
closing 474554202f20485454502f312e310d0a 'byte 0x47 begins no message'
[ "$(grep -c '"error"' "$dir/out")" = 1 ] || fail "an error for every byte: $(cat "$dir/out")"
grown=$(($(rss) - before))
[ $grown -lt 8192 ] || fail "$grown KiB were taken for what was only announced"

# going_on RAW SAYS: answered, and the connection lives
going_on() {
    { echo "{\"raw\":\"$1\"}"; echo '{"id":5,"method":"cancel","params":{"id":9}}'; } | ask >"$dir/out"
    grep -q "$2" "$dir/out" || fail "$1: $(cat "$dir/out")"
    grep -q '"id":5,"result"' "$dir/out" || fail "$1: the connection is gone"
}
going_on 90 'a message is an array'
going_on 940307a17890 "type is not 0, 1 or 2"
going_on 9300a17890 'has 4 elements'
going_on 940007c090 'the method is not a string'
going_on 940007a17805 'the parameters are not one map'
going_on 9302a17890 'the daemon takes requests'
going_on 940007a2fffe90 "there is no method"
going_on 940007a67374617475739181a2ff0001 "status has no parameter"
going_on 940007a867656e65726174659181a670726f6d7074a1ff 'prompt is not UTF-8'

# a message cut at every place, then the client goes away
whole=940007a6737461747573918180
for n in $(seq 2 2 24); do
    echo "{\"raw\":\"$(echo $whole | cut -c 1-"$n")\"}" | ask >/dev/null
done
# many small messages in one write
{ echo '{"raw":"940007a673746174757390","repeat":3000}'; echo '{"id":99999,"method":"stats"}'; } | ask >"$dir/out"
[ "$(grep -c '"id":7,"result"' "$dir/out")" = 3000 ] || fail "not 3000 answers"

# too many connections of one user
three_are_there() { # and the one that asks
    echo '{"id":1,"method":"status"}' | ask | grep -q '"connections":4[,}]'
}
hold second
hold third
until_true 40 three_are_there
echo 'limit-connections-per-user = 3' >"$conf"
kill -HUP "$pid"
until_true 40 grep -q 'configuration reread' "$log"
echo '{"closed":true}' | ask >"$dir/out"
grep -q 'too many connections' "$dir/out" || fail "a fourth connection: $(cat "$dir/out")"
release second
release third
release other
wait $other || fail "somebody else noticed"
grep -q '"completion_tokens":1500' "$dir/other" || fail "somebody else lost tokens"
