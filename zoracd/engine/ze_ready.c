/* SPDX-License-Identifier: MIT */
/* Between loading and READY: a GPU loads an operation's code when it is first used, and may take
 * memory for it. So each kind of pass is computed once here, and those of decode are recorded. */
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine_internal.h"

#define MANY_ROWS 64 /* of a prompt: from here on no operation is another but in a whole unit */

/* Waits for what a pass has started; if it could not be, the device itself says why. */
static int wait_for(struct ze_engine *e, int r, struct zc_diag *dg)
{
    if (r < 0 && r != ZC_EDEVICE)
        return r;
    const int seen = e->dev->ops->sync(e->dev, dg);
    return r < 0 ? r : seen;
}

/* Computes what the batch holds. Of made-up tokens it may well be that numbers are too large for
 * their types: that is not this model's trouble. */
static int try_pass(struct ze_engine *e, enum zk_phase phase, struct zc_diag *dg)
{
    const int r = wait_for(e, ze_engine_pass(e, phase, 0, e->scratch.logits, dg), dg);
    return r == ZC_ELIMIT ? ZC_OK : r;
}

/* The first rows of a prompt, in the first pages, which nobody has yet. */
static int try_prompt(struct ze_engine *e, const int32_t *ids, const int32_t *pages, int rows,
                      struct zc_diag *dg)
{
    const bool is_unit = rows == e->plan.prefill_unit;

    ze_batch_clear(&e->batch);
    ze_batch_add(&e->batch, ids, pages, 0, rows, rows - 1);
    return try_pass(e, is_unit ? ZK_UNIT : ZK_PREFILL, dg);
}

/* 1, 2, 4, ... rows, and as many as a pass takes. */
static int try_prompts(struct ze_engine *e, struct zc_diag *dg)
{
    const struct ze_plan *p = &e->plan;
    const int most = p->prefill_chunk < p->context ? p->prefill_chunk : p->context;
    int32_t *ids = zc_xcalloc((size_t)most, sizeof *ids);
    int32_t *pages = zc_xcalloc((size_t)most, sizeof *pages);
    int r = ZC_OK;

    for (int i = 0; i < most; i++)
        pages[i] = i;
    for (int rows = 1; rows <= MANY_ROWS && rows < most && r == ZC_OK; rows *= 2)
        r = try_prompt(e, ids, pages, rows, dg);
    if (r == ZC_OK)
        r = try_prompt(e, ids, pages, most, dg);
    zc_free(ids);
    zc_free(pages);
    return r;
}

/* A pass of decode of so many rows: computed, each on a page of its own, then recorded. */
static int try_decode(struct ze_engine *e, struct ze_record rec, struct zc_diag *dg)
{
    const int32_t id = 0;
    int r;

    ze_batch_clear(&e->batch);
    for (int32_t i = 0; i < rec.rows && i < e->plan.kv_pages; i++)
        ze_batch_add(&e->batch, &id, &i, 0, 1, 0);
    if ((r = try_pass(e, ZK_DECODE, dg)) < 0 || !e->dev->can_record)
        return r;
    ze_batch_clear(&e->batch);
    ze_batch_pad(&e->batch, rec.rows);
    r = ze_engine_pass(e, ZK_DECODE, rec.number, e->scratch.logits, dg);
    if (r != ZC_EUNSUPPORTED)
        return wait_for(e, r, dg);
    e->dev->can_record = false;
    ze_engine_add_notice(e, "decode is slower than it should be", dg->text);
    return wait_for(e, ZC_OK, dg); /* it may have been lost: then nothing can be recorded either */
}

int ze_engine_make_ready(struct ze_engine *e, struct zc_diag *dg)
{
    struct ze_record rec;
    int r;

    if (e->dev->is_host)
        return ZC_OK;
    if ((r = try_prompts(e, dg)) < 0)
        return r;
    for (int rows = 1; rows <= e->plan.max_seqs && r == ZC_OK; rows = rec.rows + 1) {
        rec = ze_plan_record(&e->plan, rows);
        if (rec.number == 0)
            break;
        r = try_decode(e, rec, dg);
    }
    ze_batch_clear(&e->batch);
    return r;
}
