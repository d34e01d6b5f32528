# SPDX-License-Identifier: MIT
# Style and structure as tests: no reviewer spends breath on them.
dist_check_SCRIPTS += %D%/layers.sh %D%/style.sh %D%/headers.sh %D%/symbols.sh
TESTS += %D%/layers.sh %D%/style.sh %D%/headers.sh %D%/symbols.sh
EXTRA_DIST += %D%/layers.txt
AM_TESTS_ENVIRONMENT += CC='$(CC)'; export CC; \
  LINT_CFLAGS='$(EVENT_CFLAGS) $(MSGPACK_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS)'; export LINT_CFLAGS;
