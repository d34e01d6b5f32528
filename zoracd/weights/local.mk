# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libweights.a
%C%_libweights_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS)
%C%_libweights_a_SOURCES = \
  %D%/zw_bnb.c %D%/zw_bnb.h \
  %D%/zw_ct.c %D%/zw_ct.h \
  %D%/zw_decode.c %D%/zw_decode.h \
  %D%/zw_file.c %D%/zw_file.h \
  %D%/zw_header.c %D%/zw_header.h \
  %D%/zw_json.c %D%/zw_json.h \
  %D%/zw_linear.c %D%/zw_linear.h \
  %D%/zw_load.c %D%/zw_load.h \
  %D%/zw_match.c %D%/zw_match.h \
  %D%/zw_quant.c %D%/zw_quant.h \
  %D%/zw_quantize.c %D%/zw_quantize.h \
  %D%/zw_read.c %D%/zw_read.h \
  %D%/zw_store.c %D%/zw_store.h
