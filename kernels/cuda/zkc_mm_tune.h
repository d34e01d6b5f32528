/* SPDX-License-Identifier: MIT */
/* The numbers of the matrix products that were reckoned and want to be measured, in one place. Any
 * may be given to the compiler: NVCCFLAGS=-DZKC_TUNE_STAGES=3. Results are right with every choice;
 * the bits of sums depend on ZKC_TUNE_WARPS. */
#ifndef KERNELS_CUDA_ZKC_MM_TUNE_H
#define KERNELS_CUDA_ZKC_MM_TUNE_H

/* Decode: warps on an SM, a multiple of 4: 8 leave 255 registers to each, which 32 rows need; 12
 * and 16 are worth a try with the limit of rows below 16. */
#ifndef ZKC_TUNE_WARPS
#define ZKC_TUNE_WARPS 8
#endif
/* Decode: blocks of 4 KiB in a warp's ring, 2 to 4, where shared memory has room: 99 KiB for 2. */
#ifndef ZKC_TUNE_STAGES
#define ZKC_TUNE_STAGES 4
#endif
/* Units: from so many rows on the kernel for many, and cuBLAS (see zkc_mm_blas.cu). */
#ifndef ZKC_TUNE_TILE_FROM
#define ZKC_TUNE_TILE_FROM 33
#endif
#ifndef ZKC_TUNE_BLAS_FROM
#define ZKC_TUNE_BLAS_FROM 192
#endif
/* cuBLAS: MiB of weights in 16 bits at a time: less than the L2 cache of an H100 or a 4090. */
#ifndef ZKC_TUNE_SLICE
#define ZKC_TUNE_SLICE 44
#endif

#endif
