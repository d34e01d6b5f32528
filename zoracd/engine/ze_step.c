/* SPDX-License-Identifier: MIT */
/* The step: works become passes (decode rows together, prefill rows after them), passes become
 * logits. On a device that can, passes of decode are recorded once for each of a few numbers of
 * rows, and made up to the next of them. Nothing is allocated here. */
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine_internal.h"

/* ---- passes -------------------------------------------------------------------------------- */

/* Sizes are what products take in one go anyway: 1, 2, 4, 8, 16, 32, 64, 96, ... and the largest
 * step. */
struct ze_record ze_plan_record(const struct ze_plan *p, int rows)
{
    const int most = p->max_seqs;
    struct ze_record rec = {1, 1};

    while (rec.rows < rows && rec.rows < most) {
        rec.rows += rec.rows < 32 ? rec.rows : 32;
        rec.number++;
    }
    rec.rows = rec.rows < most ? rec.rows : most;
    if (rec.rows < rows || rec.rows > p->logit_rows || rec.number > ZK_MAX_RECORD)
        return (struct ze_record){0, 0};
    return rec;
}

int ze_plan_records(const struct ze_plan *p)
{
    int n = 0;

    for (int rows = 1; rows <= p->max_seqs; n++) {
        struct ze_record rec = ze_plan_record(p, rows);
        if (rec.number == 0)
            break;
        rows = rec.rows + 1;
    }
    return n;
}

/* Whether the batch is what such passes are: one row of each sequence, logits of all. */
static bool can_be_record(const struct ze_engine *e, enum zk_phase phase)
{
    const struct ze_batch *b = &e->batch;
    return e->dev->can_record && phase == ZK_DECODE && b->n_out == b->n_rows &&
           b->n_seqs == b->n_rows && e->n_logits == 0;
}

int ze_engine_pass(struct ze_engine *e, enum zk_phase phase, int record, float *logits,
                   struct zc_diag *dg)
{
    const struct zk_ops *ops = e->dev->ops;
    struct ze_pass pass;
    bool is_done = false;
    int r;

    if ((r = ze_batch_send(&e->batch, e->dev, &pass)) < 0 ||
        (r = ops->begin(e->dev, phase, record, &is_done)) < 0)
        return zc_diag(dg, r, "a pass of %d rows could not be started", e->batch.n_rows);
    if (!is_done && (r = ze_forward(e->m, &e->scratch, &pass, logits)) == ZC_OK && ops->draw &&
        pass.n_out > 0)
        r = ops->draw(e->dev, e->drawn + e->n_logits, logits, pass.draws, pass.seen, pass.n_out,
                      e->m->c.V);
    if (r < 0)
        zc_diag(dg, r, "a pass of %d rows could not be computed", e->batch.n_rows);
    return ops->end(e->dev, r, dg);
}

/* The batch's rows of logits, n from n_logits on, to where the host can read them; but not those
 * from which the device has drawn. */
static int fetch_logits(struct ze_engine *e, int n, struct zc_diag *dg)
{
    const size_t V = (size_t)e->m->c.V;
    int r = ZC_OK;

    for (int i = 0, end; i < n && r == ZC_OK; i = end + 1) {
        for (end = i; end < n && !(e->drawn && e->drawn[e->n_logits + end] >= 0); end++)
            ;
        const size_t at = (size_t)(e->n_logits + i) * V, rows = (size_t)(end - i);
        if (rows > 0 && e->logits_host)
            r = e->dev->ops->download(e->dev, e->logits + at, e->scratch.logits + at,
                                      rows * V * sizeof *e->logits);
    }
    return r < 0 ? zc_diag(dg, r, "logits could not be fetched") : r;
}

/* Runs what the batch holds; its logits follow those that were there before. */
static int flush(struct ze_engine *e, enum zk_phase phase, struct zc_diag *dg)
{
    const int n = e->batch.n_out;
    float *logits = e->scratch.logits + (size_t)e->n_logits * (size_t)e->m->c.V;
    struct ze_record rec = {0, 0};
    int r;

    if (e->batch.n_rows == 0)
        return ZC_OK;
    if (can_be_record(e, phase))
        rec = ze_plan_record(&e->plan, e->batch.n_rows);
    if (rec.number > 0)
        ze_batch_pad(&e->batch, rec.rows);
    if (e->drawn)
        for (int i = 0; i < n; i++)
            e->drawn[e->n_logits + i] = -1;
    if ((r = ze_engine_pass(e, phase, rec.number, logits, dg)) < 0 ||
        (r = e->dev->ops->sync(e->dev, dg)) < 0 || (r = fetch_logits(e, n, dg)) < 0)
        return r;
    e->n_logits += n;
    ze_batch_clear(&e->batch);
    return ZC_OK;
}

/* ---- works --------------------------------------------------------------------------------- */

static int n_out(const struct ze_work *w)
{
    return w->want_all ? w->n_rows : w->want_logits ? 1 : 0;
}

static int check_works(const struct ze_engine *e, struct ze_work *works, int n, struct zc_diag *dg)
{
    int rows = 0;

    if (n < 1 || n > e->plan.max_seqs)
        return zc_diag(dg, ZC_EINVAL, "%d sequences in a step: 1 to %d are planned", n,
                       e->plan.max_seqs);
    for (int i = 0; i < n; i++) {
        const struct ze_seq *s = works[i].seq;
        if (works[i].n_rows < 1 || (size_t)works[i].n_rows > s->n - s->computed)
            return zc_diag(dg, ZC_EINVAL, "%d rows of a sequence that has %zu to compute",
                           works[i].n_rows, s->n - s->computed);
        for (int k = 0; k < i; k++)
            if (works[k].seq == s)
                return zc_diag(dg, ZC_EINVAL, "a sequence occurs twice in a step");
        rows += n_out(&works[i]);
    }
    if (rows > e->plan.logit_rows)
        return zc_diag(dg, ZC_EINVAL, "%d rows of logits in a step: %d are planned", rows,
                       e->plan.logit_rows);
    return ZC_OK;
}

/* Rows first .. first + n of a work, which are within one pass. */
static int add_rows(struct ze_engine *e, const struct ze_work *w, int first, int n,
                    enum zk_phase phase, struct zc_diag *dg)
{
    const struct ze_seq *s = w->seq;
    int end = (int)s->computed + w->n_rows, out_first = n;
    int r;

    if (e->batch.n_rows + n > e->batch.max.rows && (r = flush(e, phase, dg)) < 0)
        return r;
    if (w->want_all)
        out_first = 0;
    else if (w->want_logits && first + n == end)
        out_first = n - 1;
    ze_batch_add(&e->batch, s->ids, s->chain.pages, first, n, out_first);
    if (e->drawn && w->sampler && out_first == n - 1)
        ze_batch_draw(&e->batch, w->sampler, w->index);
    return ZC_OK;
}

/* Whether these positions of a prompt are a unit. */
static bool is_unit(const struct ze_engine *e, int from, int to)
{
    const int unit = e->plan.prefill_unit;
    return unit > 0 && from % unit == 0 && to - from == unit;
}

/* Cut at multiples of the chunk in the sequence's own positions: what a pass computes of a sequence
 * does not depend on its company. */
static int add_prefill(struct ze_engine *e, const struct ze_work *w, struct zc_diag *dg)
{
    int at = (int)w->seq->computed, end = at + w->n_rows, chunk = e->plan.prefill_chunk;

    while (at < end) {
        int stop = (at / chunk + 1) * chunk;
        stop = stop < end ? stop : end;
        enum zk_phase phase = is_unit(e, at, stop) ? ZK_UNIT : ZK_PREFILL;
        int r = add_rows(e, w, at, stop - at, phase, dg);
        if (r < 0)
            return r;
        at = stop;
        /* two pieces of one sequence can't be in one pass: the second reads what the first wrote */
        if ((at < end || e->dev->prefill_alone) && (r = flush(e, phase, dg)) < 0)
            return r;
    }
    return ZC_OK;
}

/* One row takes the way of decode, with others, except where that is not a prompt's. */
static bool is_decoded(const struct ze_engine *e, const struct ze_work *w)
{
    return w->n_rows == 1 && !(w->is_prompt && e->dev->prefill_alone);
}

/* All works of one kind; logits come out in the order of works. */
static int run_kind(struct ze_engine *e, struct ze_work *works, int n, bool is_decode,
                    struct zc_diag *dg)
{
    int row = e->n_logits, r = ZC_OK;

    for (int i = 0; i < n && r == ZC_OK; i++) {
        struct ze_work *w = &works[i];
        if (is_decoded(e, w) != is_decode)
            continue;
        if (n_out(w) > 0)
            w->logits = e->logits + (size_t)row * (size_t)e->m->c.V;
        row += n_out(w);
        r = is_decode ? add_rows(e, w, (int)w->seq->computed, 1, ZK_DECODE, dg)
                      : add_prefill(e, w, dg);
    }
    return r < 0 ? r : flush(e, is_decode ? ZK_DECODE : ZK_PREFILL, dg);
}

/* What the device drew of a work's logits, which then have not been fetched. */
static void take_drawn(const struct ze_engine *e, struct ze_work *w)
{
    w->drawn = -1;
    if (!e->drawn || !w->logits)
        return;
    w->drawn = e->drawn[(size_t)(w->logits - e->logits) / (size_t)e->m->c.V];
    if (w->drawn >= 0)
        w->logits = NULL;
}

int ze_step(struct ze_engine *e, struct ze_work *works, int n_works, struct zc_diag *dg)
{
    int r = check_works(e, works, n_works, dg);
    if (r < 0)
        return r;

    zc_mem_guard(true);
    e->n_logits = 0;
    ze_batch_clear(&e->batch);
    for (int i = 0; i < n_works; i++) {
        works[i].logits = NULL;
        ze_seq_take(works[i].seq, works[i].n_rows);
    }
    if ((r = run_kind(e, works, n_works, true, dg)) == ZC_OK)
        r = run_kind(e, works, n_works, false, dg);
    for (int i = 0; i < n_works && r == ZC_OK; i++) {
        take_drawn(e, &works[i]);
        ze_seq_advance(works[i].seq, works[i].n_rows);
    }
    zc_mem_guard(false);
    if (r == ZC_EDEVICE) /* with what the device itself says */
        e->dev->ops->sync(e->dev, dg);
    return r;
}
