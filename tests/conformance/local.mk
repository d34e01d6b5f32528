# SPDX-License-Identifier: MIT
# Against what the reference implementations answered. The data lies beside the checkout, in
# ../shared/conformance; where it does not, each program says so and skips.
check_PROGRAMS += %D%/t_tokens %D%/t_render
TESTS += %D%/t_tokens %D%/t_render
%C%_t_tokens_SOURCES = %D%/t_tokens.c
%C%_t_tokens_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_tokens_LDADD = zoracd/text/libtext.a common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
%C%_t_render_SOURCES = %D%/t_render.c
%C%_t_render_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_render_LDADD = zoracd/text/libtext.a common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
