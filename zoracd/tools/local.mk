# SPDX-License-Identifier: MIT
bin_PROGRAMS += %D%/zorac-bench
%C%_zorac_bench_SOURCES = %D%/zorac-bench.c
%C%_zorac_bench_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_zorac_bench_LDADD = $(engine_libs)
EXTRA_DIST += tests/bench/shape-1b.json tests/bench/shape-24b.json
