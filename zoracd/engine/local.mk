# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libengine.a
%C%_libengine_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libengine_a_SOURCES = \
  %D%/ze_batch.c %D%/ze_batch.h \
  %D%/ze_config.c %D%/ze_config.h \
  %D%/ze_engine.c %D%/ze_engine.h %D%/ze_engine_internal.h \
  %D%/ze_forward.c %D%/ze_forward.h \
  %D%/ze_internal.h \
  %D%/ze_kv.c %D%/ze_kv.h \
  %D%/ze_member.c \
  %D%/ze_model.c %D%/ze_model.h \
  %D%/ze_plan.c %D%/ze_plan.h \
  %D%/ze_random.c \
  %D%/ze_ready.c \
  %D%/ze_rope.c \
  %D%/ze_sample.c %D%/ze_sample.h \
  %D%/ze_select.c \
  %D%/ze_seq.c \
  %D%/ze_step.c
# What a program needs that runs a model.
engine_libs = %D%/libengine.a zoracd/weights/libweights.a $(kernels_libs) common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS)
