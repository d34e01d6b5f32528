/* SPDX-License-Identifier: MIT */
/* Weights from files into device memory, in parallel: each job reads its tensors, decodes them to
 * the canonical form and packs them (or copies a raw tensor). The only place of this room with
 * threads. */
#ifndef ZORACD_WEIGHTS_ZW_LOAD_H
#define ZORACD_WEIGHTS_ZW_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/zk.h"
#include "zoracd/weights/zw_linear.h"
#include "zoracd/weights/zw_quantize.h"
#include "zoracd/weights/zw_read.h"
#include "zoracd/weights/zw_store.h"

struct zc_diag;

/* One matrix, or one raw tensor. Everything is borrowed until zw_load_run returns. */
struct zw_load_job {
    /* A matrix: mat->d, data and bytes are set; packed by ops->mat_pack from the parts in order. */
    struct zk_mat *mat;
    const struct zw_linear *parts[ZW_MAX_PARTS];
    int n_parts;
    bool quantize_w8a; /* the parts are plain, mat->d is what zw_quantize_desc says */
    /* Or (mat is NULL) a tensor as it is in the file, to raw_dst: of raw->bytes, device memory or,
     * with raw_is_host, what the host may write to, where it is read without a detour. */
    const struct zw_tensor *raw;
    void *raw_dst;
    bool raw_is_host;
};

/* As ze_progress_cb: from any thread, one call at a time, in rising order of done. */
typedef void zw_progress_cb(uint64_t done_bytes, uint64_t total_bytes, void *arg);

struct zw_load_opts {
    int threads;              /* loaders; 0: as many as help, at most 8 */
    uint64_t staging_limit;   /* bytes of canonical matrices in flight; 0: 1 GiB */
    zw_progress_cb *progress; /* NULL allowed */
    void *arg;
    const atomic_bool *cancel; /* NULL allowed; looked at every 4 MiB */
};

/* Runs all jobs; returns when every thread has ended. The first failure stops the others and is
 * what is returned (ZC_ECANCELED for *cancel). Host memory beyond the device's: at most what
 * zw_load_staging says. */
int zw_load_run(const struct zw_load_job *jobs, int n_jobs, const struct zw_store *s,
                struct zk_dev *dev, const struct zw_load_opts *opts, struct zc_diag *dg);

/* The most host memory that zw_load_run takes for canonical matrices and reading: the staging
 * limit, or the largest single job where that is more. */
uint64_t zw_load_staging(const struct zw_load_job *jobs, int n_jobs,
                         const struct zw_load_opts *opts);

#endif
