#!/bin/bash
# SPDX-License-Identifier: MIT
# deb-chroot.sh FOLDER: the packages of `make deb` in a clean Debian: installed, run, upgraded, removed,
# purged, installed again. Needs root and the network (the packages' dependencies); the clean root
# is made by debootstrap, or copied from the folder that ZORAC_DEBIAN_ROOT names. Takes minutes.
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
debs=$(cd "${1:?the folder of the packages}" && pwd)
ls "$debs"/zoracd_*.deb "$debs"/zorac-cli_*.deb >/dev/null || fail "no packages in $debs: run make deb"
if [ -z "${ZORAC_IN_NAMESPACE-}" ]; then
    unshare -m true 2>/dev/null || skip "needs a mount namespace"
    ZORAC_IN_NAMESPACE=1 exec unshare -m "$0" "$debs"
fi
mount --make-rprivate /
top=$(mktemp -d "${TMPDIR:-/tmp}/zorac-deb-XXXXXX")
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
apt() {
    in_root apt-get -q -y --no-install-recommends "$@" >"$top/log" 2>&1
}
for f in /etc/apt/apt.conf /etc/apt/apt.conf.d/*proxy*; do
    [ ! -f "$f" ] || cp "$f" "$root/etc/apt/apt.conf.d/"
done
apt update || skip "no network for apt: $(tail -n 1 "$top/log")"
mkdir "$root/debs"
cp "$debs"/zoracd_*.deb "$debs"/zorac-cli_*.deb "$root/debs"
cp "$debs"/zoracd-cuda_*.deb "$root/debs" 2>/dev/null || true

nothing_is_enabled() {
    [ -z "$(find "$root/etc/systemd" -name 'zoracd*' 2>/dev/null)" ] || fail "a unit is enabled unasked"
}
# answers: the daemon as its user, the client as root
answers() {
    in_root sh -c 'rm -rf /tmp/z && mkdir -m 700 /tmp/z && chown zoracd /tmp/z
        setpriv --reuid zoracd --regid zoracd --clear-groups --no-new-privs \
            zoracd -c /etc/zorac/zoracd.conf -S /tmp/z/s 2>/tmp/log &
        n=0
        until zorac -S /tmp/z/s status >/dev/null 2>&1; do
            n=$((n + 1)); [ $n -lt 200 ] || { cat /tmp/log; exit 1; }
            sleep 0.1
        done
        zorac -S /tmp/z/s -t 0 "hello, who are you?" </dev/null
        kill $! && wait $!' >"$top/reply" 2>&1 || fail "no answer: $(cat "$top/reply")"
    grep -q 'demo model' "$top/reply" || fail "another answer: $(cat "$top/reply")"
}

echo "== install"
in_root sh -c 'apt-get -q -y --no-install-recommends install /debs/*.deb' >"$top/log" 2>&1 || fail "$(tail -n 20 "$top/log")"
in_root getent passwd zoracd | grep -q ':/var/lib/zoracd:/usr/sbin/nologin' || fail "no account"
in_root getent group zorac >/dev/null || fail "no group zorac"
[ "$(in_root stat -c '%U %a' /run/zoracd)" = "root 755" ] || fail "the socket's folder: $(in_root stat -c '%U %a' /run/zoracd)"
nothing_is_enabled
answers
[ -z "$(in_root dpkg --verify zoracd zorac-cli)" ] || fail "dpkg --verify: $(in_root dpkg --verify)"

echo "== the scripts once more"
in_root dpkg-reconfigure zoracd >"$top/log" 2>&1 || fail "postinst is not idempotent: $(cat "$top/log")"

echo "== upgrade with a changed configuration"
echo '# kept by the administrator' >>"$root/etc/zorac/zoracd.conf"
for p in zoracd zorac-cli zoracd-cuda; do
    [ -n "$(find "$root/debs" -name "${p}_*")" ] || continue
    in_root sh -c "dpkg-deb -R /debs/${p}_*.deb /tmp/next && rm /debs/${p}_*.deb &&
        sed -i 's/^Version: .*/Version: 99-1/; s/\(zoracd (= \)[^)]*/\199-1/' /tmp/next/DEBIAN/control &&
        { [ $p != zoracd ] || echo '# of the next version' >>/tmp/next/etc/zorac/zoracd.conf; } &&
        dpkg-deb -b /tmp/next /debs/${p}_99-1.deb && rm -rf /tmp/next" >"$top/log" 2>&1 || fail "$(cat "$top/log")"
done
in_root sh -c 'dpkg --force-confdef --force-confold -i /debs/*_99-1.deb' >"$top/log" 2>&1 || fail "$(cat "$top/log")"
[ "$(in_root dpkg-query -W -f '${Version}' zoracd)" = 99-1 ] || fail "not upgraded"
grep -q 'kept by the administrator' "$root/etc/zorac/zoracd.conf" || fail "the configuration was written over"
[ -f "$root/etc/zorac/zoracd.conf.dpkg-dist" ] || fail "the new configuration is not beside it"
nothing_is_enabled
answers

echo "== remove"
mkdir -p "$root/var/lib/zoracd" "$root/var/cache/zoracd"
apt remove zoracd zorac-cli || fail "$(cat "$top/log")"
[ ! -e "$root/usr/bin/zoracd" ] && [ ! -e "$root/usr/bin/zorac" ] || fail "programs are still there"
grep -q 'kept by the administrator' "$root/etc/zorac/zoracd.conf" || fail "remove took the configuration"
[ -d "$root/var/lib/zoracd" ] || fail "remove took the state"

echo "== purge"
apt purge zoracd zorac-cli || fail "$(cat "$top/log")"
[ ! -e "$root/etc/zorac" ] || fail "left: $(ls -R "$root/etc/zorac")"
[ ! -e "$root/var/lib/zoracd" ] && [ ! -e "$root/var/cache/zoracd" ] || fail "purge left the state"
[ -z "$(in_root dpkg -l 'zorac*' 2>/dev/null | grep '^[a-z][a-z]* *zorac' | grep -v '^un' | grep -v cuda)" ] || fail "$(in_root dpkg -l 'zorac*')"

echo "== install again"
in_root sh -c 'apt-get -q -y --no-install-recommends install /debs/*.deb' >"$top/log" 2>&1 || fail "$(tail -n 20 "$top/log")"
answers
echo "installed, run, upgraded, removed, purged, installed again: all well"
