# SPDX-License-Identifier: MIT
# The daemon's parts. The scheduler is linked without the engine: the test brings its own.
if HAVE_CHECK
check_PROGRAMS += %D%/test_serve %D%/test_serve_cage %D%/test_serve_prompt %D%/test_serve_sched
TESTS += %D%/test_serve %D%/test_serve_cage %D%/test_serve_prompt %D%/test_serve_sched
%C%_test_serve_SOURCES = %D%/test_serve.c %D%/t_unit.h
%C%_test_serve_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_test_serve_LDADD = zoracd/serve/libserve.a zoracd/text/libtext.a $(engine_libs) \
  $(CHECK_LIBS) $(MSGPACK_LIBS) $(INIH_LIBS) $(UTF8PROC_LIBS)
%C%_test_serve_cage_SOURCES = %D%/test_serve_cage.c %D%/t_unit.h
%C%_test_serve_cage_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_serve_cage_LDADD = zoracd/serve/libserve.a common/libcommon.a $(CHECK_LIBS)
%C%_test_serve_prompt_SOURCES = %D%/test_serve_prompt.c %D%/t_unit.h
%C%_test_serve_prompt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_test_serve_prompt_LDADD = zoracd/serve/libserve.a zoracd/text/libtext.a $(engine_libs) \
  $(CHECK_LIBS) $(MSGPACK_LIBS) $(UTF8PROC_LIBS)
%C%_test_serve_sched_SOURCES = %D%/test_serve_sched.c %D%/t_unit.h
%C%_test_serve_sched_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_test_serve_sched_LDADD = zoracd/serve/libserve.a zoracd/text/libtext.a common/libcommon.a \
  $(CHECK_LIBS) $(JANSSON_LIBS) $(MSGPACK_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
endif
