# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libtext.a
%C%_libtext_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(UTF8PROC_CFLAGS)
%C%_libtext_a_SOURCES = \
  %D%/zt_text.c %D%/zt_text.h
