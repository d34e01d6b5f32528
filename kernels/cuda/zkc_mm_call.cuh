/* SPDX-License-Identifier: MIT */
/* Launchers of the kernels that read the layout of zkc_mm.h. They return ZC_OK or a negative
 * zc_err, check the launch, never wait and allocate nothing. */
#ifndef KERNELS_CUDA_ZKC_MM_CALL_CUH
#define KERNELS_CUDA_ZKC_MM_CALL_CUH

#include "kernels/cuda/zkc.cuh"
#include "kernels/cuda/zkc_mm.h"

/* Every form but W32, for activations of 16 bits: zkc_mm.cu. */
extern const struct zkc_form zkc_mm;

/* One product, as zk_ops says: y, or, for pairs, act. */
struct zkc_mm_call {
    const struct zkc_mm_layout *lo;
    const uint8_t *w;
    enum zk_type
        type; /* of x, F16 or BF16; of the weights (W16) or the scales, unless these are floats */
    const uint16_t *x; /* (rows, zkc_kp(k)) */
    int rows;
    const float *bias;
    float *y; /* (rows, ldy), or NULL */
    int ldy;
    bool add;
    void *act; /* (rows, zkc_kp(n / 2)) of act_kind, where y is NULL */
    enum zk_act_kind act_kind;
    const int32_t *inverse; /* output i of act goes to inverse[i]; NULL: i */
};

/* For few rows: the bits of a row are the same whatever the number of rows. Uses d->work and
 * d->locks; where work is small, rows are done in turns. ZC_EINTERNAL if it does not hold one. */
int zkc_mm_decode(struct zkc_dev *d, const struct zkc_mm_call *c);

/* The same for calls of that form. */
int zkc_mm_decode_w4a(struct zkc_dev *d, const struct zkc_mm_call *c);
int zkc_mm_decode_w8a(struct zkc_dev *d, const struct zkc_mm_call *c);
int zkc_mm_decode_w4l(struct zkc_dev *d, const struct zkc_mm_call *c);
int zkc_mm_decode_w8f(struct zkc_dev *d, const struct zkc_mm_call *c);
int zkc_mm_decode_w16(struct zkc_dev *d, const struct zkc_mm_call *c);

/* For many rows. Uses d->work and d->locks where few tiles would leave SMs idle. The bits of a row
 * depend on the number of rows. */
int zkc_mm_tile(struct zkc_dev *d, const struct zkc_mm_call *c);

/* For many rows, by way of cuBLAS and d->work. ZC_EUNSUPPORTED, and nothing done, if there is no
 * cuBLAS or too little work. */
int zkc_mm_blas(struct zkc_dev *d, const struct zkc_mm_call *c);

/* Bytes of work with which everything is done at once: of decode's sums 256 KiB per SM (two groups
 * of rows of W4A), of slices for cuBLAS about the L2 cache. */
size_t zkc_mm_work_bytes(int sms);

/* Some rows of a canonical matrix (zk_canon) in device memory; at most 65535. */
struct zkc_mm_rows {
    int first, n;         /* rows of the joined matrix */
    const uint8_t *codes; /* W16: the weights */
    const uint8_t *scales, *zeros;
};

/* Packs them into dst, which was zeroed before the first. */
int zkc_mm_repack(struct zkc_dev *d, const struct zkc_mm_layout *lo, int group, uint8_t *dst,
                  const struct zkc_mm_rows *r);

#endif
