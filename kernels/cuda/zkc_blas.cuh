/* SPDX-License-Identifier: MIT */
/* The matrix product of cuBLAS, if there is one. Engine thread. */
#ifndef KERNELS_CUDA_ZKC_BLAS_CUH
#define KERNELS_CUDA_ZKC_BLAS_CUH

#include "kernels/cuda/zkc.cuh"

/* Opens the library, makes it ready on d->stream and tries it: sets d->blas, or leaves it NULL, and
 * sets d->blas_refused if it is there but computes nothing on this GPU. The last
 * eighth of d->work becomes its workspace and is taken off d->work_bytes. */
void zkc_blas_open(struct zkc_dev *d);
void zkc_blas_close(struct zkc_dev *d);

/* ", cuBLAS 13.1", ", cuBLAS 12.0 can't be used" or ", no cuBLAS": the label's end. */
void zkc_blas_label(const struct zkc_dev *d, char *text, size_t size);

/* y[r][i] = (add ? y[r][i] : 0) + sum_j w[i][j] x[r][j]: w (n, ldw), x (rows, ldx) of type F16 or
 * BF16, y (rows, ldy), sums in fp32. d->blas is not NULL. */
int zkc_blas_gemm(struct zkc_dev *d, enum zk_type type, int n, int rows, int k, const uint16_t *w,
                  int ldw, const uint16_t *x, int ldx, bool add, float *y, int ldy);

#endif
