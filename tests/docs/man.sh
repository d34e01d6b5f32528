#!/bin/sh
# SPDX-License-Identifier: MIT
# Every option, key, range, default, method, limit and exit status of the manual is what the programs'
# own tables say, and none is missing. mandoc.sh looks at the form.
. "${top_srcdir:-.}/tests/docs/lib.sh"
man=$src/docs/man

page_of() {
    case $1 in
    zoracd) echo "$man/zoracd.8" ;;
    *) echo "$man/$1.1" ;;
    esac
}

# The flags of the lines .It Fl ... of the section OPTIONS.
flags_of() {
    sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/p' "$1" | grep '^\.It' |
        grep -oE 'Fl (Fl [a-z][a-z_-]*|[A-Za-z]\b)' | sed 's/Fl Fl /--/; s/Fl /-/' | sort -u
}

for p in $programs; do
    options_of "$p" >"$tmp/right"
    flags_of "$(page_of "$p")" >"$tmp/page"
    [ "$(wc -l <"$tmp/right")" -gt 9 ] || wrong "$p --help tells too little"
    same "the options in $(page_of "$p")" "$tmp/page" "$tmp/right"
    help_of "$p" | sed -n '/Exit status:/,$p' | grep -oE '(: |; |^)[0-9]+ ' | grep -oE '[0-9]+' |
        sort -u >"$tmp/right"
    sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It //p' "$(page_of "$p")" | sort -u >"$tmp/page"
    [ "$(wc -l <"$tmp/right")" -gt 3 ] || wrong "$p --help tells no exit status"
    same "the exit status in $(page_of "$p")" "$tmp/page" "$tmp/right"
done

# The environment: what the program's sources ask for, and what libraries ask for on its behalf; and
# the files, whose names stand in the sources, with what made them there.
rooms_of() {
    case $1 in
    zorac) echo "$src/zorac-cli $src/common" ;;
    zoracd) echo "$src/zoracd/main.c $src/zoracd/serve $src/zoracd/text $src/zoracd/engine $src/zoracd/weights $src/kernels $src/common" ;;
    *) echo "$src/zoracd/tools $src/zoracd/text $src/zoracd/engine $src/zoracd/weights $src/kernels" ;;
    esac
}
libraries_of() {
    case $1 in
    zoracd)
        printf '%s\n' NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID LISTEN_FDNAMES # sd_*(3)
        printf '%s\n' CUDA_CACHE_PATH CUDA_VISIBLE_DEVICES                                         # the driver
        ;;
    zorac) echo INPUTRC ;; # readline
    esac
}
# section NAME PAGE: its lines
section() {
    awk -v name=".Sh $1" '/^\.Sh /{on = $0 == name} on' "$2"
}
# code PROGRAM: of its rooms
code() {
    # shellcheck disable=SC2046 # several folders
    find $(rooms_of "$1") -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | xargs cat
}
for p in $programs; do
    code "$p" >"$tmp/code"
    { grep -oE 'getenv\("[A-Z_]+"' "$tmp/code" | cut -d '"' -f 2 && libraries_of "$p"; } | sort -u >"$tmp/right"
    [ "$(grep -c 'getenv(' "$tmp/code")" = "$(grep -c 'getenv("' "$tmp/code")" ] || wrong "$p: a getenv whose name is not beside it"
    section ENVIRONMENT "$(page_of "$p")" | sed -n 's/^\.It Ev //p' | grep -oE '[A-Z_]+' | sort >"$tmp/page"
    [ -s "$tmp/page" ] || wrong "$(page_of "$p") has no ENVIRONMENT"
    same "the environment in $(page_of "$p")" "$tmp/page" "$tmp/right"
    section FILES "$(page_of "$p")" | sed -n 's/^\.It Pa //p' >"$tmp/page"
    while read -r file; do
        name=${file##*/}
        grep -qF "$name\"" "$tmp/code" || grep -qF "${name#zoracd.sock}\"" "$tmp/code" || wrong "$p: nothing in it is called $file"
    done <"$tmp/page"
done

# zorac's commands, and those of the chat
help_of zorac | sed -n '/^Commands/,/^$/s/^  \([a-z]*\).*/\1/p' | grep . | sort >"$tmp/right"
sed -n '/^\.Sh COMMANDS/,/^\.Ss/s/^\.It Cm \([a-z]*\).*/\1/p' "$man/zorac.1" | sort >"$tmp/page"
same "the commands in zorac.1" "$tmp/page" "$tmp/right"
sed -n 's|^    {"\(/[a-z]*\)", .*|\1|p' "$src/zorac-cli/zcli_chat.c" | sort >"$tmp/right"
sed -n 's|^\.It Ic \(/[a-z]*\).*|\1|p' "$man/zorac.1" | sort >"$tmp/page"
same "the chat's commands in zorac.1" "$tmp/page" "$tmp/right"

# the verbs of zorac-inspect
sed -n 's/^    {"\([a-z]*\)", zi_.*/\1/p' "$src/zoracd/tools/zorac-inspect.c" | sort >"$tmp/right"
sed -n '/^\.Sh DESCRIPTION/,/^\.Sh OPTIONS/s/^\.It Cm \([a-z]*\).*/\1/p' "$man/zorac-inspect.1" |
    sort >"$tmp/page"
same "the verbs in zorac-inspect.1" "$tmp/page" "$tmp/right"

# The keys: names, which are reloadable, numbers' ranges (the daemon says them when a value is
# wrong), defaults.
conf=$man/zoracd.conf.5
grep -vxE -- '-.|--(help|version|check|config)' >"$tmp/keys" <<END
$(options_of zoracd)
END
sed 's/^--//' "$tmp/keys" >"$tmp/right"
sed -n 's/^\.It Ic \([a-z_-]*\) No = .*/\1/p' "$conf" | sort >"$tmp/page"
same "the keys in zoracd.conf.5" "$tmp/page" "$tmp/right"
item() {
    awk -v key="$1" '/^\.It Ic /{on = $3 == key} /^\.El/{on = 0} on' "$conf" | tr '\n' ' '
}
while read -r key; do
    live=$(help_of zoracd | grep -e "--$key .*(\*)" || true)
    case "$(item "$key")" in *Reloadable*) says=yes ;; *) says= ;; esac
    [ -z "$live" ] || [ -n "$says" ] || wrong "zoracd.conf.5: $key is reloadable"
    [ -n "$live" ] || [ -z "$says" ] || wrong "zoracd.conf.5: $key is not reloadable"
    range=$("$build/zoracd/zoracd" "--$key=x" --check 2>&1 </dev/null |
        sed -n 's/.* is a number \(from [0-9]* to [0-9]*\), not .*/\1/p; s/.* is \([0-9]* or [0-9]*\), not .*/\1/p' || true)
    case "$(item "$key" | tr 'F' 'f')" in
    *"$range"*) ;;
    *) wrong "zoracd.conf.5: $key is $range" ;;
    esac
    default=$(help_of zoracd | sed -n "s/.*--$key .*(default \([a-z0-9]*\)).*/\1/p")
    [ -n "$default" ] || default=$(sed -n "s/^| .$(echo "${key#limit-}" | tr - _). | \([0-9]*\) |.*/\1/p" "$src/docs/protocol.md")
    [ -z "$default" ] || item "$key" | grep -qE "Default: (\.Cm )?$default[ .]" ||
        item "$key" | grep -q "\.Cm .*$default" || wrong "zoracd.conf.5: the default of $key is $default"
done <"$tmp/right"

# the keys of which docs/admin.md names the family
for family in $(grep -oE 'limit-[a-z_-]*\.\.\.[a-z_-]*' "$src/docs/admin.md"); do
    grep -q "^$(echo "$family" | sed 's/\.\.\./[a-z-]*/')$" "$tmp/right" || wrong "docs/admin.md: no key is $family"
done

# methods, events and limits come from the wire's table
"$build/docs/mkprotocol" "$man/zorac-protocol.7" >"$tmp/page"
same "the tables of zorac-protocol.7 (run 'make protocol')" "$man/zorac-protocol.7" "$tmp/page"
[ "$(grep -c '^\.Ss ' "$tmp/page")" -gt 14 ] || wrong "the tables of zorac-protocol.7 are empty"
sed -n '/^## Errors/,/^## Limits/s/^| \(`.*`\) |.*/\1/p' "$src/docs/protocol.md" |
    grep -oE '[a-z_]+' | sort >"$tmp/right"
sed -n 's/^\.It Er //p' "$man/zorac-protocol.7" | grep -oE '[a-z_]+' | sort >"$tmp/page"
same "the error codes in zorac-protocol.7" "$tmp/page" "$tmp/right"
exit $failed
