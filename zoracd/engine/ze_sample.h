/* SPDX-License-Identifier: MIT */
/* Logits to one token. Pure: the same logits, parameters, history and (seed, index) give the same
 * token, whatever runs beside it (Philox counter random numbers keyed by seed and token index).
 * Order of what is applied: logit bias, repetition / presence / frequency penalties, then for
 * temperature > 0: temperature, top-k, typical, top-p, min-p, draw; temperature 0: argmax. Ties go
 * to the lower id everywhere. Each filter sees the renormalised distribution of what the ones
 * before it kept, and keeps at least one token. What is less than 1e-12 times as probable as the
 * most probable token is never drawn. NaN logits are ZC_EINTERNAL, never a token. A device may draw
 * in its place (ze_sampler_ask): the same token. Thread: any, one owner. */
#ifndef ZORACD_ENGINE_ZE_SAMPLE_H
#define ZORACD_ENGINE_ZE_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;
struct ze_sampler;
struct zk_draw;
struct zk_seen;

struct ze_logit_bias {
    int32_t id;
    float bias; /* -100 .. 100, added to the logit */
};

struct ze_sample_params {
    float temperature;        /* 0: greedy; at most 100 */
    int top_k;                /* 0: off */
    float top_p;              /* 0 .. 1; 1: off. The fewest tokens whose probability reaches it */
    float min_p;              /* 0 .. 1; 0: off. Of the most probable token's probability */
    float typical_p;          /* 0 .. 1; 1: off. As top_p, by nearness to the entropy */
    float repetition_penalty; /* 1: off; over prompt and reply, as Hugging Face */
    float presence_penalty;   /* -2 .. 2; 0: off; over the reply, as OpenAI and vLLM */
    float frequency_penalty;  /* -2 .. 2; 0: off; over the reply */
    uint64_t seed;
    int logprobs; /* how many alternatives to report, 0..ZE_MAX_LOGPROBS; -1: no logprobs at all */
    const struct ze_logit_bias *bias; /* copied */
    size_t n_bias;
};

#define ZE_MAX_LOGPROBS 20
#define ZE_MAX_BIAS     4096

/* The neutral values: temperature 1, everything else off. */
void ze_sample_params_init(struct ze_sample_params *p);
/* Checks ranges; ZC_EINVAL names the parameter and its range. V: vocabulary. */
int ze_sample_params_check(const struct ze_sample_params *p, int V, struct zc_diag *dg);

/* One per sequence; p is what ze_sample_params_check accepts. prompt: for the repetition penalty
 * (ZC_EINVAL for an id outside the vocabulary). Takes all the memory that drawing needs: about
 * 8 V bytes when temperature or changes are in play, next to nothing for plain greedy. */
int ze_sampler_new(struct ze_sampler **ret_s, const struct ze_sample_params *p, int V,
                   const int32_t *prompt, size_t n);
void ze_sampler_free(struct ze_sampler *s);

struct ze_sampled {
    int32_t id;
    float logprob; /* natural log, of the model's distribution before any change; 0 if not asked */
    int n_top;     /* alternatives, most probable first */
    int32_t top_id[ZE_MAX_LOGPROBS];
    float top_logprob[ZE_MAX_LOGPROBS];
};

/* index: how many tokens this sequence has sampled before (it keys the random number). Records the
 * token in the sampler's history. logits [V] are not changed. Allocates nothing. */
int ze_sampler_draw(struct ze_sampler *s, const float *logits, uint64_t index,
                    struct ze_sampled *ret, struct zc_diag *dg);

/* The same draw as a device does it: ret but for first_seen, and ret->n_seen tokens to seen, which
 * has room for so many. ZC_EUNSUPPORTED: it can't (typical_p, logit_bias, logprobs, or more tokens
 * to penalize than there is room for). Changes nothing in s. */
int ze_sampler_ask(const struct ze_sampler *s, uint64_t index, struct zk_draw *ret,
                   struct zk_seen *seen, int room);
/* Records the token that a device drew. */
void ze_sampler_take(struct ze_sampler *s, int32_t id, struct ze_sampled *ret);

#endif
