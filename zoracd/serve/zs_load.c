/* SPDX-License-Identifier: MIT */
/* One thread, two progress counters, one flag to end it early, one bell when it is done. */
#include "zoracd/serve/zs_load.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/serve/zs_mailbox.h"

struct zs_loader {
    pthread_t thread;
    const struct zs_model_opts *opts;
    struct zs_mailbox *done_bell;
    _Atomic uint64_t done, total;
    atomic_bool cancel;
    /* the thread's until it is joined */
    struct zs_model *model;
    int result;
    struct zc_diag dg;
};

static void note_progress(uint64_t done, uint64_t total, void *arg)
{
    struct zs_loader *l = arg;

    atomic_store(&l->total, total);
    atomic_store(&l->done, done);
}

static void *load_thread(void *arg)
{
    struct zs_loader *l = arg;

    l->result = zs_model_open(&l->model, l->opts, note_progress, l, &l->cancel, &l->dg);
    zs_mailbox_ring(l->done_bell);
    return NULL;
}

int zs_loader_start(struct zs_loader **ret_l, const struct zs_model_opts *opts, struct zc_diag *dg)
{
    struct zs_loader *l = zc_xcalloc(1, sizeof *l);

    l->opts = opts;
    int r = zs_mailbox_new(&l->done_bell, 1, 1, dg);
    if (r == ZC_OK && pthread_create(&l->thread, NULL, load_thread, l) != 0)
        r = zc_diag(dg, ZC_ESYS, "no thread to load the model");
    if (r < 0) {
        zs_mailbox_free(l->done_bell);
        zc_free(l);
        return r;
    }
    *ret_l = l;
    return ZC_OK;
}

int zs_loader_fd(const struct zs_loader *l)
{
    return zs_mailbox_fd(l->done_bell);
}

void zs_loader_progress(const struct zs_loader *l, uint64_t *ret_done, uint64_t *ret_total)
{
    *ret_done = atomic_load(&l->done);
    *ret_total = atomic_load(&l->total);
}

void zs_loader_cancel(struct zs_loader *l)
{
    atomic_store(&l->cancel, true);
}

int zs_loader_join(struct zs_loader *l, struct zs_model **ret_m, struct zc_diag *dg)
{
    pthread_join(l->thread, NULL);
    int r = l->result;
    if (r == ZC_OK)
        *ret_m = l->model;
    else if (dg)
        *dg = l->dg;
    zs_mailbox_free(l->done_bell);
    zc_free(l);
    return r;
}
