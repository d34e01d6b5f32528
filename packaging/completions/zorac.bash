# SPDX-License-Identifier: MIT
# bash completion of zorac and zorac-cli.

# Names are text that others may have chosen: compgen -W would run what stands in them.
_zorac_conversations() {
    local name
    while IFS= read -r name; do
        [[ $name != "$cur"* ]] || COMPREPLY+=("$(printf %q "$name")")
    done < <("${COMP_WORDS[0]}" sessions 2>/dev/null |
        sed 's/  *[0-9]\{4\}-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]  *[0-9][0-9]*  .*//')
}

_zorac() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i word= verb=
    COMPREPLY=()
    # The command is the first word that is neither an option nor an option's value.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -S | -s | -t | -n | --system | --seed) ((i++)) ;;
        -*) ;;
        *)
            word=${COMP_WORDS[i]}
            verb=${COMP_WORDS[i + 1]}
            ((i + 1 < COMP_CWORD)) || verb=
            break
            ;;
        esac
    done
    case $word,$verb,$prev in
    ,,-S) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    ,,-s | sessions,show,show | sessions,delete,delete | sessions,rename,rename | sessions,trim,trim)
        _zorac_conversations
        ;;
    ,,-t | ,,-n | ,,--system | ,,--seed) ;;
    sessions,,*) mapfile -t COMPREPLY < <(compgen -W 'list show rename trim delete' -- "$cur") ;;
    raw,,*)
        mapfile -t COMPREPLY < <(compgen -W 'hello generate cancel session.open session.list
            session.fork session.truncate session.close tokenize detokenize render status stats
            shutdown' -- "$cur")
        ;;
    ,,*)
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-S -s --system -t -n --seed --json --no-stream
                --plain --help --version --' -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -W 'chat sessions status stats model tokens raw' -- "$cur")
        fi
        ;;
    esac
}
complete -F _zorac zorac zorac-cli
