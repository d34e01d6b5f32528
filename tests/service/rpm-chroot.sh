#!/bin/bash
# SPDX-License-Identifier: MIT
# rpm-chroot.sh FOLDER: the packages of `make rpm` put by rpm into a clean root, with their scripts: run,
# verified, installed over themselves, removed. The root is a Debian (clean-root.sh); the libraries
# come with the packages of `make deb`, which are taken out again before.
. "$(dirname "$0")/clean-root.sh"
ls "$packages"/zoracd-[0-9]*.rpm "$packages"/zorac-cli-[0-9]*.rpm >/dev/null || fail "no packages in $packages: run make rpm"
ls "$packages"/zoracd_*.deb >/dev/null 2>&1 || skip "needs the packages of make deb, for the libraries"
mkdir "$root/debs" "$root/rpms"
cp "$packages"/zoracd_*.deb "$packages"/zorac-cli_*.deb "$root/debs"
for p in zoracd zoracd-cuda zorac-cli; do
    cp "$packages/$p"-[0-9]*.rpm "$root/rpms" 2>/dev/null || [ $p = zoracd-cuda ]
done
apt install rpm '/debs/zoracd_*.deb /debs/zorac-cli_*.deb' || fail "$(tail -n 20 "$top/log")"
apt purge zoracd zorac-cli || fail "$(tail -n 20 "$top/log")"
in_root sh -c 'userdel zoracd; groupdel zoracd; groupdel zorac' >/dev/null 2>&1 || true
! in_root getent passwd zoracd || fail "the root is not clean"
# rpm WORDS...: Debian's does nothing without --force-debian; what is needed comes from Debian's packages
rpm() {
    in_root sh -c 'rpm --force-debian --nodeps "$@"' sh "$@" >"$top/log" 2>&1 || fail "rpm $*: $(cat "$top/log")"
    ! grep -i 'scriptlet failed\|warning: user\|warning: group' "$top/log" || fail "rpm $*: a script fails"
}
verify() {
    in_root rpm -V --nodeps zoracd zorac-cli >"$top/log" 2>&1 || true
    [ "$(grep -v "^$1" "$top/log" || true)" = "" ] || fail "rpm -V: $(cat "$top/log")"
}

echo "== install"
in_root sh -c 'ls /rpms/*.rpm' >"$top/list"
# shellcheck disable=SC2046 # names without blanks
rpm -i $(cat "$top/list")
in_root getent passwd zoracd | grep -q ':/var/lib/zoracd:/sbin/nologin' || fail "no account"
in_root getent group zorac >/dev/null || fail "no group zorac"
nothing_is_enabled
answers
verify none

echo "== over itself, with a changed configuration"
account=$(in_root getent passwd zoracd)
echo '# kept by the administrator' >>"$root/etc/zorac/zoracd.conf"
# shellcheck disable=SC2046
rpm -U --replacepkgs $(cat "$top/list")
[ "$account" = "$(in_root getent passwd zoracd)" ] || fail "another account: $(in_root getent passwd zoracd)"
grep -q 'kept by the administrator' "$root/etc/zorac/zoracd.conf" || fail "the configuration was written over"
nothing_is_enabled
answers
verify 'S.5....T\.  c /etc/zorac/zoracd.conf'

echo "== remove"
mkdir -p "$root/var/lib/zoracd"
# shellcheck disable=SC2046
rpm -e $(in_root rpm -qa --qf '%{NAME}\n' 'zorac*')
[ ! -e "$root/usr/bin/zoracd" ] && [ ! -e "$root/usr/bin/zorac" ] || fail "programs are still there"
[ -z "$(find "$root/usr" "$root/lib/systemd" -name '*zorac*' 2>/dev/null)" ] || fail "left: $(find "$root/usr" -name '*zorac*')"
grep -q 'kept by the administrator' "$root/etc/zorac/zoracd.conf.rpmsave" || fail "remove took the configuration"
[ -d "$root/var/lib/zoracd" ] || fail "remove took the state"
echo "installed, run, verified, replaced, removed: all well"
