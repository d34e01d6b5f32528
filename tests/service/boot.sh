#!/bin/bash
# SPDX-License-Identifier: MIT
# boot.sh FOLDER: the packages of `make deb` under a systemd that is the first process of a clean Debian
# (clean-root.sh), in namespaces and a control group of its own: the sockets, the first prompt, users,
# reload, stop, crash, upgrade, mistakes, the user's own service, removal; all in the units' own cage.
. "$(dirname "$0")/clean-root.sh"
ls "$packages"/zoracd_*.deb "$packages"/zorac-cli_*.deb >/dev/null || fail "no packages in $packages: run make deb"
group=
for d in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ ! -e $d/cgroup.procs ] || { [ -e $d/cgroup.controllers ] && mkdir "$d/zorac-$$" 2>/dev/null && group=$d/zorac-$$; }
done
[ -n "$group" ] || skip "needs a control group of its own"
mkdir "$root/debs"
cp "$packages"/zoracd_*.deb "$packages"/zorac-cli_*.deb "$root/debs"
! cp "$packages"/zoracd-cuda_*.deb "$root/debs" 2>/dev/null || true
apt install systemd systemd-sysv dbus libpam-systemd '/debs/*.deb' || fail "$(tail -n 20 "$top/log")"
make_next
umount "$root/proc"
: >"$root/etc/machine-id"

# shellcheck disable=SC2016 # for the shell in there
launcher='
    set -e
    echo $$ >"$2/cgroup.procs"
    exec unshare -C -m -p -f -u -i -n --kill-child sh -ec '\''
        mount --make-rprivate /
        mount --bind "$1" "$1"
        cd "$1"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs run
        mount -t tmpfs -o mode=1777 tmpfs tmp
        mount -t tmpfs -o mode=755 tmpfs dev
        for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
        mkdir dev/pts dev/shm old
        mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        pivot_root . old
        umount -l old
        exec env -i container=zorac PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
    '\'' sh "$1"'
sh -c "$launcher" sh "$root" "$group" >"$top/boot" 2>&1 &
outer=$!
end() {
    status=$?
    kill -9 $outer 2>/dev/null || true
    wait $outer 2>/dev/null || true
    for n in 1 2 3 4 5 6 7 8 9 10; do
        [ -d "$group" ] || break
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        sleep 0.2
    done
    rm -rf --one-file-system "$top"
    exit $status
}
trap end EXIT
# in_boot COMMAND...: in there, as root
in_boot() {
    nsenter -t "$(pgrep -P $outer)" -m -u -i -n -p -C env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive "$@"
}
# soon COMMAND...: within a minute or two
soon() {
    for ((n = 0; n < 600; n++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    in_boot journalctl --no-pager -n 40 || true
    fail "in vain: $*"
}
is() {
    [ "$(in_boot systemctl is-active "$1")" = "$2" ]
}
# as USER WORDS...: the client, as that user
as() {
    user=$1
    shift
    in_boot timeout 120 runuser -u "$user" -- zorac "$@" </dev/null
}
is_up() {
    in_boot systemctl list-units >"$top/up" 2>&1
}
for ((n = 0; n < 150; n++)); do
    ! is_up || break
    kill -0 $outer 2>/dev/null || break
    sleep 0.2
done
is_up || skip "no systemd comes up in a namespace here: $(cat "$top/boot" "$top/up")"
in_boot sh -c 'useradd -m anna; useradd -m carl; usermod -aG zorac anna'
main() {
    in_boot systemctl show -P MainPID zoracd.service
}

echo "== the first prompt starts it, in its cage"
nothing_is_enabled
in_boot systemctl enable --now zoracd.socket >/dev/null 2>&1
is zoracd.service inactive || fail "it runs unasked"
as anna -t 0 "hello, who are you?" | grep -q 'demo model' || fail "no answer: $(in_boot journalctl --no-pager -n 40)"
if [ -f "$root/usr/share/zorac/10-cuda.conf" ] && ! grep -qs 0x10de /sys/bus/pci/devices/*/vendor; then
    mdwe() {
        in_boot systemctl daemon-reload
        in_boot systemctl show -P MemoryDenyWriteExecute zoracd.service
    }
    [ "$(mdwe)" = yes ] || fail "the CUDA package loosens the service where there is no GPU"
    in_boot sh -c 'mkdir /etc/systemd/system/zoracd.service.d
        ln -s /usr/share/zorac/10-cuda.conf /etc/systemd/system/zoracd.service.d/'
    [ "$(mdwe)" = no ] || fail "the drop-in put there by hand is not read"
    in_boot rm -r /etc/systemd/system/zoracd.service.d
    [ "$(mdwe)" = yes ] || fail "the drop-in stays"
fi
[ "$(in_boot systemctl show -P StatusText zoracd.service)" = "Serving zorac-demo" ] || fail "no status"
[ "$(in_boot stat -c '%U:%G %a' /run/zoracd/zoracd.sock)" = "root:zorac 660" ] || fail "the socket's mode"
for d in /var/lib/zoracd /var/cache/zoracd /run/zoracd/daemon; do
    [ "$(in_boot stat -c '%U %a' $d)" = "zoracd 700" ] || fail "$d: $(in_boot stat -c '%U %a' $d)"
done
in_boot grep -q '^CapBnd:.0*$' "/proc/$(main)/status" || fail "it has capabilities"
! as carl -t 0 hi >"$top/log" 2>&1 || fail "a stranger got in"
grep -q 'no permission to connect' "$top/log" || fail "a stranger is told: $(cat "$top/log")"
in_boot journalctl -q --no-pager ZORAC_UID="$(in_boot id -u anna)" | grep -q . || in_boot sh -c 'echo log-level = info >>/etc/zorac/zoracd.conf'

echo "== reload"
in_boot systemctl reload zoracd.service || fail "$(in_boot journalctl --no-pager -n 10)"
soon in_boot sh -c 'journalctl -u zoracd --no-pager | grep -q "configuration reread"'
as anna -t 0 hi >/dev/null
soon in_boot sh -c "journalctl -q --no-pager ZORAC_UID=$(in_boot id -u anna) | grep -q generate"

echo "== a stop leaves the socket, a crash is mended"
in_boot systemctl stop zoracd.service 2>/dev/null
is zoracd.socket active || fail "the socket went with the service"
as anna -t 0 hi >/dev/null || fail "no answer after a stop"
in_boot sh -c "kill -SEGV $(main)"
as anna -t 0 hi >/dev/null || fail "no answer after a crash"
[ "$(in_boot systemctl show -P NRestarts zoracd.service)" = 1 ] || fail "it was not started again"
[ -z "$(in_boot find /var/lib/zoracd /var/lib/systemd/coredump -type f)" ] || fail "the crash left a file"

echo "== upgrade: who runs is started anew, who does not is not"
before=$(main)
in_boot sh -c 'dpkg --force-confdef --force-confold -i /debs/*_99-1.deb' >"$top/log" 2>&1 || fail "$(cat "$top/log")"
soon is zoracd.service active
[ "$(main)" != "$before" ] || fail "the old daemon runs on"
is zoracd.socket active || fail "the upgrade took the socket"
as anna -t 0 hi >/dev/null || fail "no answer after the upgrade"
in_boot systemctl stop zoracd.service 2>/dev/null
in_boot sh -c 'dpkg --force-confdef --force-confold -i /debs/*_99-1.deb' >"$top/log" 2>&1 || fail "$(cat "$top/log")"
is zoracd.service inactive || fail "an upgrade started it"
is zoracd.socket active || fail "an upgrade stopped the socket"

echo "== a mistake in the configuration, and what docs/admin.md says then"
in_boot sh -c 'cp /etc/zorac/zoracd.conf /root; echo nonsense = 1 >>/etc/zorac/zoracd.conf'
! as anna -t 0 hi >/dev/null 2>&1 || fail "it runs with nonsense"
soon in_boot sh -c 'journalctl -u zoracd --no-pager | grep -q "zoracd.conf:[0-9]*:.*nonsense"'
soon is zoracd.socket failed
in_boot cp /root/zoracd.conf /etc/zorac/zoracd.conf
in_boot sh -c 'systemctl reset-failed zoracd.service zoracd.socket && systemctl start zoracd.socket'
as anna -t 0 hi >/dev/null || fail "no answer after mending: $(in_boot journalctl --no-pager -n 20)"

echo "== a user's own"
id=$(in_boot id -u carl)
in_boot loginctl enable-linger carl
soon is "user@$id.service" active
own() {
    in_boot runuser -u carl -- env XDG_RUNTIME_DIR="/run/user/$id" "$@" </dev/null
}
own systemctl --user enable --now zoracd.socket >/dev/null 2>&1 || fail "the user's socket: $(own systemctl --user status zoracd.socket)"
own timeout 120 zorac -t 0 "hello, who are you?" | grep -q 'demo model' || fail "no answer: $(in_boot journalctl --no-pager -n 20)"
[ "$(in_boot stat -c '%U %a' "/run/user/$id/zorac/zoracd.sock")" = "carl 600" ] || fail "the user's socket"
own systemctl --user reload zoracd.service || fail "the user's reload: $(in_boot journalctl --no-pager -n 20)"
own systemctl --user stop zoracd.service 2>/dev/null
[ "$(own systemctl --user is-active zoracd.socket)" = active ] || fail "the user's socket went with the service"

echo "== the second daemon of docs/admin.md"
sed -n '/^## Two daemons/,/^## /s/^    //p' "$(dirname "$0")/../../docs/admin.md" >"$root/root/second"
in_boot sh -eu /root/second >"$top/log" 2>&1 || fail "$(cat "$top/log")"
as anna -S /run/zoracd/b.sock -t 0 "hello, who are you?" | grep -q 'demo model' || fail "no answer: $(in_boot journalctl --no-pager -n 20)"
as anna -t 0 hi >/dev/null || fail "the first does not answer beside the second"
is zoracd-b.service active || fail "the second does not run"
in_boot systemctl stop zoracd-b.service 2>/dev/null
is zoracd.service active || fail "the first stopped with the second"
[ "$(in_boot stat -c '%U:%G %a' /run/zoracd/b.sock)" = "root:zorac 660" ] || fail "the second's socket"
in_boot sh -c 'systemctl disable --now zoracd-b.socket && rm -r /etc/systemd/system/zoracd-b.* /etc/zorac/b.conf && systemctl daemon-reload' 2>/dev/null
in_boot sh -c '[ ! -e /run/zoracd/b.sock ]' || fail "the second's socket stays"

echo "== a model in /home, as docs/admin.md says"
in_boot sh -c 'cp -r /usr/share/zorac/demo /home/anna/models && chown -R anna /home/anna/models && chmod 700 /home/anna
    cp /etc/zorac/zoracd.conf /root && echo "model = /home/anna/models" >>/etc/zorac/zoracd.conf'
! in_boot systemctl restart zoracd.service 2>/dev/null || fail "the service sees /home"
in_boot mkdir -p /etc/systemd/system/zoracd.service.d
sed -n '/^## Where models live/,/^## /s/^    //p' "$(dirname "$0")/../../docs/admin.md" >"$root/etc/systemd/system/zoracd.service.d/override.conf"
in_boot sh -c 'systemctl daemon-reload && systemctl restart zoracd.service' || fail "not from /home: $(in_boot journalctl --no-pager -n 20)"
as anna status | grep -q '/home/anna/models' || fail "another model: $(as anna status)"
in_boot sh -c 'rm -r /etc/systemd/system/zoracd.service.d /home/anna/models && mv /root/zoracd.conf /etc/zorac && systemctl daemon-reload
    systemctl restart zoracd.service' || fail "not as before: $(in_boot journalctl --no-pager -n 20)"

echo "== as another account"
in_boot sh -c 'useradd -r other && mkdir -p /etc/systemd/system/zoracd.service.d && systemctl daemon-reload
    printf "[Service]\nUser=other\n" >/etc/systemd/system/zoracd.service.d/override.conf'
in_boot sh -c 'systemctl daemon-reload && systemctl restart zoracd.service' || fail "not as another: $(in_boot journalctl --no-pager -n 20)"
[ "$(in_boot stat -c %U "/proc/$(main)")" = other ] || fail "it runs as $(in_boot stat -c %U "/proc/$(main)")"
as anna -t 0 hi >/dev/null || fail "no answer of another account's: $(in_boot journalctl --no-pager -n 20)"
[ "$(in_boot stat -c %U /var/lib/zoracd)" = other ] || fail "its folder is $(in_boot stat -c %U /var/lib/zoracd)'s"
in_boot rm -r /etc/systemd/system/zoracd.service.d
in_boot sh -c 'systemctl daemon-reload && systemctl restart zoracd.service' || fail "not as itself again: $(in_boot journalctl --no-pager -n 20)"
[ "$(in_boot stat -c %U /var/lib/zoracd)" = zoracd ] || fail "its folder is $(in_boot stat -c %U /var/lib/zoracd)'s"

echo "== removed while it runs, and purged"
is zoracd.service active || fail "it should run"
in_boot systemctl enable zoracd.socket zoracd.service >"$top/log" 2>&1 || fail "$(cat "$top/log")"
in_boot apt-get -q -y remove zoracd >"$top/log" 2>&1 || fail "$(cat "$top/log")"
! is zoracd.service active || fail "remove left it running"
! is zoracd.socket active || fail "remove left the socket"
in_boot apt-get -q -y purge zoracd >"$top/log" 2>&1 || fail "$(cat "$top/log")"
left=$(in_boot sh -c 'ls -d /var/lib/zoracd /var/cache/zoracd /etc/zorac /run/zoracd 2>/dev/null
    find /etc/systemd -path "*.wants/zoracd.*"')
[ -z "$left" ] || fail "purge left $left"
echo "a systemd started, fed, reloaded, stopped, restarted, upgraded and removed it: all well"
