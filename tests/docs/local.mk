# SPDX-License-Identifier: MIT
# The manual and the completions against the programs' own tables.
docs_scripts = %D%/admin.sh %D%/man.sh %D%/mandoc.sh %D%/completions.sh
dist_check_SCRIPTS += $(docs_scripts)
TESTS += $(docs_scripts)
EXTRA_DIST += %D%/lib.sh
