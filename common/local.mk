# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libcommon.a
%C%_libcommon_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_libcommon_a_SOURCES = \
  %D%/zc_buf.c %D%/zc_buf.h \
  %D%/zc_err.c %D%/zc_err.h \
  %D%/zc_log.c %D%/zc_log.h \
  %D%/zc_mem.c %D%/zc_mem.h
