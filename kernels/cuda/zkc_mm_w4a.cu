/* SPDX-License-Identifier: MIT */
/* The product for few rows, of W4A: a file of its own, because it is long in compiling. */
#include "kernels/cuda/zkc_mm_decode.cuh"

template int zkc_mm_decode_form<ZK_W4A>(struct zkc_dev *d, const struct zkc_mm_call *c);
