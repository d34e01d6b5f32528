#!/bin/bash
# SPDX-License-Identifier: MIT
# What the shells complete is what the programs take: bash and fish are asked; the words of zsh's
# functions are compared, and zsh is asked where it has terminals. A shell that is not here is left out, and that is said.
. "${top_srcdir:-.}/tests/docs/lib.sh"
dir=$src/packaging/completions

file_of() {
    case $1 in
    zorac) echo zorac ;;
    *) echo zoracd ;;
    esac
}
methods() {
    sed -n 's/^ZC_METHOD([A-Z_]*, \([a-z.]*\),.*/\1/p' "$src/common/zc_wire.def" | sort
}

# It works only while bash itself asks.
compopt() {
    :
}
ask_bash() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    "_${1//-/_}"
    printf '%s\n' "${COMPREPLY[@]}" | sort -u
}
for p in $programs; do
    # shellcheck disable=SC1090 # one of two files
    . "$dir/$(file_of "$p").bash"
    options_of "$p" >"$tmp/right"
    [ "$p" != zorac ] || { echo -- && cat "$tmp/right"; } | sort -u >"$tmp/all"
    [ "$p" = zorac ] || cp "$tmp/right" "$tmp/all"
    ask_bash "$p" - >"$tmp/bash"
    same "bash: the options of $p" "$tmp/bash" "$tmp/all"
done
methods >"$tmp/right"
ask_bash zorac raw '' >"$tmp/bash"
same "bash: the methods" "$tmp/bash" "$tmp/right"
help_of zorac | sed -n '/^Commands/,/^$/s/^  \([a-z]*\).*/\1/p' | grep . | sort >"$tmp/commands"
ask_bash zorac '' >"$tmp/bash"
same "bash: the commands" "$tmp/bash" "$tmp/commands"
sed -n 's/^    {"\([a-z]*\)", zi_.*/\1/p' "$src/zoracd/tools/zorac-inspect.c" | sort >"$tmp/verbs"
ask_bash zorac-inspect '' >"$tmp/bash"
same "bash: the verbs" "$tmp/bash" "$tmp/verbs"
ask_bash zorac -S "$src/zorac-c" >"$tmp/bash"
grep -q zorac-cli "$tmp/bash" || wrong "bash: no files after -S"

# Names of conversations are text: nothing in them is run, and each is one word.
zorac() {
    printf '%-24s 2026-11-23 23:28    4  hello\n' '2026-11-23' '$(touch ${PWNED})' 'two words' "it's"
}
export PWNED="$tmp/pwned"
ask_bash zorac -s '' >"$tmp/bash"
printf '%q\n' '2026-11-23' '$(touch ${PWNED})' 'two words' "it's" | sort -u >"$tmp/right"
same "bash: the conversations" "$tmp/bash" "$tmp/right"
[ ! -e "$PWNED" ] || wrong "bash: a conversation's name was run"
unset -f zorac

if command -v fish >/dev/null; then
    # a place of its own: fish makes a folder "fish" there
    mkdir "$tmp/home"
    export HOME="$tmp/home" XDG_CONFIG_HOME="$tmp/home" XDG_DATA_HOME="$tmp/home"
    fish_says() {
        fish --no-config -c "source $dir/$(file_of "$1").fish; complete -C '$2'" | cut -f 1 | sort -u
    }
    for p in $programs; do
        options_of "$p" >"$tmp/right"
        fish_says "$p" "$p -" | grep '^-' >"$tmp/fish" || true
        same "fish: the options of $p" "$tmp/fish" "$tmp/right"
    done
    fish_says zorac 'zorac raw ' >"$tmp/fish"
    methods >"$tmp/right"
    same "fish: the methods" "$tmp/fish" "$tmp/right"
    fish_says zorac 'zorac ' >"$tmp/fish"
    same "fish: the commands" "$tmp/fish" "$tmp/commands"
    fish_says zorac-inspect 'zorac-inspect ' >"$tmp/fish"
    same "fish: the verbs" "$tmp/fish" "$tmp/verbs"
else
    echo "no fish here: its completions were not asked"
fi

# zsh's words: of one function for each of the daemon's programs
zsh_words() {
    case $1 in
    zorac) cat "$dir/_zorac" ;;
    zoracd) sed -n '/^_zoracd_limits/,/^_zoracd_bench/p' "$dir/_zoracd" ;;
    zorac-bench) sed -n '/^_zoracd_bench()/,/^}/p' "$dir/_zoracd" ;;
    zorac-inspect) sed -n '/^_zoracd_inspect()/,/^}/p' "$dir/_zoracd" ;;
    esac
}
for p in $programs; do
    options_of "$p" | grep -v '^--limit-' >"$tmp/right"
    zsh_words "$p" | sed 's/,/, /g' | grep -oE "[^a-zA-Z-]-?-[a-zA-Z][a-z-]*['}[,]" |
        grep -oE -e '-[a-zA-Z-]+' | sort -u >"$tmp/zsh"
    same "zsh: the options of $p" "$tmp/zsh" "$tmp/right"
done
for limit in $(options_of zoracd | sed -n 's/^--limit-//p'); do
    grep -q "[ (]$limit[ ;]" "$dir/_zoracd" || grep -q "$limit \\\\" "$dir/_zoracd" || wrong "zsh: no limit $limit"
done
for m in $(methods); do
    grep -q " $m\b" "$dir/_zorac" || wrong "zsh: no method $m"
done
if command -v zsh >/dev/null; then
    for f in "$dir"/_*; do
        zsh -n "$f" || wrong "zsh does not parse $f"
    done
    # It is asked in a terminal, where its completions work: each line is completed, then run.
    mkdir "$tmp/zsh-bin" "$tmp/zsh-home"
    cat >"$tmp/zsh-bin/zorac" <<'EOF'
#!/bin/sh
[ $# != 1 ] || printf '%-24s 2026-11-23 23:28    4  hello\n' 'alpha' '$(touch ${PWNED})' 'two words'
[ $# = 1 ] || { printf '%s|' "$@" && echo; } >>"$ASKED"
[ $# = 1 ] || echo the line was run
EOF
    # shellcheck disable=SC2016 # it expands when it is run
    printf '#!/bin/sh\necho "$0 was run" >>"$ASKED"\n' >"$tmp/zsh-bin/sessions"
    chmod +x "$tmp/zsh-bin/zorac" "$tmp/zsh-bin/sessions"
    cat >"$tmp/zpty" <<'EOF'
zmodload zsh/zpty || exit 77
zpty z zsh -f -i
zpty -w z 'fpath=($COMPLETIONS $fpath) PS1= && autoload -Uz compinit && compinit -u -D && bindkey "^I" complete-word && echo is "ready"'
zpty -r z out '*is ready*' || exit 1
for line in 'zorac -s al' 'zorac sessions show al' 'zorac sessions delete tw' 'zorac sessions show \$'; do
    zpty -w -n z "$line"$'\t\n'
    zpty -r z out '*the line was run*' || exit 1
done
zpty -d z
EOF
    printf '%s\n' '-s|alpha|' 'sessions|show|alpha|' 'sessions|delete|two words|' \
        'sessions|show|$(touch ${PWNED})|' >"$tmp/right"
    : >"$tmp/zsh"
    r=0
    HOME="$tmp/zsh-home" PATH="$tmp/zsh-bin:$PATH" ASKED="$tmp/zsh" COMPLETIONS="$dir" TERM=dumb \
        timeout 60 zsh -f "$tmp/zpty" || r=$?
    if [ $r = 77 ]; then
        echo "zsh has no terminals here: its completions were parsed, not asked"
    else
        [ $r = 0 ] || wrong "zsh does not complete"
        same "zsh: the conversations" "$tmp/zsh" "$tmp/right"
        [ ! -e "$PWNED" ] || wrong "zsh: a conversation's name was run"
    fi
else
    echo "no zsh here: its completions were compared, not parsed"
fi
exit $failed
