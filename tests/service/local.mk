# SPDX-License-Identifier: MIT
# Units, users and packages.
service_scripts = %D%/journal.sh %D%/units.sh
dist_check_SCRIPTS += $(service_scripts)
TESTS += $(service_scripts)
