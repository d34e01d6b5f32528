# SPDX-License-Identifier: MIT
# The weights room's tests, and the library that makes model files for anybody's tests.
if HAVE_CHECK
check_LIBRARIES += %D%/libsafetensors.a
%C%_libsafetensors_a_SOURCES = %D%/t_safetensors.c %D%/t_safetensors.h
%C%_libsafetensors_a_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
WEIGHTS_TESTS = %D%/test_weights_floats %D%/test_weights_linear %D%/test_weights_load \
  %D%/test_weights_quant %D%/test_weights_quantize %D%/test_weights_store \
  %D%/test_weights_target
check_PROGRAMS += $(WEIGHTS_TESTS)
TESTS += $(WEIGHTS_TESTS)
WEIGHTS_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
WEIGHTS_TEST_LIBS = %D%/libsafetensors.a zoracd/weights/libweights.a $(kernels_libs) \
  common/libcommon.a $(JANSSON_LIBS) $(PCRE2_LIBS) $(CHECK_LIBS)
%C%_test_weights_floats_SOURCES = %D%/test_weights_floats.c %D%/t_unit.h
%C%_test_weights_floats_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_floats_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_linear_SOURCES = %D%/test_weights_linear.c %D%/t_unit.h
%C%_test_weights_linear_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_linear_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_load_SOURCES = %D%/test_weights_load.c %D%/t_unit.h
%C%_test_weights_load_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_load_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_quant_SOURCES = %D%/test_weights_quant.c %D%/t_unit.h
%C%_test_weights_quant_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_quant_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_quantize_SOURCES = %D%/test_weights_quantize.c %D%/t_unit.h
%C%_test_weights_quantize_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_quantize_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_store_SOURCES = %D%/test_weights_store.c %D%/t_unit.h
%C%_test_weights_store_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_store_LDADD = $(WEIGHTS_TEST_LIBS)
%C%_test_weights_target_SOURCES = %D%/test_weights_target.c %D%/t_unit.h
%C%_test_weights_target_CFLAGS = $(WEIGHTS_TEST_CFLAGS)
%C%_test_weights_target_LDADD = $(WEIGHTS_TEST_LIBS)
endif
