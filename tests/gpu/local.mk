# SPDX-License-Identifier: MIT
# Of the GPU's kernels: what needs none is part of every check.
EXTRA_DIST += %D%/sass.sh
TESTS += %D%/sass.sh

# On a machine with a GPU: all checks there; and everything that a visit to another machine needs, in
# one folder, for `tests/gpu/run -b gpu-visit`.
dist_check_SCRIPTS += %D%/run
gpu_programs = tests/kcheck/kcheck tests/e2e/rpc zoracd/zoracd zoracd/tools/zorac-bench
.PHONY: check-gpu gpu-visit
check-gpu: all $(gpu_programs)
	top_builddir=. $(srcdir)/%D%/run -n
if HAVE_CUDA
gpu-visit: all $(gpu_programs)
	rm -rf $@
	for f in $(gpu_programs) kernels/cuda/libzorac-cuda.so; do \
	  $(MKDIR_P) $@/$$(dirname $$f) && cp $$f $@/$$f || exit 1; done
	$(MKDIR_P) $@/lib
	ldd $(gpu_programs) | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u | \
	  grep -v -E '/(libc|libm|libpthread|libdl|librt|ld-linux[^/]*)\.so' | xargs -I{} cp {} $@/lib/
endif
