# SPDX-License-Identifier: MIT
# The CUDA plug-in: the .cu files by nvcc, the few C files of ours that it needs once more as
# position-independent code, one shared object that exports zk_cuda_plugin. tests/cudasim builds
# the same sources without nvcc.
cuda_names = \
  zkc_attn \
  zkc_attn_decode \
  zkc_attn_prefill \
  zkc_blas \
  zkc_draw \
  zkc_graph \
  zkc_mat \
  zkc_meter \
  zkc_mm \
  zkc_mm_blas \
  zkc_mm_repack \
  zkc_mm_tile \
  zkc_mm_w16 \
  zkc_mm_w4a \
  zkc_mm_w4l \
  zkc_mm_w8a \
  zkc_mm_w8f \
  zkc_open \
  zkc_plain \
  zkc_probe \
  zkc_ring \
  zkc_row
cuda_headers = \
  %D%/zkc.cuh \
  %D%/zkc_attn.cuh \
  %D%/zkc_attn_call.cuh \
  %D%/zkc_blas.cuh \
  %D%/zkc_dev.cuh \
  %D%/zkc_gpu.cuh \
  %D%/zkc_mm.h \
  %D%/zkc_mm_block.cuh \
  %D%/zkc_mm_call.cuh \
  %D%/zkc_mm_decode.cuh \
  %D%/zkc_mm_operand.cuh \
  %D%/zkc_mm_tune.h \
  %D%/zkc_ptx.cuh
EXTRA_DIST += $(cuda_headers) $(cuda_names:%=%D%/%.cu)

cuda_libs =
if HAVE_CUDA
cuda_libs += %D%/libpic.a
endif
if HAVE_CUDASIM
cuda_libs += %D%/libpic.a
endif
EXTRA_LIBRARIES = %D%/libpic.a
%C%_libpic_a_CFLAGS = $(AM_CFLAGS) -fPIC -fvisibility=hidden
%C%_libpic_a_SOURCES = common/zc_err.c common/zc_mem.c kernels/zk_conv.c kernels/zk_pack.c \
  %D%/zkc_mm_pack.c
CLEANFILES += %D%/libpic.a

if HAVE_CUDA
pluginexecdir = $(pkglibdir)
pluginexec_DATA = %D%/libzorac-cuda.so
CLEANFILES += %D%/libzorac-cuda.so $(cuda_names:%=%D%/%.o) $(cuda_names:%=%D%/%.d)
nvcc_flags = -std=c++20 -O3 $(NVCC_GENCODE) -I$(top_builddir) -I$(top_srcdir) \
  -Xcompiler -fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics,-Wall

%D%/%.o: $(srcdir)/%D%/%.cu config.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(NVCC) $(nvcc_flags) $(addsuffix %D%/$*.cu,$(NVCC_SOURCE_IS)) $(NVCCFLAGS) \
	  -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
%D%/libzorac-cuda.so: $(cuda_names:%=%D%/%.o) %D%/libpic.a
	$(AM_V_GEN)$(NVCC) -shared -cudart static -o $@ $(cuda_names:%=%D%/%.o) %D%/libpic.a \
	  -Xlinker -z,defs,-z,now,--exclude-libs,ALL -lpthread -ldl -lrt
-include $(cuda_names:%=%D%/%.d)
endif
