# SPDX-License-Identifier: MIT
# Unit tests: one program per room, so that a crash in one hides nothing of the others.
if HAVE_CHECK
check_PROGRAMS += %D%/test_common
TESTS += %D%/test_common
%C%_test_common_SOURCES = %D%/test_common.c %D%/t_unit.h
%C%_test_common_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_common_LDADD = common/libcommon.a $(CHECK_LIBS)

check_PROGRAMS += %D%/test_wire
TESTS += %D%/test_wire
%C%_test_wire_SOURCES = %D%/test_wire.c %D%/t_unit.h
%C%_test_wire_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_test_wire_LDADD = common/libcommon.a $(CHECK_LIBS) $(JANSSON_LIBS) $(MSGPACK_LIBS)
check_PROGRAMS += %D%/test_cli
TESTS += %D%/test_cli
%C%_test_cli_SOURCES = %D%/test_cli.c %D%/t_unit.h
%C%_test_cli_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE3_CFLAGS)
%C%_test_cli_LDADD = zorac-cli/libzcli.a common/libcommon.a $(CHECK_LIBS) $(SQLITE3_LIBS) \
  $(READLINE_LIBS) $(JANSSON_LIBS) $(MSGPACK_LIBS)
endif
include tests/unit/engine.mk
include tests/unit/weights.mk
include tests/unit/serve.mk
include tests/unit/text_tok.mk
include tests/unit/text_tmpl.mk
include tests/unit/kernels.mk
