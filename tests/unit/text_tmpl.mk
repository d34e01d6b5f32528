# SPDX-License-Identifier: MIT
if HAVE_CHECK
check_PROGRAMS += %D%/test_text_tmpl
TESTS += %D%/test_text_tmpl
%C%_test_text_tmpl_SOURCES = %D%/test_text_tmpl.c %D%/t_unit.h
%C%_test_text_tmpl_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
%C%_test_text_tmpl_LDADD = zoracd/text/libtext.a common/libcommon.a $(CHECK_LIBS) \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
endif
