# SPDX-License-Identifier: MIT
FUZZ_TARGETS += %D%/fuzz_encode %D%/fuzz_tokenizer
%C%_fuzz_encode_SOURCES = %D%/fuzz_encode.c
%C%_fuzz_encode_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_encode_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_encode_LDADD = $(FUZZ_MAIN) tests/unit/libtok.a zoracd/text/libtext.a \
  common/libcommon.a $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
%C%_fuzz_tokenizer_SOURCES = %D%/fuzz_tokenizer.c
%C%_fuzz_tokenizer_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_tokenizer_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_tokenizer_LDADD = $(FUZZ_MAIN) zoracd/text/libtext.a common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
