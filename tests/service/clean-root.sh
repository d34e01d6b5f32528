# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A clean Debian to put packages in, for the scripts that are called with the packages' folder: made by
# debootstrap, or copied from the folder that ZORAC_DEBIAN_ROOT names, in a mount namespace of its own.
# Needs root and the network. Reads it with the folder as its argument; $root is where it is.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
fail() {
    echo "FAILED: $*"
    exit 1
}
skip() {
    echo "skipped: $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
packages=$(cd "${1:?the folder of the packages}" && pwd)
if [ -z "${ZORAC_IN_NAMESPACE-}" ]; then
    unshare -m true 2>/dev/null || skip "needs a mount namespace"
    ZORAC_IN_NAMESPACE=1 exec unshare -m "$0" "$packages"
fi
mount --make-rprivate /
top=$(mktemp -d "${TMPDIR:-/tmp}/zorac-root-XXXXXX")
root=$top/root
cleanup() {
    status=$?
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$top"
    exit $status
}
trap cleanup EXIT
if [ -d "${ZORAC_DEBIAN_ROOT-}" ]; then
    cp -ax "$ZORAC_DEBIAN_ROOT" "$root"
else
    command -v debootstrap >/dev/null || skip "no debootstrap, and ZORAC_DEBIAN_ROOT names no root"
    debootstrap --variant=minbase bookworm "$root" >"$top/log" 2>&1 || skip "debootstrap: $(tail -n 1 "$top/log")"
fi
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
in_root() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
# apt WORDS...: patterns are of files in the root
apt() {
    in_root sh -c "apt-get -q -y --no-install-recommends $*" >"$top/log" 2>&1
}
for f in /etc/apt/apt.conf /etc/apt/apt.conf.d/*proxy*; do
    [ ! -f "$f" ] || cp "$f" "$root/etc/apt/apt.conf.d/"
done
apt update || skip "no network for apt: $(tail -n 1 "$top/log")"

# make_next: the packages in /debs become those of a next version, with another zoracd.conf
make_next() {
    for p in zoracd zorac-cli zoracd-cuda; do
        [ -n "$(find "$root/debs" -name "${p}_*")" ] || continue
        in_root sh -c "dpkg-deb -R /debs/${p}_*.deb /tmp/next && rm /debs/${p}_*.deb &&
            sed -i 's/^Version: .*/Version: 99-1/; s/\(zoracd (= \)[^)]*/\199-1/' /tmp/next/DEBIAN/control &&
            { [ $p != zoracd ] || echo '# of the next version' >>/tmp/next/etc/zorac/zoracd.conf; } &&
            dpkg-deb -b /tmp/next /debs/${p}_99-1.deb && rm -rf /tmp/next" >"$top/log" 2>&1 || fail "$(cat "$top/log")"
    done
}
nothing_is_enabled() {
    [ -z "$(find "$root/etc/systemd" -name 'zoracd*' 2>/dev/null)" ] || fail "a unit is enabled unasked"
}
# answers [options of zoracd]: the daemon as its user, the client as root; $top/reply has the reply, the
# status and the log
answers() {
    in_root sh -c 'rm -rf /tmp/z && mkdir -m 700 /tmp/z && chown zoracd /tmp/z
        setpriv --reuid zoracd --regid zoracd --clear-groups --no-new-privs \
            zoracd -c /etc/zorac/zoracd.conf -S /tmp/z/s "$@" 2>/tmp/log &
        n=0
        until zorac -S /tmp/z/s status >/tmp/status 2>/dev/null && grep -q ready /tmp/log; do
            n=$((n + 1)); [ $n -lt 600 ] || { cat /tmp/log; exit 1; }
            kill -0 $! || { cat /tmp/log; exit 1; }
            sleep 0.1
        done
        zorac -S /tmp/z/s status && zorac -S /tmp/z/s -t 0 "hello, who are you?" </dev/null
        kill $! && wait $!; r=$?; cat /tmp/log; exit $r' sh "$@" >"$top/reply" 2>&1 || fail "no answer: $(cat "$top/reply")"
    grep -q 'demo model' "$top/reply" || fail "another answer: $(cat "$top/reply")"
}
