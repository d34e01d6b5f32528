# SPDX-License-Identifier: MIT
# Each part of the suite adds its own programs and scripts.
AM_TESTS_ENVIRONMENT = top_srcdir="$(abs_top_srcdir)"; export top_srcdir; \
  top_builddir="$(abs_top_builddir)"; export top_builddir; \
  ZORAC_PLUGINS=/nonexistent; export ZORAC_PLUGINS; \
  : "$${CK_DEFAULT_TIMEOUT:=60}"; export CK_DEFAULT_TIMEOUT;
include tests/unit/local.mk
include tests/kcheck/local.mk
include tests/cudasim/local.mk
include tests/gpu/local.mk
include tests/fuzz/local.mk
include tests/golden/local.mk
include tests/conformance/local.mk
include tests/e2e/local.mk
include tests/docs/local.mk
include tests/service/local.mk
include tests/lint/local.mk
