/* SPDX-License-Identifier: MIT */
/* The product for few rows, of W8F: a file of its own, because it is long in compiling. The
 * function is no template, because nvcc calls an unnamed namespace after what a file exports, and
 * after the number of its process where that is nothing: no two builds would be the same. */
#include "kernels/cuda/zkc_mm_decode.cuh"

int zkc_mm_decode_w8f(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    return decode_form<ZK_W8F>(d, c);
}
