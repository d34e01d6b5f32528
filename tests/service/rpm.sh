#!/bin/sh
# SPDX-License-Identifier: MIT
# rpm.sh FOLDER: what is in the packages of `make rpm`: files, modes, dependencies, scripts, and what
# rpmlint says.
set -eu
export LC_ALL=C
folder=$1
fail() {
    echo "FAILED: $*"
    exit 1
}
command -v rpm >/dev/null || {
    echo "skipped: no rpm here"
    exit 77
}
d=$(ls "$folder"/zoracd-[0-9]*.rpm)
c=$(ls "$folder"/zorac-cli-[0-9]*.rpm)
has() {
    rpm -qlp "$1" | grep -qxE "$2" || fail "$1 has no $2"
}
for f in /usr/bin/zoracd /usr/bin/zorac-bench /usr/bin/zorac-inspect /etc/zorac/zoracd.conf \
    /usr/lib/systemd/system/zoracd.service /usr/lib/systemd/system/zoracd.socket \
    /usr/lib/systemd/user/zoracd.service /usr/lib/systemd/user/zoracd.socket \
    /usr/lib/sysusers.d/zoracd.conf /usr/lib/tmpfiles.d/zoracd.conf /usr/share/zorac/demo/model.safetensors \
    /usr/share/man/man1/zorac-bench.1.gz /usr/share/man/man1/zorac-inspect.1.gz \
    /usr/share/man/man8/zoracd.8.gz /usr/share/man/man5/zoracd.conf.5.gz; do
    has "$d" "$f"
done
for f in /usr/bin/zorac /usr/bin/zorac-cli /usr/share/man/man1/zorac.1.gz \
    /usr/share/man/man1/zorac-cli.1.gz /usr/share/man/man7/zorac-protocol.7.gz; do
    has "$c" "$f"
done
[ "$(rpm -qp --configfiles "$d")" = /etc/zorac/zoracd.conf ] || fail "configuration: $(rpm -qp --configfiles "$d")"
rpm -qp --qf '[%{FILENAMES} %{FILEFLAGS:fflags}\n]' "$d" | grep -qx '/etc/zorac/zoracd.conf cn' ||
    fail "a changed configuration would be written over"
rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]' "$d" "$c" | grep -vE '^[-dl]r.xr.xr.x root |^-rw-r--r-- root |^lrwxrwxrwx root ' &&
    fail "a file is not root's, or has a strange mode"
! rpm -qp --requires "$d" "$c" | grep -iE 'cuda|nvidia|python|perl' || fail "a dependency that is none"
! rpm -qp --requires "$d" | grep -q readline || fail "the daemon is linked with readline"
rpm -qp --requires "$c" | grep -q libreadline || fail "the client is without readline"
[ "$(rpm -qp --qf '%{LICENSE}' "$d")" = MIT ] || fail "the daemon's licence"
rpm -qp --qf '%{LICENSE}' "$c" | grep -q GPL-3 || fail "the client's licence does not tell of readline"
rpm -qp --scripts "$d" | grep -q useradd || fail "no account is made"
rpm -qp --requires "$d" | grep -q shadow || fail "the account is made before there is what makes it"
! rpm -qp --scripts "$d" "$c" | grep -E 'systemctl (enable|start|preset)' || fail "something is started unasked"
ls "$folder"/zorac*-debuginfo-*.rpm >/dev/null 2>&1 || fail "no debug symbols"
g=$(ls "$folder"/zoracd-cuda-[0-9]*.rpm 2>/dev/null || true)
if [ -n "$g" ]; then
    has "$g" '/usr/lib(64)?/zorac/libzorac-cuda.so'
    has "$g" /usr/share/zorac/10-cuda.conf
    has "$g" /usr/lib/systemd/system-generators/zoracd-cuda
    has "$g" '/usr/share/licenses/zoracd-cuda.*/LICENSE.CUDA-Toolkit'
    [ "$(rpm -qp --scripts "$g" | grep -c 'systemctl try-restart zoracd.service')" = 2 ] || fail "the daemon runs on with the old plug-in"
    rpm -qp --requires "$g" | grep -q '^zoracd = ' || fail "the plug-in goes with any daemon"
    ! rpm -qp --scripts "$g" | grep -E 'systemctl (enable|start|preset)' || fail "something is started unasked"
    ! rpm -qp --requires "$g" | grep -iE 'libcu|nvidia|libstdc' || fail "the plug-in does not install without a GPU"
    rpm -qp --qf '%{LICENSE}' "$g" | grep -q NVIDIA || fail "the plug-in's licence does not tell of CUDA's runtime"
fi
if command -v rpmlint >/dev/null; then
    # shellcheck disable=SC2086 # one name or none
    rpmlint --config "$(dirname "$0")/../../packaging/rpm/rpmlint.toml" "$d" "$c" $g "$folder"/zorac*-debuginfo-*.rpm >"${TMPDIR:-/tmp}/rpmlint.$$" 2>&1 || true
    tail -n 1 "${TMPDIR:-/tmp}/rpmlint.$$"
    says=$(grep -E ': [EW]: ' "${TMPDIR:-/tmp}/rpmlint.$$" || true)
    rm -f "${TMPDIR:-/tmp}/rpmlint.$$"
    [ -z "$says" ] || fail "rpmlint: $says"
fi
echo "files, modes, dependencies and scripts are as they should be"
