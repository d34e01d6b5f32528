# SPDX-License-Identifier: MIT
# Chat templates: source, and variables.
FUZZ_TARGETS += %D%/fuzz_tmpl %D%/fuzz_tmpl_vars
TMPL_FUZZ_LDADD = $(FUZZ_MAIN) zoracd/text/libtext.a common/libcommon.a $(JANSSON_LIBS) \
  $(PCRE2_LIBS) $(UTF8PROC_LIBS)
%C%_fuzz_tmpl_SOURCES = %D%/fuzz_tmpl.c
%C%_fuzz_tmpl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_tmpl_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_tmpl_LDADD = $(TMPL_FUZZ_LDADD)
%C%_fuzz_tmpl_vars_SOURCES = %D%/fuzz_tmpl_vars.c
%C%_fuzz_tmpl_vars_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_tmpl_vars_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_tmpl_vars_LDADD = $(TMPL_FUZZ_LDADD)
