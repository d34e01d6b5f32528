# SPDX-License-Identifier: MIT
# Of the GPU's kernels: what needs none is part of every check.
EXTRA_DIST += %D%/sass.sh
TESTS += %D%/sass.sh

# On a machine with a GPU: all checks there; and everything that a visit to another machine needs, in
# one folder, for gpu-visit/tests/gpu/run there.
dist_check_SCRIPTS += %D%/run %D%/early %D%/pack %D%/visit.sh
TESTS += %D%/visit.sh
gpu_programs = tests/kcheck/kcheck tests/e2e/rpc zoracd/zoracd zoracd/tools/zorac-bench
.PHONY: check-gpu gpu-visit
check-gpu: all $(gpu_programs)
	top_builddir=. $(srcdir)/%D%/run -n
if HAVE_CUDA
gpu-visit: all $(gpu_programs)
	$(srcdir)/%D%/pack . kernels/cuda/libzorac-cuda.so $@
	du -sh $@
endif
