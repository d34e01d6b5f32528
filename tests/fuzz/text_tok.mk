# SPDX-License-Identifier: MIT
# Texts, Mistral's messages, and the three files that a tokenizer comes from.
FUZZ_TARGETS += %D%/fuzz_encode %D%/fuzz_mistral %D%/fuzz_spm %D%/fuzz_tekken %D%/fuzz_tokenizer
TOK_FUZZ_LDADD = $(FUZZ_MAIN) tests/unit/libtok.a zoracd/text/libtext.a common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
%C%_fuzz_encode_SOURCES = %D%/fuzz_encode.c
%C%_fuzz_encode_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_encode_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_encode_LDADD = $(TOK_FUZZ_LDADD)
%C%_fuzz_spm_SOURCES = %D%/fuzz_spm.c
%C%_fuzz_spm_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_spm_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_spm_LDADD = $(TOK_FUZZ_LDADD)
%C%_fuzz_tekken_SOURCES = %D%/fuzz_tekken.c
%C%_fuzz_tekken_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_tekken_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_tekken_LDADD = $(TOK_FUZZ_LDADD)
%C%_fuzz_tokenizer_SOURCES = %D%/fuzz_tokenizer.c
%C%_fuzz_tokenizer_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_tokenizer_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_tokenizer_LDADD = $(TOK_FUZZ_LDADD)
%C%_fuzz_mistral_SOURCES = %D%/fuzz_mistral.c
%C%_fuzz_mistral_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_mistral_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_mistral_LDADD = $(TOK_FUZZ_LDADD)
