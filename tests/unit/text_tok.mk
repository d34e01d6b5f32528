# SPDX-License-Identifier: MIT
# The tokenizer's tests, and the library that makes small tokenizers for anybody's tests.
check_LIBRARIES += %D%/libtok.a
%C%_libtok_a_SOURCES = %D%/t_tok.c %D%/t_tok.h
%C%_libtok_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
# The tokenizers once more, with every basic block, every byte that libc moves or compares and every
# step of a regular expression counted.
check_LIBRARIES += %D%/libsteps.a
%C%_libsteps_a_SOURCES = $(tok_sources) common/zc_buf.c common/zc_utf8.c
%C%_libsteps_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(UTF8PROC_CFLAGS) \
  -fsanitize-coverage=trace-pc -fno-builtin -U_FORTIFY_SOURCE
EXTRA_DIST += %D%/text_tok_vectors.json %D%/text_tok_vectors.py %D%/text_spm_vectors.json \
  %D%/text_mistral_vectors.json tests/reference/make_spm.py tests/reference/make_mistral.py \
  tests/reference/diff_tokenizers.py tests/reference/bench_tokenizers.py \
  tests/reference/random_templates.py tests/reference/template_grammar.py \
  tests/reference/template_kinds.py tests/reference/make_conformance.py
if HAVE_CHECK
check_PROGRAMS += %D%/test_text_check %D%/test_text_mistral %D%/test_text_spm %D%/test_text_tok
TESTS += %D%/test_text_check %D%/test_text_mistral %D%/test_text_spm %D%/test_text_tok
%C%_test_text_tok_SOURCES = %D%/test_text_tok.c %D%/t_unit.h
%C%_test_text_tok_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
%C%_test_text_tok_LDADD = %D%/libtok.a zoracd/text/libtext.a common/libcommon.a \
  $(CHECK_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
%C%_test_text_check_SOURCES = %D%/test_text_check.c %D%/t_unit.h
%C%_test_text_check_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
%C%_test_text_check_LDADD = $(%C%_test_text_tok_LDADD)
%C%_test_text_mistral_SOURCES = %D%/test_text_mistral.c %D%/t_unit.h
%C%_test_text_mistral_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
%C%_test_text_mistral_LDADD = $(%C%_test_text_tok_LDADD)
%C%_test_text_spm_SOURCES = %D%/test_text_spm.c %D%/t_unit.h
%C%_test_text_spm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
%C%_test_text_spm_LDADD = $(%C%_test_text_tok_LDADD)
check_PROGRAMS += %D%/test_text_steps
TESTS += %D%/test_text_steps
%C%_test_text_steps_SOURCES = %D%/test_text_steps.c %D%/t_unit.h
%C%_test_text_steps_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS)
%C%_test_text_steps_LDFLAGS = -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset \
  -Wl,--wrap=memcmp,--wrap=memchr \
  -Wl,--wrap=pcre2_compile_8,--wrap=pcre2_jit_compile_8,--wrap=pcre2_match_8
%C%_test_text_steps_LDADD = %D%/libtok.a %D%/libsteps.a common/libcommon.a \
  $(CHECK_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
endif
