/* SPDX-License-Identifier: MIT */
/* cuBLAS, opened by its soname when the device is: the plug-in is linked to nothing of it, and
 * does without it (zkc_mm_tile.cu) where it is not installed. Only the five functions below are
 * used; their constants are those of its stable C interface. */
#include "kernels/cuda/zkc_blas.cuh"

#include <dlfcn.h>
#include <stdio.h>

extern "C" {
#include "common/zc_mem.h"
}

enum { OP_N, OP_T };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, GEMM_DEFAULT = -1 };

struct zkc_blas {
    void *lib, *handle;
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*set_stream)(void *handle, cudaStream_t stream);
    int (*set_workspace)(void *handle, void *memory, size_t bytes);
    int (*version)(void *handle, int *version);
    int (*gemm)(void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha,
                const void *a, int type_a, int lda, const void *b, int type_b, int ldb,
                const void *beta, void *c, int type_c, int ldc, int compute, int algorithm);
};

/* The toolkit's own major version first, then what else may lie around. */
static void *open_library(void)
{
    static const int majors[] = {13, 12};
    char name[32];
    /* It takes memory when it is loaded that it does not give back when it is closed: it stays. */
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "libcublas.so.%d", majors[i]);
        void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (lib)
            return lib;
    }
    return NULL;
}

static bool has_symbols(struct zkc_blas *b)
{
    const struct {
        const char *name;
        void *to;
    } all[] = {
        {"cublasCreate_v2", &b->create},        {"cublasDestroy_v2", &b->destroy},
        {"cublasSetStream_v2", &b->set_stream}, {"cublasSetWorkspace_v2", &b->set_workspace},
        {"cublasGetVersion_v2", &b->version},   {"cublasGemmEx", &b->gemm},
    };
    for (const auto &s : all) {
        void *p = dlsym(b->lib, s.name);
        if (p == NULL)
            return false;
        memcpy(s.to, &p, sizeof p);
    }
    return true;
}

/* A fixed workspace: cuBLAS allocates nothing, and takes the same way each time. */
static bool is_set_up(struct zkc_blas *b, struct zkc_dev *d, size_t keep)
{
    return has_symbols(b) && b->create(&b->handle) == 0 &&
           b->set_stream(b->handle, d->stream) == 0 &&
           b->set_workspace(b->handle, (char *)d->work + keep, d->work_bytes - keep) == 0;
}

/* cuBLAS counts columns first: our rows of W and x are its columns, y is its transposed product.
 * Its status. */
static int call(struct zkc_blas *b, int type, int n, int rows, int k, const uint16_t *w, int ldw,
                const uint16_t *x, int ldx, bool add, float *y, int ldy)
{
    const float alpha = 1, beta = add ? 1.0f : 0.0f;
    return b->gemm(b->handle, OP_T, OP_N, n, rows, k, &alpha, w, type, ldw, x, type, ldx, &beta, y,
                   R_32F, ldy, COMPUTE_32F, GEMM_DEFAULT);
}

/* Small products of zeros, of both types: a library older than the GPU opens well and refuses them
 * all. A device that is lost meanwhile says so by whatever is asked of it next. */
static bool can_multiply(struct zkc_dev *d)
{
    enum { N = 64 };
    const uint16_t *w = (const uint16_t *)d->work;
    float *y = (float *)d->work + N * N;
    int r = ZC_OK;
    cudaError_t e = cudaMemsetAsync(d->work, 0, N * N * sizeof *w, d->stream);
    for (int t : {R_16F, R_16BF})
        if (r == 0 && e == cudaSuccess)
            r = call(d->blas, t, N, N, N, w, N, w, N, false, y, N);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(d->stream);
    cudaGetLastError();
    return r == 0 && e == cudaSuccess;
}

void zkc_blas_open(struct zkc_dev *d)
{
    void *p;
    if (zc_try_calloc(&p, 1, sizeof(struct zkc_blas), SIZE_MAX) < 0)
        return;
    struct zkc_blas *b = (struct zkc_blas *)p;
    const size_t keep = (d->work_bytes - d->work_bytes / 8) / 256 * 256;
    b->lib = open_library();
    d->blas = b;
    if (b->lib == NULL || !is_set_up(b, d, keep)) {
        zkc_blas_close(d);
    } else if (!can_multiply(d)) {
        b->version(b->handle, &d->blas_refused);
        zkc_blas_close(d);
    } else {
        d->work_bytes = keep;
    }
}

void zkc_blas_close(struct zkc_dev *d)
{
    struct zkc_blas *b = d->blas;
    if (b == NULL)
        return;
    if (b->handle)
        b->destroy(b->handle);
    if (b->lib)
        dlclose(b->lib);
    zc_free(b);
    d->blas = NULL;
}

void zkc_blas_label(const struct zkc_dev *d, char *text, size_t size)
{
    int v = 0;
    if (d->blas_refused)
        snprintf(text, size, ", cuBLAS %d.%d can't be used", d->blas_refused / 10000,
                 d->blas_refused / 100 % 100);
    else if (d->blas == NULL || d->blas->version(d->blas->handle, &v) != 0)
        snprintf(text, size, ", no cuBLAS");
    else
        snprintf(text, size, ", cuBLAS %d.%d", v / 10000, v / 100 % 100);
}

int zkc_blas_gemm(struct zkc_dev *d, enum zk_type type, int n, int rows, int k, const uint16_t *w,
                  int ldw, const uint16_t *x, int ldx, bool add, float *y, int ldy)
{
    const int t = type == ZK_F16 ? R_16F : R_16BF;
    const int e = call(d->blas, t, n, rows, k, w, ldw, x, ldx, add, y, ldy);
    return e == 0 ? ZC_OK : zkc_check(d, cudaErrorLaunchFailure);
}
