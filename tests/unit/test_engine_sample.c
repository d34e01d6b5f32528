/* SPDX-License-Identifier: MIT */
/* Unit tests of the sampler: every parameter against a plain definition in double precision that
 * sorts, counts of what is drawn, and what must be the same or must differ. */
#include <math.h>
#include <string.h>

#include "common/zc_mem.h"
#include "kernels/zk_draw.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_internal.h"
#include "zoracd/engine/ze_sample.h"

#define V 300

static struct zc_diag dg;
static float logits[V];

static uint64_t rng_state;
static double rnd(void)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(rng_state >> 11) * 0x1p-53;
}

static void random_logits(uint64_t seed, double spread)
{
    rng_state = seed * 2654435761u + 1;
    for (int i = 0; i < V; i++)
        logits[i] = (float)(spread * (rnd() + rnd() + rnd() - 1.5));
}

static struct ze_sampler *sampler(const struct ze_sample_params *p, const int32_t *prompt, size_t n)
{
    struct ze_sampler *s = NULL;
    t_assert_err(ze_sample_params_check(p, V, &dg), ZC_OK, &dg);
    ck_assert_int_eq(ze_sampler_new(&s, p, V, prompt, n), ZC_OK);
    return s;
}

static int32_t draw(struct ze_sampler *s, uint64_t index)
{
    struct ze_sampled out;
    t_assert_err(ze_sampler_draw(s, logits, index, &out, &dg), ZC_OK, &dg);
    return out.id;
}

/* ---- the plain definition ------------------------------------------------------------------ */

struct token {
    int id;
    double p, key;
    bool kept;
};

static int by_key(const void *a, const void *b)
{
    const struct token *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->id - y->id;
}

static int by_id(const void *a, const void *b)
{
    return ((const struct token *)a)->id - ((const struct token *)b)->id;
}

/* Drops what is beyond the best by key whose p reach mass; the least distance of a border. */
static void cut(struct token *t, int *n, double mass, double *margin)
{
    double sum = 0;
    int k = 0;

    qsort(t, (size_t)*n, sizeof *t, by_key);
    while (k < *n && (k == 0 || sum < mass)) {
        sum += t[k++].p;
        *margin = fmin(*margin, fabs(sum - mass));
    }
    *n = k;
    double total = 0;
    for (int i = 0; i < k; i++)
        total += t[i].p;
    for (int i = 0; i < k; i++)
        t[i].p /= total;
}

/* The distribution after all filters; returns how many tokens are left. */
static int plain(const struct ze_sample_params *p, struct token *t, double *margin)
{
    double max = -INFINITY, sum = 0;
    int n = V;

    *margin = 1;
    for (int i = 0; i < V; i++)
        max = fmax(max, logits[i]);
    for (int i = 0; i < V; i++) {
        t[i] = (struct token){i, exp((logits[i] - max) / p->temperature), logits[i], true};
        sum += t[i].p;
    }
    if (p->top_k > 0 && p->top_k < V) {
        qsort(t, V, sizeof *t, by_key);
        n = p->top_k;
        sum = 0;
        for (int i = 0; i < n; i++)
            sum += t[i].p;
    }
    for (int i = 0; i < n; i++)
        t[i].p /= sum;
    if (p->typical_p < 1) {
        double entropy = 0;
        for (int i = 0; i < n; i++)
            entropy -= t[i].p > 0 ? t[i].p * log(t[i].p) : 0;
        for (int i = 0; i < n; i++)
            t[i].key = -fabs(-log(t[i].p) - entropy);
        cut(t, &n, p->typical_p, margin);
    }
    if (p->top_p < 1) {
        for (int i = 0; i < n; i++)
            t[i].key = t[i].p;
        cut(t, &n, p->top_p, margin);
    }
    if (p->min_p > 0) {
        double best = 0;
        int k = 0;
        for (int i = 0; i < n; i++)
            best = fmax(best, t[i].p);
        for (int i = 0; i < n; i++) {
            *margin = fmin(*margin, fabs(t[i].p / best - p->min_p));
            if (t[i].p >= p->min_p * best)
                t[k++] = t[i];
        }
        n = k;
        sum = 0;
        for (int i = 0; i < n; i++)
            sum += t[i].p;
        for (int i = 0; i < n; i++)
            t[i].p /= sum;
    }
    qsort(t, (size_t)n, sizeof *t, by_id);
    return n;
}

/* Draws many times: only what the definition keeps, and as often as it says (chi-square). */
static void check_frequencies(const struct ze_sample_params *p)
{
    enum { DRAWS = 30000 };
    struct token t[V];
    int count[V] = {0};
    double margin, chi = 0;
    int n = plain(p, t, &margin), cells = 0;
    struct ze_sampler *s = sampler(p, NULL, 0);

    ck_assert_double_gt(margin, 1e-6);
    for (int i = 0; i < DRAWS; i++)
        count[draw(s, (uint64_t)i)]++;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        double want = t[i].p * DRAWS;
        kept += count[t[i].id];
        if (want < 5)
            continue;
        cells++;
        chi += (count[t[i].id] - want) * (count[t[i].id] - want) / want;
    }
    ck_assert_int_eq(kept, DRAWS);
    ck_assert_msg(chi < cells + 5 * sqrt(2.0 * cells), "chi-square %g over %d cells", chi, cells);
    ze_sampler_free(s);
}

static struct ze_sample_params neutral(void)
{
    struct ze_sample_params p;
    ze_sample_params_init(&p);
    p.seed = 42;
    return p;
}

START_TEST(temperature_alone_draws_the_softmax)
{
    struct ze_sample_params p = neutral();
    random_logits(1, 3);
    check_frequencies(&p);
    p.temperature = 0.5F;
    check_frequencies(&p);
    p.temperature = 2;
    check_frequencies(&p);
}
END_TEST

START_TEST(top_k_keeps_k)
{
    struct ze_sample_params p = neutral();
    random_logits(2, 3);
    for (p.top_k = 1; p.top_k <= V; p.top_k *= 4)
        check_frequencies(&p);
}
END_TEST

START_TEST(top_p_keeps_the_fewest_that_reach_it)
{
    struct ze_sample_params p = neutral();
    random_logits(3, 3);
    const float values[] = {0, 0.01F, 0.3F, 0.9F, 0.999F};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        p.top_p = values[i];
        check_frequencies(&p);
    }
}
END_TEST

START_TEST(min_p_keeps_what_is_near_the_best)
{
    struct ze_sample_params p = neutral();
    random_logits(4, 3);
    p.min_p = 0.05F;
    check_frequencies(&p);
    p.min_p = 1;
    p.top_k = 5;
    struct ze_sampler *s = sampler(&p, NULL, 0);
    int best = 0;
    for (int i = 1; i < V; i++)
        best = logits[i] > logits[best] ? i : best;
    for (uint64_t i = 0; i < 50; i++)
        ck_assert_int_eq(draw(s, i), best);
    ze_sampler_free(s);
}
END_TEST

START_TEST(typical_keeps_what_is_near_the_entropy)
{
    struct ze_sample_params p = neutral();
    random_logits(5, 3);
    p.typical_p = 0.5F;
    check_frequencies(&p);
    p.typical_p = 0.95F;
    check_frequencies(&p);
}
END_TEST

/* Everything at once, on the very random number: the same token as the definition's. */
START_TEST(all_filters_together_match_the_definition)
{
    int skipped = 0;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct ze_sample_params p = neutral();
        struct token t[V];
        double margin, sum = 0;
        random_logits(seed, 1 + 9 * (double)(seed % 7) / 7);
        p.seed = seed * 77;
        p.temperature = (float)(0.2 + 2 * rnd());
        p.top_k = seed % 3 ? (int)(rnd() * V) : 0;
        p.typical_p = seed % 4 ? 1 : (float)rnd();
        p.top_p = seed % 2 ? (float)rnd() : 1;
        p.min_p = seed % 5 ? 0 : (float)(rnd() * 0.2);
        int n = plain(&p, t, &margin);
        uint32_t key[2] = {(uint32_t)p.seed, (uint32_t)(p.seed >> 32)};
        uint32_t ctr[4] = {(uint32_t)seed, 0, 0, 0};
        ze_philox(ctr, key);
        double u = (double)(((uint64_t)ctr[0] << 32 | ctr[1]) >> 11) * 0x1p-53;
        int at = 0;
        for (; at < n; at++) {
            sum += t[at].p;
            margin = fmin(margin, fabs(sum - u));
            if (sum > u)
                break;
        }
        if (margin < 2e-6) {
            skipped++;
            continue;
        }
        struct ze_sampler *s = sampler(&p, NULL, 0);
        ck_assert_int_eq(draw(s, seed), t[at].id);
        ze_sampler_free(s);
    }
    ck_assert_int_lt(skipped, 100);
}
END_TEST

START_TEST(equal_logits_go_to_the_lower_id)
{
    struct ze_sample_params p = neutral();
    bool seen[V] = {false};

    for (int i = 0; i < V; i++)
        logits[i] = i % 2 ? 0.0F : -0.0F;
    p.temperature = 0;
    struct ze_sampler *s = sampler(&p, NULL, 0);
    ck_assert_int_eq(draw(s, 0), 0);
    ze_sampler_free(s);

    p.temperature = 1;
    p.top_k = 7;
    s = sampler(&p, NULL, 0);
    for (uint64_t i = 0; i < 500; i++)
        seen[draw(s, i)] = true;
    for (int i = 0; i < V; i++)
        ck_assert_int_eq(seen[i], i < 7);
    ze_sampler_free(s);

    p.top_k = 0;
    p.top_p = 9.5F / V;
    s = sampler(&p, NULL, 0);
    for (uint64_t i = 0; i < 500; i++)
        ck_assert_int_lt(draw(s, i), 10);
    ze_sampler_free(s);
}
END_TEST

START_TEST(a_logit_that_is_no_number_is_an_error)
{
    const float bad[] = {NAN, INFINITY};
    struct ze_sample_params p = neutral();
    struct ze_sampled out;

    for (int mode = 0; mode < 4; mode++) {
        random_logits(6, 3);
        p.temperature = (float)(mode / 2);
        logits[mode ? V - 1 : 0] = bad[mode % 2];
        struct ze_sampler *s = sampler(&p, NULL, 0);
        t_assert_err(ze_sampler_draw(s, logits, 0, &out, &dg), ZC_EINTERNAL, &dg);
        ze_sampler_free(s);
    }
    for (int i = 0; i < V; i++)
        logits[i] = -INFINITY;
    struct ze_sampler *s = sampler(&p, NULL, 0);
    t_assert_err(ze_sampler_draw(s, logits, 0, &out, &dg), ZC_EINTERNAL, &dg);
    logits[5] = 1; /* one that is possible is enough */
    ck_assert_int_eq(draw(s, 0), 5);
    ze_sampler_free(s);
}
END_TEST

START_TEST(the_seed_decides_and_nothing_else)
{
    struct ze_sample_params p = neutral();
    int differ = 0, differ_index = 0;

    random_logits(7, 2);
    struct ze_sampler *a = sampler(&p, NULL, 0), *b = sampler(&p, NULL, 0);
    p.seed = 43;
    struct ze_sampler *c = sampler(&p, NULL, 0);
    for (uint64_t i = 0; i < 100; i++) {
        int32_t id = draw(a, 99 - i);
        differ += draw(c, 99 - i) != id;
        differ_index += draw(a, 99 - i + 1000) != id;
        (void)draw(b, i + 5); /* other draws before it change nothing */
        ck_assert_int_eq(draw(b, 99 - i), id);
    }
    ck_assert_int_gt(differ, 50);
    ck_assert_int_gt(differ_index, 50);
    ze_sampler_free(a);
    ze_sampler_free(b);
    ze_sampler_free(c);
}
END_TEST

/* The weights that host and devices share: near those of exact arithmetic, and what is under 2^-40
 * is nothing. */
START_TEST(weights_are_those_of_the_softmax)
{
    ck_assert(zk_draw_exp(0) == 1);
    for (int i = 0; i < 27500; i++) {
        float x = (float)i * -1e-3F;
        double want = exp((double)x);
        ck_assert_double_le(fabs((double)zk_draw_exp(x) - want), 1.5e-7 * want);
        ck_assert_uint_gt(zk_draw_units(zk_draw_exp(x)), 0);
    }
    ck_assert(zk_draw_exp(-27.5F) == 0 && zk_draw_exp(-INFINITY) == 0 && zk_draw_exp(NAN) == 0);
}
END_TEST

START_TEST(random_numbers_match_the_published_vectors)
{
    const struct {
        uint32_t ctr[4], key[2], want[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t ctr[4];
        memcpy(ctr, kat[i].ctr, sizeof ctr);
        ze_philox(ctr, kat[i].key);
        ck_assert_mem_eq(ctr, kat[i].want, sizeof ctr);
    }
}
END_TEST

/* Greedy draws from logits set by hand. */
static void set_logits(float a, float b, float c)
{
    for (int i = 0; i < V; i++)
        logits[i] = -50;
    logits[10] = a;
    logits[11] = b;
    logits[12] = c;
}

START_TEST(repetition_penalty_covers_prompt_and_reply)
{
    struct ze_sample_params p = neutral();
    const int32_t prompt[] = {10, 10, 3};

    p.temperature = 0;
    p.repetition_penalty = 2;
    set_logits(3, 2, 1.9F);
    struct ze_sampler *s = sampler(&p, prompt, 3);
    ck_assert_int_eq(draw(s, 0), 11); /* 10 is at 1.5 once, however often it stood there */
    ck_assert_int_eq(draw(s, 1), 12); /* 11 at 1 now */
    ck_assert_int_eq(draw(s, 2), 10); /* 12 at 0.95 */
    set_logits(-1, -1.5F, -1.9F);     /* negative: times the penalty */
    ck_assert_int_eq(draw(s, 3), 10);
    ze_sampler_free(s);
}
END_TEST

START_TEST(presence_and_frequency_cover_the_reply_alone)
{
    struct ze_sample_params p = neutral();
    const int32_t prompt[] = {10, 10, 10};

    p.temperature = 0;
    p.presence_penalty = 0.4F;
    set_logits(3, 2.5F, 0);
    struct ze_sampler *s = sampler(&p, prompt, 3);
    for (uint64_t i = 0; i < 5; i++)
        ck_assert_int_eq(draw(s, i), 10);
    ze_sampler_free(s);

    p.presence_penalty = 0;
    p.frequency_penalty = 0.2F;
    s = sampler(&p, prompt, 3);
    const int32_t want[] = {10, 10, 10, 11, 10, 11};
    for (uint64_t i = 0; i < 6; i++)
        ck_assert_int_eq(draw(s, i), want[i]);
    ze_sampler_free(s);
}
END_TEST

START_TEST(bias_moves_a_token)
{
    struct ze_sample_params p = neutral();
    struct ze_logit_bias bias[] = {{11, 5}, {10, -100}};

    p.temperature = 0;
    p.bias = bias;
    p.n_bias = 2;
    set_logits(3, 0, 4);
    struct ze_sampler *s = sampler(&p, NULL, 0);
    bias[0].bias = 0; /* it was copied */
    ck_assert_int_eq(draw(s, 0), 11);
    ck_assert_float_eq(logits[11], 0);
    ze_sampler_free(s);
}
END_TEST

START_TEST(logprobs_are_of_the_unchanged_distribution)
{
    struct ze_sample_params p = neutral();
    struct ze_logit_bias bias[] = {{11, 50}};
    struct ze_sampled out;
    double sum = 0;

    random_logits(9, 4);
    p.temperature = 0.1F;
    p.bias = bias;
    p.n_bias = 1;
    p.logprobs = 20;
    struct ze_sampler *s = sampler(&p, NULL, 0);
    t_assert_err(ze_sampler_draw(s, logits, 0, &out, &dg), ZC_OK, &dg);
    for (int i = 0; i < V; i++)
        sum += exp(logits[i]);
    ck_assert_int_eq(out.id, 11);
    ck_assert_double_eq_tol(out.logprob, logits[11] - log(sum), 1e-5);
    ck_assert_int_eq(out.n_top, 20);
    for (int i = 0; i < 20; i++) {
        ck_assert_double_eq_tol(out.top_logprob[i], logits[out.top_id[i]] - log(sum), 1e-5);
        int above = 0;
        for (int k = 0; k < V; k++)
            above += logits[k] > logits[out.top_id[i]];
        ck_assert_int_eq(above, i);
    }
    ze_sampler_free(s);
}
END_TEST

START_TEST(a_parameter_out_of_range_is_named)
{
    struct ze_logit_bias bias[] = {{V, 1}};
    struct ze_sample_params p;
#define refused(field, value, word)                                       \
    do {                                                                  \
        p = neutral();                                                    \
        p.field = (value);                                                \
        t_assert_err(ze_sample_params_check(&p, V, &dg), ZC_EINVAL, &dg); \
        ck_assert_ptr_nonnull(strstr(dg.text, word));                     \
    } while (0)
    refused(temperature, -0.1F, "temperature");
    refused(temperature, NAN, "temperature");
    refused(temperature, INFINITY, "temperature");
    refused(top_k, -1, "top_k");
    refused(top_p, 1.01F, "top_p");
    refused(min_p, -1, "min_p");
    refused(typical_p, 2, "typical_p");
    refused(repetition_penalty, 0, "repetition_penalty");
    refused(presence_penalty, 3, "presence_penalty");
    refused(frequency_penalty, NAN, "frequency_penalty");
    refused(logprobs, 21, "logprobs");
    p = neutral();
    p.repetition_penalty = 0.01F;
    t_assert_err(ze_sample_params_check(&p, V, &dg), ZC_OK, &dg);
    p = neutral();
    p.bias = bias;
    p.n_bias = 1;
    t_assert_err(ze_sample_params_check(&p, V, &dg), ZC_EINVAL, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "300"));
}
END_TEST

START_TEST(failing_memory_is_an_error_and_leaks_nothing)
{
    struct ze_sample_params p = neutral();
    struct ze_sampler *s = NULL;
    int r = ZC_ENOMEM, n = 0;
    const int32_t bad = V;

    p.typical_p = 0.5F;
    p.frequency_penalty = 1;
    while (r == ZC_ENOMEM) {
        zc_mem_fail_at(++n);
        r = ze_sampler_new(&s, &p, V, NULL, 0);
        zc_mem_fail_at(0);
    }
    ck_assert_int_eq(r, ZC_OK);
    ck_assert_int_eq(n, 8);
    ze_sampler_free(s);
    ck_assert_int_eq(ze_sampler_new(&s, &p, V, &bad, 1), ZC_EINVAL);
    ze_sampler_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine sample");
    TCase *t = tcase_create("filters");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, temperature_alone_draws_the_softmax);
    tcase_add_test(t, top_k_keeps_k);
    tcase_add_test(t, top_p_keeps_the_fewest_that_reach_it);
    tcase_add_test(t, min_p_keeps_what_is_near_the_best);
    tcase_add_test(t, typical_keeps_what_is_near_the_entropy);
    tcase_add_test(t, all_filters_together_match_the_definition);
    tcase_add_test(t, equal_logits_go_to_the_lower_id);
    suite_add_tcase(s, t);

    t = tcase_create("changes");
    tcase_add_test(t, repetition_penalty_covers_prompt_and_reply);
    tcase_add_test(t, presence_and_frequency_cover_the_reply_alone);
    tcase_add_test(t, bias_moves_a_token);
    tcase_add_test(t, logprobs_are_of_the_unchanged_distribution);
    suite_add_tcase(s, t);

    t = tcase_create("rest");
    tcase_add_test(t, a_logit_that_is_no_number_is_an_error);
    tcase_add_test(t, the_seed_decides_and_nothing_else);
    tcase_add_test(t, weights_are_those_of_the_softmax);
    tcase_add_test(t, random_numbers_match_the_published_vectors);
    tcase_add_test(t, a_parameter_out_of_range_is_named);
    tcase_add_test(t, failing_memory_is_an_error_and_leaks_nothing);
    suite_add_tcase(s, t);
    return t_run(s);
}
