# SPDX-License-Identifier: MIT
# Each part of the suite adds its own programs and scripts.
TESTS_ENVIRONMENT = top_srcdir=$(top_srcdir) top_builddir=$(top_builddir)
include tests/unit/local.mk
include tests/kcheck/local.mk
include tests/fuzz/local.mk
include tests/golden/local.mk
include tests/e2e/local.mk
include tests/lint/local.mk
