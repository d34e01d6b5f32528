# SPDX-License-Identifier: MIT
# Units, users and packages.
service_scripts = %D%/cage.sh %D%/journal.sh %D%/tarball.sh %D%/two-users.sh %D%/units.sh
dist_check_SCRIPTS += $(service_scripts)
TESTS += $(service_scripts)
# For `make check-packages`: they need root, the network and minutes.
EXTRA_DIST += %D%/boot.sh %D%/clean-root.sh %D%/deb-chroot.sh %D%/reproducible.sh %D%/rpm-chroot.sh %D%/rpm.sh
