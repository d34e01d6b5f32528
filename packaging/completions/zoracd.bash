# SPDX-License-Identifier: MIT
# bash completion of zoracd, zorac-bench and zorac-inspect.
_zoracd_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_zoracd_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

# Values of options that the programs have in common; fails for an option it does not know.
_zoracd_value() {
    case $1 in
    -m | --model) _zoracd_files -d ;;
    -c | --config | -S | --socket | --shape | --template) _zoracd_files -f ;;
    -b | --backend) _zoracd_words 'auto cuda cpu' ;;
    --kv-type) _zoracd_words 'f16 fp8' ;;
    --lm-head) _zoracd_words '8 16' ;;
    --caps) _zoracd_words 'none portable avx2 avx512' ;;
    --log-level) _zoracd_words 'error warning notice info debug' ;;
    --device | --context | --memory-limit | --threads | --max-s* | --socket-mode | --*-timeout | \
        --limit-* | --prefill | --decode | --batch | --depth | --probe | --window | --now) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

_zoracd() {
    _zoracd_value "${COMP_WORDS[COMP_CWORD - 1]}" && return
    _zoracd_words '-c --config --check -m --model -S --socket -b --backend --device --context
        --kv-type --lm-head --memory-limit --threads --max-sequences --exact --strict --caps
        --log-level --socket-mode --stop-timeout --stall-timeout --limit-message-bytes
        --limit-message-items --limit-requests-per-connection --limit-requests-per-user
        --limit-connections-per-user --limit-sessions-per-user --limit-transcript-bytes
        --limit-transcripts-per-user-bytes --limit-input-per-user-bytes --limit-unsent-bytes
        --limit-unsent-per-user-bytes -h --help --version'
}

_zorac_bench() {
    _zoracd_value "${COMP_WORDS[COMP_CWORD - 1]}" && return
    _zoracd_words '-m --shape -b --prefill --decode --batch --depth --kv-type --lm-head --exact
        --threads --caps --probe --profile --check --json --help --version'
}

_zorac_inspect() {
    _zoracd_value "${COMP_WORDS[COMP_CWORD - 1]}" && return
    if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        _zoracd_words '--add-special --parse-special --skip-special --template --now --window --json
            --shape -b --backend --context --memory-limit --max-sequences --kv-type --lm-head --exact
            --threads --caps --help --version'
    elif ((COMP_CWORD == 1)); then
        _zoracd_words 'plan tensors tokenize detokenize render speed logits perplexity doctor'
    else
        _zoracd_files -f
    fi
}
complete -F _zoracd zoracd
complete -F _zorac_bench zorac-bench
complete -F _zorac_inspect zorac-inspect
