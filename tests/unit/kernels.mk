# SPDX-License-Identifier: MIT
if HAVE_CHECK
check_PROGRAMS += %D%/test_kernels
TESTS += %D%/test_kernels
%C%_test_kernels_SOURCES = %D%/test_kernels.c %D%/t_unit.h
%C%_test_kernels_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_kernels_LDADD = $(kernels_libs) common/libcommon.a $(CHECK_LIBS)
endif
