/* SPDX-License-Identifier: MIT */
/* The sampler. Nothing is sorted: each filter of the kind "the best until so much is reached" is
 * a cut at a value that a radix select finds in three passes (ze_select.c), and the token is drawn
 * from what is left in the order of ids. Sums are exact (kernels/zk_draw.h), so that a device which
 * adds in another order draws the same token. */
#include "zoracd/engine/ze_sample.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "kernels/zk_draw.h"
#include "zoracd/engine/ze_internal.h"

#define MAX_VOCAB (1u << 22)
#define IN_PROMPT (1u << 31)

struct ze_sampler {
    struct ze_sample_params p;
    struct ze_logit_bias *bias;
    int V;
    uint32_t *seen;   /* (V) IN_PROMPT | times in the reply; NULL: no penalty is on */
    int32_t *touched; /* (V) the ids with seen != 0 */
    int n_touched;
    /* candidates of a draw, n of them, in the order of ids */
    int32_t *id; /* (V) */
    float *w;    /* (V) logits with changes, then weights: exp((logit - max) / temperature) */
    float *key;  /* (V) typical: how near to the entropy */
    int n;
};

/* ---- parameters ---------------------------------------------------------------------------- */

void ze_sample_params_init(struct ze_sample_params *p)
{
    *p = (struct ze_sample_params){
        .temperature = 1,
        .top_p = 1,
        .typical_p = 1,
        .repetition_penalty = 1,
        .logprobs = -1,
    };
}

static int check_range(const char *name, double v, double min, double max, struct zc_diag *dg)
{
    if (v >= min && v <= max)
        return ZC_OK;
    return zc_diag(dg, ZC_EINVAL, "%s is %g: it goes from %g to %g", name, v, min, max);
}

int ze_sample_params_check(const struct ze_sample_params *p, int V, struct zc_diag *dg)
{
    const struct {
        const char *name;
        double v, min, max;
    } ranges[] = {
        {"temperature", p->temperature, 0, 100},
        {"top_k", p->top_k, 0, INT32_MAX},
        {"top_p", p->top_p, 0, 1},
        {"min_p", p->min_p, 0, 1},
        {"typical_p", p->typical_p, 0, 1},
        {"repetition_penalty", p->repetition_penalty, 0.01F, 100},
        {"presence_penalty", p->presence_penalty, -2, 2},
        {"frequency_penalty", p->frequency_penalty, -2, 2},
        {"logprobs", p->logprobs, -1, ZE_MAX_LOGPROBS},
        {"the number of logit_bias entries", (double)p->n_bias, 0, ZE_MAX_BIAS},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        int r = check_range(ranges[i].name, ranges[i].v, ranges[i].min, ranges[i].max, dg);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < p->n_bias; i++) {
        if (p->bias[i].id < 0 || p->bias[i].id >= V)
            return zc_diag(dg, ZC_EINVAL, "logit_bias: token %d is outside the vocabulary of %d",
                           p->bias[i].id, V);
        int r = check_range("logit_bias", p->bias[i].bias, -100, 100, dg);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

static bool has_penalty(const struct ze_sample_params *p)
{
    return p->repetition_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0;
}

static bool has_change(const struct ze_sample_params *p)
{
    return has_penalty(p) || p->n_bias > 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* What the parameters need, and no more. */
static int reserve(struct ze_sampler *s)
{
    const struct ze_sample_params *p = &s->p;
    struct {
        void *at;
        size_t size;
        bool is_needed;
    } parts[] = {
        {&s->seen, sizeof *s->seen, has_penalty(p)},
        {&s->touched, sizeof *s->touched, has_penalty(p)},
        {&s->w, sizeof *s->w, has_change(p) || p->temperature > 0},
        {&s->id, sizeof *s->id, p->temperature > 0},
        {&s->key, sizeof *s->key, p->temperature > 0 && p->typical_p < 1},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        void *mem;
        if (!parts[i].is_needed)
            continue;
        int r = zc_try_calloc(&mem, (size_t)s->V, parts[i].size, MAX_VOCAB * sizeof(float));
        if (r < 0)
            return r;
        memcpy(parts[i].at, &mem, sizeof mem);
    }
    return ZC_OK;
}

static void remember(struct ze_sampler *s, int32_t id, uint32_t add, uint32_t flag)
{
    if (!s->seen)
        return;
    if (s->seen[id] == 0)
        s->touched[s->n_touched++] = id;
    s->seen[id] = (s->seen[id] + add) | flag;
}

int ze_sampler_new(struct ze_sampler **ret_s, const struct ze_sample_params *p, int V,
                   const int32_t *prompt, size_t n)
{
    struct ze_sampler *s;
    void *mem, *bias = NULL;
    int r;

    for (size_t i = 0; i < n; i++)
        if (prompt[i] < 0 || prompt[i] >= V)
            return ZC_EINVAL;
    if ((r = zc_try_calloc(&mem, 1, sizeof *s, sizeof *s)) < 0)
        return r;
    s = mem;
    s->p = *p;
    s->V = V;
    r = zc_try_malloc(&bias, p->n_bias, sizeof *p->bias, ZE_MAX_BIAS * sizeof *p->bias);
    if (r < 0 || (r = reserve(s)) < 0) {
        zc_free(bias);
        ze_sampler_free(s);
        return r;
    }
    if (p->n_bias > 0)
        memcpy(bias, p->bias, p->n_bias * sizeof *p->bias);
    s->bias = bias;
    s->p.bias = bias;
    for (size_t i = 0; i < n; i++)
        remember(s, prompt[i], 0, IN_PROMPT);
    *ret_s = s;
    return ZC_OK;
}

void ze_sampler_free(struct ze_sampler *s)
{
    if (!s)
        return;
    zc_free(s->bias);
    zc_free(s->seen);
    zc_free(s->touched);
    zc_free(s->id);
    zc_free(s->w);
    zc_free(s->key);
    zc_free(s);
}

/* ---- random numbers ------------------------------------------------------------------------ */

/* Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3". */
void ze_philox(uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * ctr[0];
        uint64_t b = (uint64_t)0xCD9E8D57 * ctr[2];
        uint32_t c1 = ctr[1], c3 = ctr[3];
        ctr[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        ctr[1] = (uint32_t)b;
        ctr[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        ctr[3] = (uint32_t)a;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

/* For token number index of this seed. */
static uint64_t random_bits(uint64_t seed, uint64_t index)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t ctr[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0};

    ze_philox(ctr, key);
    return (uint64_t)ctr[0] << 32 | ctr[1];
}

/* ---- looking at logits --------------------------------------------------------------------- */

/* The first largest; ZC_EINTERNAL for a NaN or an infinite maximum. */
static int find_max(const float *x, int V, int *ret_at, struct zc_diag *dg)
{
    float best = -INFINITY;
    int at = -1;

    for (int i = 0; i < V; i++) {
        if (x[i] <= best)
            continue;
        if (x[i] > best) {
            best = x[i];
            at = i;
        } else {
            return zc_diag(dg, ZC_EINTERNAL, "logit %d is not a number", i);
        }
    }
    if (!isfinite(best))
        return zc_diag(dg, ZC_EINTERNAL, "the largest logit is not finite");
    *ret_at = at;
    return ZC_OK;
}

/* The n largest, largest first. */
static void find_top(const float *x, int V, int n, int32_t *top)
{
    int have = 0;

    for (int i = 0; i < V; i++) {
        if (have == n && !(x[i] > x[top[n - 1]]))
            continue;
        int at = have < n ? have++ : n - 1;
        for (; at > 0 && x[i] > x[top[at - 1]]; at--)
            top[at] = top[at - 1];
        top[at] = i;
    }
}

static void report(const struct ze_sampler *s, const float *logits, float max,
                   struct ze_sampled *ret)
{
    double sum = 0;

    if (s->p.logprobs < 0)
        return;
    for (int i = 0; i < s->V; i++)
        sum += expf(logits[i] - max);
    float log_sum = max + (float)log(sum);
    ret->logprob = logits[ret->id] - log_sum;
    ret->n_top = s->p.logprobs < s->V ? s->p.logprobs : s->V;
    if (ret->n_top > 0)
        find_top(logits, s->V, ret->n_top, ret->top_id);
    for (int i = 0; i < ret->n_top; i++)
        ret->top_logprob[i] = logits[ret->top_id[i]] - log_sum;
}

/* ---- changes and filters ------------------------------------------------------------------- */

/* w = logits with bias and penalties. */
static void change(struct ze_sampler *s, const float *logits)
{
    const struct ze_sample_params *p = &s->p;

    memcpy(s->w, logits, (size_t)s->V * sizeof *s->w);
    for (size_t i = 0; i < p->n_bias; i++)
        s->w[p->bias[i].id] += p->bias[i].bias;
    for (int i = 0; i < s->n_touched; i++) {
        int32_t id = s->touched[i];
        s->w[id] = zk_draw_change(s->w[id], s->seen[id] & ~IN_PROMPT, p->repetition_penalty,
                                  p->presence_penalty, p->frequency_penalty);
    }
}

/* Keeps what the cut keeps; value is what it was made for, in step with the candidates. */
static void keep(struct ze_sampler *s, const float *value, const float *weight, struct ze_cut *cut)
{
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        if (!ze_cut_keeps(cut, value[i], weight ? zk_draw_units(weight[i]) : 1))
            continue;
        s->id[n] = s->id[i];
        s->w[n] = s->w[i];
        n++;
    }
    s->n = n;
}

static uint64_t total(const struct ze_sampler *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += zk_draw_units(s->w[i]);
    return sum;
}

/* The k largest of (changed) logits, as candidates; w holds logits still. */
static void take_candidates(struct ze_sampler *s, const float *x)
{
    int k = s->p.top_k;

    if (k <= 0 || k >= s->V) {
        for (int i = 0; i < s->V; i++)
            s->id[i] = i;
        if (x != s->w)
            memcpy(s->w, x, (size_t)s->V * sizeof *x);
        s->n = s->V;
        return;
    }
    struct ze_cut cut = ze_cut_find(x, NULL, s->V, (uint64_t)k);
    s->n = 0;
    for (int i = 0; i < s->V; i++) {
        if (!ze_cut_keeps(&cut, x[i], 1))
            continue;
        s->id[s->n] = i;
        s->w[s->n++] = x[i];
    }
}

/* Logits to weights; what has none is dropped. */
static void weigh(struct ze_sampler *s, float max)
{
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        float w = zk_draw_weight(s->w[i], max, s->p.temperature);
        if (w == 0)
            continue;
        s->id[n] = s->id[i];
        s->w[n++] = w;
    }
    s->n = n;
}

/* Locally typical sampling (Meister and others): by the distance of a token's surprise from the
 * entropy, nearest first. */
static void filter_typical(struct ze_sampler *s)
{
    double sum = (double)total(s) / ZK_DRAW_ONE, entropy = 0;

    for (int i = 0; i < s->n; i++)
        entropy -= s->w[i] / sum * log(s->w[i] / sum);
    for (int i = 0; i < s->n; i++)
        s->key[i] = (float)-fabs(-log(s->w[i] / sum) - entropy);
    struct ze_cut cut = ze_cut_find(s->key, s->w, s->n, zk_draw_share(total(s), s->p.typical_p));
    keep(s, s->key, s->w, &cut);
}

static void filter_min_p(struct ze_sampler *s)
{
    float max = 0;
    int n = 0;

    for (int i = 0; i < s->n; i++)
        max = fmaxf(max, s->w[i]);
    for (int i = 0; i < s->n; i++) {
        if (s->w[i] < s->p.min_p * max)
            continue;
        s->id[n] = s->id[i];
        s->w[n++] = s->w[i];
    }
    s->n = n;
}

static void filter(struct ze_sampler *s)
{
    if (s->p.typical_p < 1)
        filter_typical(s);
    if (s->p.top_p < 1) {
        struct ze_cut cut = ze_cut_find(s->w, s->w, s->n, zk_draw_share(total(s), s->p.top_p));
        keep(s, s->w, s->w, &cut);
    }
    if (s->p.min_p > 0)
        filter_min_p(s);
}

/* Inverse of the cumulative distribution, in the order of ids. */
static int32_t pick(const struct ze_sampler *s, uint64_t random)
{
    uint64_t target = zk_draw_target(random, total(s)), sum = 0;
    int i = 0;

    while ((sum += zk_draw_units(s->w[i])) <= target)
        i++;
    return s->id[i];
}

int ze_sampler_draw(struct ze_sampler *s, const float *logits, uint64_t index,
                    struct ze_sampled *ret, struct zc_diag *dg)
{
    struct ze_sampled out = {0};
    const float *x = logits;
    int at, r;

    if ((r = find_max(logits, s->V, &at, dg)) < 0)
        return r;
    float model_max = logits[at];
    if (has_change(&s->p)) {
        change(s, logits);
        x = s->w;
        if ((r = find_max(x, s->V, &at, dg)) < 0)
            return r;
    }
    out.id = at;
    if (s->p.temperature > 0) {
        float max = x[at];
        take_candidates(s, x);
        weigh(s, max);
        filter(s);
        out.id = pick(s, random_bits(s->p.seed, index));
    }
    report(s, logits, model_max, &out);
    remember(s, out.id, 1, 0);
    *ret = out;
    return ZC_OK;
}

/* ---- on a device --------------------------------------------------------------------------- */

int ze_sampler_ask(const struct ze_sampler *s, uint64_t index, struct zk_draw *ret,
                   struct zk_seen *seen, int room)
{
    const struct ze_sample_params *p = &s->p;

    if (p->n_bias > 0 || p->logprobs >= 0 || (p->temperature > 0 && p->typical_p < 1) ||
        s->n_touched > room)
        return ZC_EUNSUPPORTED;
    *ret = (struct zk_draw){
        .random = random_bits(p->seed, index),
        .is_wanted = 1,
        .temperature = p->temperature,
        .top_k = p->top_k,
        .top_p = p->top_p,
        .min_p = p->min_p,
        .repetition = p->repetition_penalty,
        .presence = p->presence_penalty,
        .frequency = p->frequency_penalty,
        .n_seen = s->n_touched,
    };
    for (int i = 0; i < s->n_touched; i++)
        seen[i] = (struct zk_seen){s->touched[i], s->seen[s->touched[i]] & ~IN_PROMPT};
    return ZC_OK;
}

void ze_sampler_take(struct ze_sampler *s, int32_t id, struct ze_sampled *ret)
{
    remember(s, id, 1, 0);
    *ret = (struct ze_sampled){.id = id};
}
