/* SPDX-License-Identifier: MIT */
/* The part of cuBLAS that the back-end uses, for the simulator, whose device memory is the host's:
 * plain loops, and an error for whatever the back-end has no reason to ask. CUDASIM_FAIL=cublas: a
 * library older than the device, which multiplies nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/zk.h"

enum { INVALID = 7, ARCH_MISMATCH = 8 };
enum { OP_N = 0, OP_T = 1, R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68 };

static struct {
    void *workspace;
} the_handle;

int cublasCreate_v2(void **handle);
int cublasDestroy_v2(void *handle);
int cublasSetStream_v2(void *handle, void *stream);
int cublasSetWorkspace_v2(void *handle, void *memory, size_t bytes);
int cublasGetVersion_v2(void *handle, int *version);
int cublasGemmEx(void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha,
                 const void *a, int type_a, int lda, const void *b, int type_b, int ldb,
                 const void *beta, void *c, int type_c, int ldc, int compute, int algorithm);

int cublasCreate_v2(void **handle)
{
    *handle = &the_handle;
    return 0;
}

int cublasDestroy_v2(void *handle)
{
    return handle == &the_handle ? 0 : INVALID;
}

int cublasSetStream_v2(void *handle, void *stream)
{
    (void)stream;
    return handle == &the_handle ? 0 : INVALID;
}

int cublasSetWorkspace_v2(void *handle, void *memory, size_t bytes)
{
    the_handle.workspace = memory;
    return handle == &the_handle && (uintptr_t)memory % 256 == 0 && bytes > 0 ? 0 : INVALID;
}

int cublasGetVersion_v2(void *handle, int *version)
{
    *version = 130100;
    return handle == &the_handle ? 0 : INVALID;
}

/* c (m, n) = alpha a^T b + beta c, all of them column after column; fp32 sums. */
int cublasGemmEx(void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha,
                 const void *a, int type_a, int lda, const void *b, int type_b, int ldb,
                 const void *beta, void *c, int type_c, int ldc, int compute, int algorithm)
{
    const uint16_t *pa = a, *pb = b;
    const float be = *(const float *)beta;
    float *pc = c;
    const char *how = getenv("CUDASIM_FAIL");

    if (how && strcmp(how, "cublas") == 0)
        return ARCH_MISMATCH;
    if (handle != &the_handle || the_handle.workspace == NULL || op_a != OP_T || op_b != OP_N ||
        type_a != type_b || (type_a != R_16F && type_a != R_16BF) || type_c != R_32F ||
        compute != COMPUTE_32F || algorithm != -1 || *(const float *)alpha != 1 || lda < k ||
        ldb < k || ldc < m || lda % 8 != 0 || (uintptr_t)a % 16 != 0 || (uintptr_t)b % 16 != 0)
        return INVALID;
    float (*widen)(uint16_t) = type_a == R_16F ? zk_f16_to_f32 : zk_bf16_to_f32;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            float sum = 0, *to = &pc[(size_t)j * (size_t)ldc + (size_t)i];
            for (int l = 0; l < k; l++)
                sum += widen(pa[(size_t)i * (size_t)lda + (size_t)l]) *
                       widen(pb[(size_t)j * (size_t)ldb + (size_t)l]);
            *to = be == 0 ? sum : sum + be * *to;
        }
    return 0;
}
