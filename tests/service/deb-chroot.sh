#!/bin/bash
# SPDX-License-Identifier: MIT
# deb-chroot.sh FOLDER: the packages of `make deb` in a clean Debian: installed, run, upgraded, removed,
# purged, installed again. Needs what clean-root.sh needs. Takes minutes.
. "$(dirname "$0")/clean-root.sh"
ls "$packages"/zoracd_*.deb "$packages"/zorac-cli_*.deb >/dev/null || fail "no packages in $packages: run make deb"
mkdir "$root/debs"
cp "$packages"/zoracd_*.deb "$packages"/zorac-cli_*.deb "$root/debs"
has_cuda=
! cp "$packages"/zoracd-cuda_*.deb "$root/debs" 2>/dev/null || has_cuda=1

echo "== install"
apt install '/debs/zoracd_*.deb /debs/zorac-cli_*.deb' || fail "$(tail -n 20 "$top/log")"
in_root getent passwd zoracd | grep -q ':/var/lib/zoracd:/usr/sbin/nologin' || fail "no account"
in_root getent group zorac >/dev/null || fail "no group zorac"
[ "$(in_root stat -c '%U %a' /run/zoracd)" = "root 755" ] || fail "the socket's folder: $(in_root stat -c '%U %a' /run/zoracd)"
nothing_is_enabled
answers
grep -q 'the CUDA back-end is not installed' "$top/reply" || fail "the CPU without a word: $(cat "$top/reply")"
[ -z "$(in_root dpkg --verify zoracd zorac-cli)" ] || fail "dpkg --verify: $(in_root dpkg --verify)"

if [ -n "$has_cuda" ]; then
    echo "== the CUDA back-end where there is no GPU"
    apt install '/debs/zoracd-cuda_*.deb' || fail "$(tail -n 20 "$top/log")"
    ! in_root dpkg -l '*nvidia*' 2>/dev/null | grep '^ii' || fail "it brings the driver"
    nothing_is_enabled
    answers
    [ "$(grep -c 'no GPU serves, the CPU does: there is no NVIDIA driver' "$top/reply")" = 2 ] ||
        fail "log and status do not both say why: $(cat "$top/reply")"
    ! in_root zoracd -c /etc/zorac/zoracd.conf -b cuda --check >"$top/log" 2>&1 || fail "-b cuda was served by the CPU"
    grep -q 'there is no NVIDIA driver' "$top/log" || fail "-b cuda says: $(cat "$top/log")"
fi

echo "== the scripts once more"
in_root dpkg-reconfigure zoracd >"$top/log" 2>&1 || fail "postinst is not idempotent: $(cat "$top/log")"
for call in 'postinst configure 0.0.1-1' 'postinst abort-upgrade 99' 'postinst abort-remove' 'prerm upgrade 99' \
    'prerm failed-upgrade 0.0.1-1' 'postrm upgrade 99' 'postrm abort-install' 'postinst configure 99'; do
    # shellcheck disable=SC2086 # a script and its arguments
    in_root /var/lib/dpkg/info/zoracd.$call >"$top/log" 2>&1 || fail "$call: $(cat "$top/log")"
done
nothing_is_enabled

echo "== upgrade with a changed configuration"
echo '# kept by the administrator' >>"$root/etc/zorac/zoracd.conf"
make_next
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

echo "== purge, while a daemon still runs"
apt install /debs/zoracd_99-1.deb || fail "$(tail -n 20 "$top/log")"
# shellcheck disable=SC2016 # for the shell in there
in_root sh -c 'rm -rf /tmp/z; mkdir -m 700 /tmp/z && chown zoracd /tmp/z
    setpriv --reuid zoracd --regid zoracd --clear-groups zoracd -b cpu -S /tmp/z/s >/tmp/log 2>&1 & echo $!' >"$top/pid"
n=0
until grep -q ready "$root/tmp/log"; do
    n=$((n + 1))
    [ $n -lt 600 ] || fail "no daemon: $(cat "$root/tmp/log")"
    sleep 0.1
done
apt purge zoracd zorac-cli || fail "$(cat "$top/log")"
kill "$(cat "$top/pid")" || fail "it did not go on running"
[ ! -e "$root/etc/zorac" ] || fail "left: $(ls -R "$root/etc/zorac")"
[ ! -e "$root/var/lib/zoracd" ] && [ ! -e "$root/var/cache/zoracd" ] && [ ! -e "$root/run/zoracd" ] ||
    fail "purge left the state, or the socket's folder"
[ -z "$(in_root dpkg -l 'zorac*' 2>/dev/null | grep '^[a-z][a-z]* *zorac' | grep -v '^un' | grep -v cuda)" ] || fail "$(in_root dpkg -l 'zorac*')"

echo "== install again, where the account is and the folders belong to somebody else"
in_root sh -c 'mkdir -p /var/lib/zoracd /etc/zorac && chown nobody /var/lib/zoracd /etc/zorac && chmod 500 /var/lib/zoracd'
apt install '/debs/*.deb' || fail "$(tail -n 20 "$top/log")"
answers
echo "installed, run, upgraded, removed, purged, installed again: all well"
