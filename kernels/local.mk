# SPDX-License-Identifier: MIT
# One archive per instruction set: its flags never leave it. zk_isa.c, zk_elem.c, zk_f32.c and
# zk_attn_v.c are compiled into each of them.
noinst_LIBRARIES += %D%/libkernels.a
%C%_isa_sources = %D%/cpu/zk_isa.c %D%/cpu/zk_elem.c %D%/cpu/zk_f32.c %D%/cpu/zk_attn_v.c
%C%_libkernels_a_CFLAGS = $(AM_CFLAGS) -O3
%C%_libkernels_a_CPPFLAGS = $(AM_CPPFLAGS) -DZK_PLUGIN_DIR='"$(pkglibdir)"'
%C%_libkernels_a_SOURCES = $(%C%_isa_sources) \
  %D%/zk.h \
  %D%/zk_caps.c \
  %D%/zk_conv.c \
  %D%/zk_cuda.c %D%/zk_plugin.h \
  %D%/zk_draw.h \
  %D%/zk_pack.c %D%/zk_pack.h \
  %D%/zk_probe.c \
  %D%/cpu/zk_attn.c \
  %D%/cpu/zk_cpu.c %D%/cpu/zk_cpu.h \
  %D%/cpu/zk_isa.h \
  %D%/cpu/zk_matmul.c \
  %D%/cpu/zk_pool.c \
  %D%/cpu/zk_probe.c \
  %D%/cpu/zk_q8_c.c \
  %D%/cpu/zk_simd.h %D%/cpu/zk_simd_avx2.h %D%/cpu/zk_simd_avx512.h %D%/cpu/zk_simd_c.h \
  %D%/cpu/zk_threads.c \
  %D%/ref/zk_ref.c
kernels_libs = %D%/libkernels.a
if HAVE_AVX2
noinst_LIBRARIES += %D%/libkernels_avx2.a
%C%_libkernels_avx2_a_CFLAGS = $(AM_CFLAGS) -O3 $(CFLAGS_AVX2)
%C%_libkernels_avx2_a_SOURCES = $(%C%_isa_sources) %D%/cpu/zk_q8_avx2.c
kernels_libs += %D%/libkernels_avx2.a
endif
if HAVE_AVX512
noinst_LIBRARIES += %D%/libkernels_avx512.a
%C%_libkernels_avx512_a_CFLAGS = $(AM_CFLAGS) -O3 $(CFLAGS_AVX512)
%C%_libkernels_avx512_a_SOURCES = $(%C%_isa_sources) %D%/cpu/zk_q8_avx512.c
kernels_libs += %D%/libkernels_avx512.a
endif
