# SPDX-License-Identifier: MIT
# The engine's tests.
if HAVE_CHECK
ENGINE_TESTS = %D%/test_engine_config %D%/test_engine_kv %D%/test_engine_open \
  %D%/test_engine_run \
  %D%/test_engine_sample \
  %D%/test_engine_cuda \
  %D%/test_engine_device \
  %D%/test_engine_draw
check_PROGRAMS += $(ENGINE_TESTS)
TESTS += $(ENGINE_TESTS)
ENGINE_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
ENGINE_TEST_LIBS = zoracd/engine/libengine.a zoracd/weights/libweights.a common/libcommon.a $(JANSSON_LIBS) $(CHECK_LIBS)
%C%_test_engine_config_SOURCES = %D%/test_engine_config.c %D%/t_unit.h
%C%_test_engine_config_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_config_LDADD = $(ENGINE_TEST_LIBS)
%C%_test_engine_kv_SOURCES = %D%/test_engine_kv.c %D%/t_unit.h
%C%_test_engine_kv_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_kv_LDADD = $(ENGINE_TEST_LIBS)
# Opening the device goes by way of the linker, and so do allocations where they are counted.
ENGINE_WHOLE_SOURCES = %D%/t_engine.c %D%/t_engine.h %D%/t_tiny.c %D%/t_tiny.h %D%/t_unit.h
%C%_test_engine_open_SOURCES = %D%/test_engine_open.c $(ENGINE_WHOLE_SOURCES)
%C%_test_engine_open_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_open_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
  -Wl,--wrap=zk_cpu_open
%C%_test_engine_open_LDADD = %D%/libsafetensors.a $(engine_libs) $(CHECK_LIBS)
%C%_test_engine_run_SOURCES = %D%/test_engine_run.c $(ENGINE_WHOLE_SOURCES)
%C%_test_engine_run_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_run_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=zk_cpu_open
%C%_test_engine_run_LDADD = %D%/libsafetensors.a $(engine_libs) $(CHECK_LIBS)
%C%_test_engine_cuda_SOURCES = %D%/test_engine_cuda.c $(ENGINE_WHOLE_SOURCES)
%C%_test_engine_cuda_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_cuda_LDADD = %D%/libsafetensors.a $(engine_libs) $(CHECK_LIBS)
%C%_test_engine_device_SOURCES = %D%/test_engine_device.c $(ENGINE_WHOLE_SOURCES)
%C%_test_engine_device_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_device_LDADD = %D%/libsafetensors.a $(engine_libs) $(CHECK_LIBS)
%C%_test_engine_draw_SOURCES = %D%/test_engine_draw.c %D%/t_unit.h
%C%_test_engine_draw_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_draw_LDADD = $(engine_libs) $(CHECK_LIBS)
%C%_test_engine_sample_SOURCES = %D%/test_engine_sample.c %D%/t_unit.h
%C%_test_engine_sample_CFLAGS = $(ENGINE_TEST_CFLAGS)
%C%_test_engine_sample_LDADD = $(ENGINE_TEST_LIBS)
endif
