#!/bin/bash
# SPDX-License-Identifier: MIT
# reproducible.sh deb|rpm TARBALL FOLDER: builds the packages of the tarball once more, in a folder of
# another name, and compares them byte by byte with those in FOLDER. Takes minutes.
set -eu
kind=$1
tarball=$(readlink -f "$2")
folder=$(cd "$3" && pwd)
export LC_ALL=C
tmp=$(mktemp -d "${TMPDIR:-/tmp}/zorac-again-of-another-length-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
name=$(basename "$tarball" .tar.xz)
tar -C "$tmp" -xf "$tarball"
unset MAKEFLAGS MAKELEVEL
export TZ=Asia/Tokyo
umask 022
if [ "$kind" = deb ]; then
    profiles=nocheck
    ! ls "$folder"/zoracd-cuda_*.deb >/dev/null 2>&1 || profiles="nocheck pkg.zorac.cuda"
    cp -R "$tmp/$name/packaging/debian" "$tmp/$name/debian"
    who=$(dpkg-deb -f "$(ls "$folder"/zoracd_*.deb)" Maintainer)
    sed -i "s/@MAINTAINER@/$who/" "$tmp/$name/debian/control" "$tmp/$name/debian/changelog"
    (cd "$tmp/$name" && DEB_BUILD_OPTIONS="nocheck parallel=3" DEB_BUILD_PROFILES=$profiles \
        dpkg-buildpackage -b -d -us -uc) >"$tmp/log" 2>&1 || { tail -n 30 "$tmp/log"; exit 1; }
    made=$(ls "$tmp"/*.deb)
else
    mkdir -p "$tmp/top/SOURCES"
    cp "$tarball" "$tmp/top/SOURCES"
    who=$(rpm -qp --qf '%{PACKAGER}' "$(ls "$folder"/zoracd-[0-9]*.rpm)")
    sed -e "s/@VERSION@/${name#zorac-}/" -e "s/@MAINTAINER@/$who/" "$tmp/$name/packaging/rpm/zorac.spec.in" >"$tmp/zorac.spec"
    switches=
    ! ls "$folder"/zoracd-cuda-*.rpm >/dev/null 2>&1 || switches="--with cuda"
    # shellcheck disable=SC2086 # two words or none
    rpmbuild -bb --nodeps $switches --define "_topdir $tmp/top" "$tmp/zorac.spec" >"$tmp/log" 2>&1 ||
        { tail -n 30 "$tmp/log"; exit 1; }
    made=$(ls "$tmp"/top/RPMS/*/*.rpm)
fi
failed=0
for f in $made; do
    if cmp "$f" "$folder/$(basename "$f")"; then
        echo "the same bytes: $(basename "$f")"
    else
        failed=1
    fi
done
exit $failed
