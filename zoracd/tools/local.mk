# SPDX-License-Identifier: MIT
bin_PROGRAMS += %D%/zorac-bench %D%/zorac-inspect
%C%_zorac_bench_SOURCES = %D%/zorac-bench.c %D%/zb.h %D%/zb_measure.c %D%/zb_print.c \
  %D%/zb_profile.c %D%/zb_profile.h %D%/zo.c %D%/zo.h
%C%_zorac_bench_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_zorac_bench_LDADD = $(engine_libs)
%C%_zorac_inspect_SOURCES = %D%/zorac-inspect.c %D%/zi.h \
  %D%/zi_check.c %D%/zi_doctor.c %D%/zi_lines.c %D%/zi_model.c %D%/zi_text.c \
  %D%/zo.c %D%/zo.h
%C%_zorac_inspect_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_zorac_inspect_LDADD = $(engine_libs) $(text_libs)
EXTRA_DIST += tests/bench/daemon.sh tests/bench/shape-1b.json tests/bench/shape-24b.json \
  tests/bench/shape-tiny.json
