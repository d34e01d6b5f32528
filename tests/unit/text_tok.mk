# SPDX-License-Identifier: MIT
# The tokenizer's tests, and the library that makes small tokenizers for anybody's tests.
check_LIBRARIES += %D%/libtok.a
%C%_libtok_a_SOURCES = %D%/t_tok.c %D%/t_tok.h
EXTRA_DIST += %D%/text_tok_vectors.json %D%/text_tok_vectors.py %D%/text_spm_vectors.json \
  %D%/text_mistral_vectors.json tests/reference/make_spm.py tests/reference/make_mistral.py \
  tests/reference/diff_tokenizers.py tests/reference/bench_tokenizers.py
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
endif
