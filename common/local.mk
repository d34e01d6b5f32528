# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libcommon.a
%C%_libcommon_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_libcommon_a_SOURCES = \
  %D%/zc_buf.c %D%/zc_buf.h \
  %D%/zc_core.c %D%/zc_core.h \
  %D%/zc_err.c %D%/zc_err.h \
  %D%/zc_file.c %D%/zc_file.h \
  %D%/zc_json.c %D%/zc_json.h \
  %D%/zc_log.c %D%/zc_log.h \
  %D%/zc_mem.c %D%/zc_mem.h \
  %D%/zc_rpc.c %D%/zc_rpc.h \
  %D%/zc_scan.c %D%/zc_scan.h \
  %D%/zc_size.c %D%/zc_size.h \
  %D%/zc_sock.c %D%/zc_sock.h \
  %D%/zc_wire.c %D%/zc_wire.h %D%/zc_wire.def \
  %D%/zc_utf8.c %D%/zc_utf8.h
