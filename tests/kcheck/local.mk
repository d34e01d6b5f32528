# SPDX-License-Identifier: MIT
check_PROGRAMS += %D%/kcheck
TESTS += %D%/kcheck
%C%_kcheck_SOURCES = \
  %D%/kcheck.c %D%/kcheck.h \
  %D%/kcheck_attn.c \
  %D%/kcheck_batch.c \
  %D%/kcheck_bench.c \
  %D%/kcheck_mat.c %D%/kcheck_mat.h \
  %D%/kcheck_row.c
%C%_kcheck_LDADD = $(kernels_libs) common/libcommon.a
