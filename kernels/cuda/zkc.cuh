/* SPDX-License-Identifier: MIT */
/* Inside of the CUDA back-end: the device, how activations and pages lie in its memory, and the
 * table of matrix forms. Host side; what kernels share is in zkc_gpu.cuh and zkc_ptx.cuh.
 *
 * Sources are compiled twice: by nvcc for a device, and by an ordinary compiler with tests/cudasim,
 * where they run without one. Functions that launch return ZC_OK or a negative zc_err, launch on
 * d->stream and wait for nothing.
 *
 * Activations: rows kp = zkc_kp(k) elements apart, zeros past k; F32 as floats, F16 and BF16 as
 * 16-bit numbers. An F16 that would be infinite sets ZKC_STATUS_ACT and is stored as 0.
 * Pages: keys [K][16][D], then values [K][16][D], in fp16, fp32 or e4m3; behind e4m3 the scales,
 * fp16 [2][K][16].
 *
 * Batch invariance: unless d->is_unit, the bits of a row do not depend on the number of rows:
 * one partition of k, one order of summation. */
#ifndef KERNELS_CUDA_ZKC_CUH
#define KERNELS_CUDA_ZKC_CUH

#include "kernels/cuda/zkc_gpu.cuh"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "common/zc_err.h"
#include "kernels/zk.h"
#include "kernels/zk_pack.h"
#ifdef __cplusplus
}
#endif

/* What kernels find wrong: one word each, set to 1, read by sync. */
enum zkc_status {
    ZKC_STATUS_KV,  /* a key or value over the range of the pages' type */
    ZKC_STATUS_ACT, /* an activation over the range of fp16 */
    ZKC_STATUS_ID,  /* a token id outside the table */
    ZKC_N_STATUS
};

#define ZKC_N_LOCKS 4096

struct zkc_dev {
    struct zk_dev dev;
    int ordinal;
    int cc;          /* compute capability, 90 for 9.0 */
    int early_cc;    /* for zkc_launch_early: the same; 0: $ZORAC_CUDA_EARLY is 0 */
    int sms;         /* multiprocessors */
    size_t smem_max; /* dynamic shared memory that a block may ask for */
    cudaStream_t stream;
    bool is_prefill;         /* attention for runs of rows; */
    bool is_unit;            /* products for many rows, too */
    struct zkc_blas *blas;   /* NULL: there is none */
    int blas_refused;        /* the version of a cuBLAS that can't compute here, or 0 */
    struct zkc_meter *meter; /* NULL: nobody has measured yet */
    uint32_t *status;        /* [ZKC_N_STATUS], device */
    uint32_t *status_host;   /* the same, pinned */
    uint32_t *locks;         /* [ZKC_N_LOCKS], device: zero when a kernel starts, left zero by it */
    void *work;              /* device: partial results; holds anything when a kernel starts */
    size_t work_bytes;
    cudaError_t error;        /* the first of a launch */
    cudaError_t refused;      /* a launch while recording, which is then the driver's fault */
    int recording, replaying; /* the number of the pass that is, or 0 */
    cudaGraphExec_t graph[ZK_MAX_RECORD + 1];
    struct zkc_ring *ring;     /* NULL: nothing is being loaded */
    bool is_loaded;            /* the first pass has begun */
    pthread_mutex_t pack_lock; /* of ring */
    pthread_cond_t pack_free;  /* a slot of it is */
};

static inline struct zkc_dev *zkc_of(struct zk_dev *dev)
{
    return (struct zkc_dev *)(void *)dev;
}

/* Elements between rows of activations. */
static inline int zkc_kp(int k)
{
    return (k + 127) / 128 * 128;
}

static inline size_t zkc_act_size(enum zk_act_kind kind)
{
    return kind == ZK_ACT_F32 ? 4 : 2;
}

/* ZC_OK or what a launch's error becomes; the first is told by every sync from then on. */
int zkc_check(struct zkc_dev *d, cudaError_t e);

/* The way of a matrix: which of the tables below is a function of its description (and of
 * d->dev.exact) alone. */
struct zkc_form {
    /* Bytes, a multiple of 256; without the permutation. */
    size_t (*bytes)(const struct zk_mat_desc *desc);
    /* Fills m->data (device) from parts that have been checked. Thread: any. */
    int (*pack)(struct zkc_dev *d, struct zk_mat *m, const struct zk_canon *parts, int n_parts,
                struct zc_diag *dg);
    /* Row `row` of the packed matrix as floats, columns in packed order (perm not undone). */
    int (*unpack_row)(struct zkc_dev *d, const struct zk_mat *m, int row, float *w);
    /* As in zk.h; shapes have been checked. swiglu: y->kind is any. */
    int (*matmul)(struct zkc_dev *d, float *y, int ldy, const struct zk_act *x,
                  const struct zk_mat *w, const float *bias, int rows, bool add);
    int (*swiglu)(struct zkc_dev *d, struct zk_act *y, const struct zk_act *x,
                  const struct zk_mat *w, const float *bias, int rows, const int32_t *perm);
};

/* Every form, type and kind of activation, simple and slow (zkc_plain.cu). */
extern const struct zkc_form zkc_plain;

/* The form's table for a description. */
const struct zkc_form *zkc_form_of(const struct zkc_dev *d, const struct zk_mat_desc *desc);

/* ZC_OK or what an error of CUDA becomes. */
int zkc_err(cudaError_t e);
/* CUDA remembers the device per thread. */
void zkc_enter(const struct zkc_dev *d);

/* Host to device memory from any thread, done when it returns. */
int zkc_put(struct zkc_dev *d, void *dst, const void *src, size_t bytes);
int zkc_get(struct zkc_dev *d, void *dst, const void *src, size_t bytes);

/* A piece of memory on its way to the device, on both sides (zkc_ring.cu). */
struct zkc_slot {
    uint8_t *host, *device;
    cudaEvent_t done; /* the latest use on the device has ended */
};

/* Any thread. take: the next slot, of *ret_bytes; waits until it is free and the device has done
 * with it; after an error nothing is held. give: after what was launched with it; to be called
 * whatever came between. */
int zkc_ring_take(struct zkc_dev *d, struct zkc_slot **ret_slot, size_t *ret_bytes,
                  struct zc_diag *dg);
int zkc_ring_give(struct zkc_dev *d, struct zkc_slot *slot);
/* Host to device memory by way of slots: src may be changed when it returns, the device has it
 * before what it is asked next. Not for who holds a slot. */
int zkc_ring_put(struct zkc_dev *d, void *dst, const void *src, size_t bytes);
/* When all has been packed; waits for the device. */
void zkc_ring_close(struct zkc_dev *d);

/* ---- operations of zk.h, by file ---- */

/* zkc_mat.cu */
size_t zkc_mat_bytes(const struct zk_dev *dev, const struct zk_mat_desc *desc);
enum zk_act_kind zkc_act_kind(const struct zk_dev *dev, const struct zk_mat_desc *desc);
int zkc_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts, int n_parts,
                 struct zc_diag *dg);
int zkc_mat_unpack_row(const struct zk_dev *dev, const struct zk_mat *m, int row, float *w);
int zkc_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
               const struct zk_mat *w, const float *bias, int rows, bool add);
int zkc_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                      const struct zk_mat *w, const float *bias, int rows, const int32_t *perm);

/* zkc_row.cu */
size_t zkc_act_bytes(const struct zk_dev *dev, enum zk_act_kind kind, int rows, int k);
int zkc_embed(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V, int C,
              const int32_t *ids, int rows);
int zkc_rms_norm(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w, float eps,
                 int rows, int C, const int32_t *perm);
int zkc_to_act(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows, int k,
               const int32_t *perm);
int zkc_swiglu(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
               int rows, int F, const int32_t *perm);
int zkc_gather(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n, int C);
int zkc_rope_table(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                   const float *inv_freq, int rot_dim, float mscale);

/* zkc_draw.cu */
int zkc_draw(struct zk_dev *dev, int32_t *ids, float *logits, const struct zk_draw *draws,
             const struct zk_seen *seen, int rows, int V);

/* zkc_graph.cu */
int zkc_begin(struct zk_dev *dev, enum zk_phase phase, int record, bool *ret_done);
int zkc_end(struct zk_dev *dev, int r, struct zc_diag *dg);
void zkc_graphs_free(struct zkc_dev *d);

/* zkc_probe.cu */
int zkc_fill(struct zk_dev *dev, void *p, int value, size_t bytes);
double zkc_probe_read(struct zk_dev *dev, const void *p, size_t bytes);
double zkc_probe_peak(struct zk_dev *dev, enum zk_act_kind kind, int ms);

/* zkc_meter.cu */
int zkc_mark(struct zk_dev *dev, int slot);
double zkc_between(struct zk_dev *dev, int from, int to);
double zkc_joules(struct zk_dev *dev);
void zkc_meter_close(struct zkc_dev *d);

/* zkc_attn.cu */
size_t zkc_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads,
                         int head_dim);
int zkc_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                   const struct zk_attn *a, const struct zk_kv *kv);
int zkc_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
             const struct zk_attn *a, const struct zk_kv *kv);

#endif
