/* SPDX-License-Identifier: MIT */
/* The measuring of zorac-bench: steps of the engine by the clock, readings of memory between them,
 * energy, and the same steps again operation by operation. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "kernels/zk.h"
#include "zoracd/engine/ze_sample.h"
#include "zoracd/tools/zb.h"
#include "zoracd/tools/zo.h"

#define SLICE_MIN (32ull << 20) /* bytes of one reading between two steps */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

_Noreturn static void fail(int r, const char *what, const struct zc_diag *dg)
{
    zo_finish(zo_fail(r, what, dg));
}

void zb_reader_init(struct zb_reader *r, struct ze_engine *e, int mib)
{
    struct zc_diag dg = {0};
    void *p;

    *r = (struct zb_reader){
        .dev = ze_engine_zk_dev(e), .act = ze_engine_act_kind(e), .size = (size_t)mib << 20};
    int status = r->dev->ops->alloc(r->dev, &p, r->size, &dg);
    if (status == ZC_OK)
        status = r->dev->ops->fill(r->dev, p, 0x11, r->size);
    if (status < 0)
        fail(status, "no memory to measure the bandwidth with", &dg);
    r->p = p;
}

void zb_reader_release(struct zb_reader *r)
{
    r->dev->ops->free(r->dev, r->p, r->size);
}

static void reader_start(struct zb_reader *r)
{
    r->bytes = r->seconds = 0;
}

/* Reads so many bytes; returns its rate. */
static double reader_turn(struct zb_reader *r, size_t bytes)
{
    if (r->at + bytes > r->size)
        r->at = 0;
    double rate = r->dev->ops->probe_read(r->dev, r->p + r->at, bytes);
    r->at += bytes;
    if (rate > 0) {
        r->bytes += (double)bytes;
        r->seconds += (double)bytes / rate;
    }
    return rate;
}

static double reader_rate(const struct zb_reader *r)
{
    return r->seconds > 0 ? r->bytes / r->seconds : 0;
}

void zb_measure_rates(struct zb_reader *reader, struct zb_rates *ret)
{
    struct zk_dev *dev = reader->dev;

    ret->bytes = 0;
    for (int i = 0; i < 5; i++) {
        double rate = reader_turn(reader, reader->size);
        ret->bytes = rate > ret->bytes ? rate : ret->bytes;
    }
    ret->flops = 2 * dev->ops->probe_peak(dev, reader->act, 200);
}

/* A root of its own, so that nothing is found in the cache. */
static uint32_t new_root(void)
{
    static uint32_t root;
    return root++;
}

/* content: what its tokens follow from. */
static struct ze_seq *new_sequence(struct ze_engine *e, uint32_t content, int n, int reserve)
{
    const int V = ze_engine_config(e)->V;
    int32_t *ids = zc_xcalloc((size_t)n, sizeof *ids);
    struct zc_diag dg = {0};
    struct ze_seq *s;

    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(((uint32_t)i * 2654435761u + content * 40503u) % (uint32_t)V);
    int r = ze_seq_new(&s, e, new_root(), ids, (size_t)n, (size_t)reserve, &dg);
    zc_free(ids);
    if (r < 0)
        fail(r, "no room for that many sequences of that depth", &dg);
    return s;
}

static void step(struct ze_engine *e, struct ze_work *works, int n)
{
    struct zc_diag dg = {0};
    int r = ze_step(e, works, n, &dg);
    if (r < 0)
        fail(r, "a step failed", &dg);
}

/* The best of two: the first also touches memory for the first time. */
void zb_measure_prefill(struct ze_engine *e, int tokens, struct zb_result *ret)
{
    double best = 1e30;

    for (int run = 0; run < 2; run++) {
        struct ze_seq *s = new_sequence(e, (uint32_t)run, tokens, 0);
        struct ze_work w = {.seq = s, .n_rows = tokens, .want_logits = true};
        double t = now();
        step(e, &w, 1);
        t = now() - t;
        best = t < best ? t : best;
        ze_seq_free(s);
    }
    *ret = (struct zb_result){
        .is_prefill = true,
        .batch = 1,
        .tokens = tokens,
        .tokens_per_s = tokens / best,
        .cost = ze_engine_cost(e, 1, tokens, 0),
    };
}

/* Sequences of one row each. On a device that draws tokens they are drawn there, as greedy replies
 * of the daemon are: then no logits cross the bus. */
struct batch {
    struct ze_work *works;
    int n;
    struct ze_sampler *greedy;
};

/* depth: tokens that each has behind it. */
static void batch_init(struct batch *b, struct ze_engine *e, int n, int depth, int reserve)
{
    struct ze_sample_params params;

    ze_sample_params_init(&params);
    params.temperature = 0;
    params.logprobs = -1;
    *b = (struct batch){.works = zc_xcalloc((size_t)n, sizeof *b->works), .n = n};
    int r = ze_sampler_new(&b->greedy, &params, ze_engine_config(e)->V, NULL, 0);
    if (r < 0)
        fail(r, "no sampler", &(struct zc_diag){0});
    for (int i = 0; i < n; i++) {
        struct ze_seq *s = new_sequence(e, (uint32_t)i, depth + 1, reserve);
        if (depth > 0 && ze_seq_pretend(s, (size_t)depth) < 0)
            fail(ZC_EINTERNAL, "pages could not be filled", &(struct zc_diag){0});
        b->works[i] =
            (struct ze_work){.seq = s, .n_rows = 1, .want_logits = true, .sampler = b->greedy};
    }
}

static void batch_release(struct batch *b)
{
    for (int i = 0; i < b->n; i++)
        ze_seq_free(b->works[i].seq);
    zc_free(b->works);
    ze_sampler_free(b->greedy);
}

/* A step, and a token for each sequence, whatever was drawn. */
static void batch_step(struct batch *b, struct ze_engine *e, int t)
{
    step(e, b->works, b->n);
    for (int i = 0; i < b->n; i++)
        ze_seq_append(b->works[i].seq, (t * 7 + i) % ze_engine_config(e)->V);
}

/* Half of what a step reads: a third of a line's time goes to readings, so that what disturbs the
 * machine for a moment falls on both. */
static size_t slice_of(const struct zb_reader *r, const struct ze_cost *cost)
{
    double bytes = cost->bytes / 2;
    bytes = bytes < (double)SLICE_MIN ? (double)SLICE_MIN : bytes;
    return bytes > (double)r->size ? r->size : (size_t)bytes / 4096 * 4096;
}

void zb_measure_decode(struct ze_engine *e, int batch, int depth, int tokens,
                       struct zb_reader *reader, struct zb_result *ret)
{
    const int warm = 2;
    struct batch b;
    double seconds = 0;

    batch_init(&b, e, batch, depth, warm + tokens);
    *ret = (struct zb_result){
        .batch = batch,
        .depth = depth,
        .tokens = tokens,
        .cost = ze_engine_cost(e, batch, 1, depth + warm + tokens / 2),
    };
    reader_start(reader);
    for (int t = 0; t < warm + tokens; t++) {
        double begin = now();
        batch_step(&b, e, t);
        if (t < warm)
            continue;
        seconds += now() - begin;
        double rate = reader_turn(reader, slice_of(reader, &ret->cost));
        ret->best = rate > ret->best ? rate : ret->best;
    }
    batch_release(&b);
    ret->tokens_per_s = (double)batch * tokens / seconds;
    ret->rates.bytes = reader_rate(reader);
}

bool zb_has_joules(struct ze_engine *e)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    return dev->ops->joules && dev->ops->joules(dev) >= 0;
}

double zb_measure_joules(struct ze_engine *e, int batch, int depth, int tokens)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    double seconds = 0, joules = 0;
    long steps = 0;

    if (!zb_has_joules(e))
        return 0;
    while (seconds < 1) {
        struct batch b;
        batch_init(&b, e, batch, depth, tokens);
        double begin = now(), before = dev->ops->joules(dev);
        for (int t = 0; t < tokens; t++, steps++)
            batch_step(&b, e, t);
        joules += dev->ops->joules(dev) - before;
        seconds += now() - begin;
        batch_release(&b);
    }
    return joules / ((double)steps * batch);
}

/* ---- the same bits -------------------------------------------------------------------------- */

#define CHECK_STEPS 8

static uint64_t hash_of(uint64_t h, const float *logits, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        h = (h ^ bits) * 1099511628211u; /* FNV-1a, a word at a time */
    }
    return h;
}

/* Prompts of `tokens` each, some steps after them; into hashes what follows from all logits of
 * each. first: the content of the first sequence. */
static void hash_steps(struct ze_engine *e, int first, int n, int tokens, uint64_t *hashes)
{
    const int V = ze_engine_config(e)->V;
    struct ze_work *works = zc_xcalloc((size_t)n, sizeof *works);

    for (int i = 0; i < n; i++) {
        struct ze_seq *s = new_sequence(e, (uint32_t)(first + i), tokens, CHECK_STEPS);
        works[i] =
            (struct ze_work){.seq = s, .n_rows = tokens, .is_prompt = true, .want_logits = true};
        step(e, &works[i], 1);
        hashes[i] = hash_of(14695981039346656037u, works[i].logits, V);
    }
    for (int t = 0; t < CHECK_STEPS; t++) {
        for (int i = 0; i < n; i++) {
            ze_seq_append(works[i].seq, (t * 7 + first + i) % V);
            works[i].n_rows = 1;
            works[i].is_prompt = false;
        }
        step(e, works, n);
        for (int i = 0; i < n; i++)
            hashes[i] = hash_of(hashes[i], works[i].logits, V);
    }
    for (int i = 0; i < n; i++)
        ze_seq_free(works[i].seq);
    zc_free(works);
}

uint64_t zb_check_bits(struct ze_engine *e, int batch)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    const bool can_record = dev->can_record;
    uint64_t *hashes = zc_xcalloc((size_t)batch, sizeof *hashes), alone, all = 0;

    hash_steps(e, 0, batch, ZB_CHECK_TOKENS, hashes);
    dev->can_record = false;
    for (int i = 0; i < batch; i++) {
        hash_steps(e, i, 1, ZB_CHECK_TOKENS, &alone);
        if (alone != hashes[i])
            fail(ZC_EINTERNAL, "the logits of a batch are not those of its sequences alone",
                 &(struct zc_diag){0});
        all = (all ^ alone) * 1099511628211u;
    }
    dev->can_record = can_record;
    zc_free(hashes);
    return all;
}

/* The steps of a profile: a whole prefill, or some of decode. */
static void profile_steps(struct ze_engine *e, const struct zb_result *r)
{
    const int n = r->is_prefill ? 1 : r->tokens < 5 ? r->tokens : 5;
    const int V = ze_engine_config(e)->V, rest = r->is_prefill ? r->tokens - 1 : 0;
    struct batch b;

    batch_init(&b, e, r->batch, r->depth, rest + n);
    for (int i = 0; i < rest; i++)
        ze_seq_append(b.works[0].seq, i * 31 % V);
    b.works[0].n_rows += rest;
    for (int t = 0; t < n; t++) {
        double begin = now();
        batch_step(&b, e, t);
        zb_profile_step(ze_engine_zk_dev(e), now() - begin);
    }
    batch_release(&b);
}

/* Once for nothing, since the first time also makes what the device marks with. */
void zb_measure_profile(struct ze_engine *e, const struct zb_result *r, bool json)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    const struct zb_rates rates = {r->rates.bytes, r->rates.flops};
    char what[80];

    snprintf(what, sizeof what, "%s batch %d depth %d tokens %d",
             r->is_prefill ? "prefill" : "decode", r->batch, r->depth, r->tokens);
    for (int warm = 1; warm >= 0; warm--) {
        zb_profile_start(dev);
        profile_steps(e, r);
        zb_profile_stop(dev, warm ? NULL : what, &rates, json);
    }
}
