/* SPDX-License-Identifier: MIT */
/* The loader's threads. Jobs are taken largest first, so that the last thread to end ends soon
 * after the others; a job begins when its staging memory fits beside what the others hold. */
#include "config.h"

#include "zoracd/weights/zw_load.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_decode.h"

#define MAX_THREADS           64
#define DEFAULT_MAX_THREADS   8
#define DEFAULT_STAGING_LIMIT (1ull << 30)

struct ranked {
    const struct zw_load_job *job;
    uint64_t bytes; /* of its files */
    int index;
};

/* What the threads share. Below the lock: what it guards. */
struct loader {
    const struct zw_store *store;
    struct zk_dev *dev;
    const struct zw_load_opts *opts;
    const struct ranked *jobs;
    int n_jobs;
    uint64_t total, staging_limit;

    pthread_mutex_t lock;
    pthread_cond_t staging_freed;
    int next;
    uint64_t done, staging;
    int error; /* the first */
    struct zc_diag dg;
};

static uint64_t job_bytes(const struct zw_load_job *j)
{
    uint64_t n = 0;

    if (!j->mat)
        return j->raw->bytes;
    for (int i = 0; i < j->n_parts; i++)
        n += j->parts[i]->file_bytes;
    return n;
}

static uint64_t job_staging(const struct zw_load_job *j)
{
    uint64_t n = 0;

    if (!j->mat && j->raw_is_host)
        return 0;
    if (!j->mat)
        return j->raw->bytes < ZW_READ_PIECE ? j->raw->bytes : ZW_READ_PIECE;
    for (int i = 0; i < j->n_parts; i++)
        n += zw_decode_staging(j->parts[i]);
    return n;
}

static uint64_t staging_limit(const struct zw_load_opts *opts)
{
    return opts->staging_limit ? opts->staging_limit : DEFAULT_STAGING_LIMIT;
}

uint64_t zw_load_staging(const struct zw_load_job *jobs, int n_jobs,
                         const struct zw_load_opts *opts)
{
    uint64_t sum = 0, largest = 0, limit = staging_limit(opts);

    for (int i = 0; i < n_jobs; i++) {
        const uint64_t n = job_staging(&jobs[i]);
        sum += n;
        largest = n > largest ? n : largest;
    }
    if (sum < limit)
        return sum;
    return largest > limit ? largest : limit;
}

/* Keeps the first failure; everybody stops at their next step. */
static void fail(struct loader *ld, int error, const struct zc_diag *dg)
{
    pthread_mutex_lock(&ld->lock);
    if (ld->error == ZC_OK) {
        ld->error = error;
        ld->dg = *dg;
    }
    pthread_cond_broadcast(&ld->staging_freed);
    pthread_mutex_unlock(&ld->lock);
}

/* A zw_reader's step: progress, and whether to go on. */
static int step(uint64_t bytes, void *arg, struct zc_diag *dg)
{
    struct loader *ld = arg;
    int r;

    pthread_mutex_lock(&ld->lock);
    ld->done += bytes;
    if (ld->opts->progress)
        ld->opts->progress(ld->done, ld->total, ld->opts->arg);
    r = ld->error;
    pthread_mutex_unlock(&ld->lock);
    if (r == ZC_OK && ld->opts->cancel && atomic_load(ld->opts->cancel))
        r = zc_diag(dg, ZC_ECANCELED, "loading was cancelled");
    return r;
}

/* ---- one job ------------------------------------------------------------------------------ */

static int load_raw(struct loader *ld, const struct zw_reader *rd, const struct zw_load_job *j,
                    struct zc_diag *dg)
{
    void *buf = NULL;
    int r;

    if (j->raw_is_host)
        return zw_read_range(rd, j->raw, 0, j->raw_dst, j->raw->bytes, dg);
    if ((r = zc_try_malloc(&buf, job_staging(j), 1, ZW_READ_PIECE)) < 0)
        return zc_diag(dg, r, "no memory to read tensor %s", j->raw->name);
    for (uint64_t off = 0; off < j->raw->bytes && r >= 0; off += ZW_READ_PIECE) {
        const uint64_t left = j->raw->bytes - off;
        const size_t n = left < ZW_READ_PIECE ? left : ZW_READ_PIECE;
        if ((r = zw_read_range(rd, j->raw, off, buf, n, dg)) < 0)
            break;
        if ((r = ld->dev->ops->upload(ld->dev, (char *)j->raw_dst + off, buf, n)) < 0)
            zc_diag(dg, r, "tensor %s: upload to the device failed", j->raw->name);
    }
    zc_free(buf);
    return r;
}

static int load_matrix(struct loader *ld, const struct zw_reader *rd, const struct zw_load_job *j,
                       struct zc_diag *dg)
{
    struct zw_canon canon[ZW_MAX_PARTS];
    struct zk_canon parts[ZW_MAX_PARTS];
    int n = 0, r = ZC_OK;

    for (; n < j->n_parts; n++) {
        r = j->quantize_w8a ? zw_decode_w8a(&canon[n], rd, j->parts[n], dg)
                            : zw_decode_linear(&canon[n], rd, j->parts[n], dg);
        if (r < 0)
            break;
    }
    for (int i = 0; i < n && r >= 0; i++) {
        if (j->mat->d.has_zero && !canon[i].c.zero)
            r = zw_decode_fill_zero(&canon[i], dg);
        parts[i] = canon[i].c;
    }
    if (r >= 0 && (r = ld->dev->ops->mat_pack(ld->dev, j->mat, parts, n, dg)) < 0)
        zc_diag_prefix(dg, r, "%s", j->parts[0]->name);
    while (n > 0)
        zw_canon_release(&canon[--n]);
    return r;
}

/* ---- threads ------------------------------------------------------------------------------ */

/* The next job, its staging memory reserved; NULL at the end or after a failure. */
static const struct zw_load_job *take_job(struct loader *ld, uint64_t *ret_staging)
{
    const struct zw_load_job *job = NULL;

    pthread_mutex_lock(&ld->lock);
    while (ld->error == ZC_OK && ld->next < ld->n_jobs) {
        const uint64_t need = job_staging(ld->jobs[ld->next].job);
        if (ld->staging == 0 || ld->staging + need <= ld->staging_limit) {
            job = ld->jobs[ld->next++].job;
            ld->staging += need;
            *ret_staging = need;
            break;
        }
        pthread_cond_wait(&ld->staging_freed, &ld->lock);
    }
    pthread_mutex_unlock(&ld->lock);
    return job;
}

static void *thread_main(void *arg)
{
    struct loader *ld = arg;
    const struct zw_reader rd = {.store = ld->store, .step = step, .arg = ld};
    const struct zw_load_job *job;
    struct zc_diag dg = {""};
    uint64_t staging = 0;

    while ((job = take_job(ld, &staging))) {
        int r = job->mat ? load_matrix(ld, &rd, job, &dg) : load_raw(ld, &rd, job, &dg);
        if (r < 0)
            fail(ld, r, &dg);
        pthread_mutex_lock(&ld->lock);
        ld->staging -= staging;
        pthread_cond_broadcast(&ld->staging_freed);
        pthread_mutex_unlock(&ld->lock);
    }
    return NULL;
}

/* Largest first; equals stay in the caller's order, which is the files'. */
static int by_bytes(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a->index - b->index;
}

static int thread_count(const struct zw_load_opts *opts, int n_jobs)
{
    int n = opts->threads;

    if (n <= 0) {
        n = zk_cpu_threads_default();
        n = n < DEFAULT_MAX_THREADS ? n : DEFAULT_MAX_THREADS;
    }
    n = n < MAX_THREADS ? n : MAX_THREADS;
    return n < n_jobs ? n : n_jobs;
}

/* Runs the jobs on n threads, the caller's being one of them. */
static void run_threads(struct loader *ld, int n)
{
    pthread_t threads[MAX_THREADS];
    int started = 0;

    while (started < n - 1 && pthread_create(&threads[started], NULL, thread_main, ld) == 0)
        started++;
    thread_main(ld);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

int zw_load_run(const struct zw_load_job *jobs, int n_jobs, const struct zw_store *s,
                struct zk_dev *dev, const struct zw_load_opts *opts, struct zc_diag *dg)
{
    struct loader ld = {.store = s,
                        .dev = dev,
                        .opts = opts,
                        .n_jobs = n_jobs,
                        .staging_limit = staging_limit(opts)};

    if (opts->cancel && atomic_load(opts->cancel))
        return zc_diag(dg, ZC_ECANCELED, "loading was cancelled");
    if (n_jobs == 0)
        return ZC_OK;
    struct ranked *ranked = zc_xcalloc((size_t)n_jobs, sizeof *ranked);
    for (int i = 0; i < n_jobs; i++) {
        ranked[i] = (struct ranked){&jobs[i], job_bytes(&jobs[i]), i};
        ld.total += ranked[i].bytes;
    }
    qsort(ranked, (size_t)n_jobs, sizeof *ranked, by_bytes);
    ld.jobs = ranked;
    pthread_mutex_init(&ld.lock, NULL);
    pthread_cond_init(&ld.staging_freed, NULL);
    run_threads(&ld, thread_count(opts, n_jobs));
    pthread_cond_destroy(&ld.staging_freed);
    pthread_mutex_destroy(&ld.lock);
    zc_free(ranked);
    if (ld.error < 0 && dg)
        *dg = ld.dg;
    return ld.error;
}
