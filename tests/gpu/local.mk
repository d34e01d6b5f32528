# SPDX-License-Identifier: MIT
# Of the GPU's kernels: what needs none is part of every check.
EXTRA_DIST += %D%/sass.sh
TESTS += %D%/sass.sh
