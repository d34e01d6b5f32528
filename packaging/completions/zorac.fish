# SPDX-License-Identifier: MIT
# fish completion of zorac and zorac-cli.
function __zorac_conversations
    zorac sessions 2>/dev/null | string replace -r ' +\d{4}-\d\d-\d\d \d\d:\d\d +\d+  .*' ''
end

for c in zorac zorac-cli
    complete -c $c -f
    complete -c $c -s S -r -F -d "the socket of the daemon"
    complete -c $c -s s -x -a '(__zorac_conversations)' -d "in a stored conversation"
    complete -c $c -l system -x -d "the system message"
    complete -c $c -s t -x -d "temperature"
    complete -c $c -s n -x -d "longest length of the reply"
    complete -c $c -l seed -x -d "the same seed gives the same reply"
    complete -c $c -l json -d "one JSON object per line"
    complete -c $c -l no-stream -d "print the reply when it is whole"
    complete -c $c -l plain -d "no colours"
    complete -c $c -l help -d "print what can be given"
    complete -c $c -l version -d "print the version"
    complete -c $c -n __fish_use_subcommand -a chat -d "go on with the last conversation"
    complete -c $c -n __fish_use_subcommand -a sessions -d "the stored conversations"
    complete -c $c -n __fish_use_subcommand -a status -d "what the daemon is doing"
    complete -c $c -n __fish_use_subcommand -a stats -d "its counters"
    complete -c $c -n __fish_use_subcommand -a model -d "which model it serves"
    complete -c $c -n __fish_use_subcommand -a tokens -d "how many tokens a text has"
    complete -c $c -n __fish_use_subcommand -a raw -d "any method of the protocol"
    set -l verbs list show rename trim delete
    complete -c $c -n "__fish_seen_subcommand_from sessions; and not __fish_seen_subcommand_from $verbs" -a "$verbs"
    complete -c $c -n "__fish_seen_subcommand_from show rename trim delete" -a '(__zorac_conversations)'
    complete -c $c -n "__fish_seen_subcommand_from raw" -a "hello generate cancel session.open session.list session.fork session.truncate session.close tokenize detokenize render status stats shutdown"
end
