/* SPDX-License-Identifier: MIT */
/* Unit tests of the engine's results on small models with random weights: the same bits in any
 * company, and the same numbers by any other way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_engine.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"

static struct zc_diag dg;

/* ---- the device, as if its memory were not the host's: the linker sends its opening here ---- */

int __real_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d);
int __wrap_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d);

static bool is_far;

static void far_memory(struct zk_dev *dev, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)dev;
    *ret_free = *ret_total = (uint64_t)4 << 30;
}

int __wrap_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d)
{
    static struct zk_ops far_ops;
    int r = __real_zk_cpu_open(ret, opts, d);
    if (r < 0 || !is_far)
        return r;
    far_ops = *(*ret)->ops;
    far_ops.memory = far_memory;
    (*ret)->ops = &far_ops;
    (*ret)->is_host = false;
    return ZC_OK;
}

/* ---- the same bits in any company ---------------------------------------------------------- */

#define LEN   53
#define TINYV 96

static int32_t prompt[LEN];
static float want[LEN][TINYV]; /* each token computed by itself, alone */

static void check_rows(const float *got, int first, int n, const char *how)
{
    ck_assert_msg(memcmp(got, want[first], (size_t)n * sizeof want[0]) == 0,
                  "%s: logits of %d to %d differ", how, first, first + n - 1);
}

static void compute_alone(struct ze_engine *e)
{
    struct ze_seq *s = t_engine_seq(e, 100, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = 1, .want_logits = true};

    for (int i = 0; i < LEN; i++) {
        t_engine_run(e, &w, 1);
        memcpy(want[i], w.logits, sizeof want[0]);
    }
    ze_seq_free(s);
}

/* A new root each time: nothing comes from the cache. */
static void compute_in_chunks(struct ze_engine *e, int chunk, uint64_t root)
{
    struct ze_seq *s = t_engine_seq(e, root, prompt, LEN);

    ck_assert_uint_eq(ze_seq_cached(s), 0);
    for (int at = 0; at < LEN; at += chunk) {
        int n = chunk < LEN - at ? chunk : LEN - at;
        struct ze_work w = {.seq = s, .n_rows = n, .want_all = true};
        t_engine_run(e, &w, 1);
        check_rows(w.logits, at, n, "in chunks");
    }
    ze_seq_free(s);
}

/* Pages alone, then logits of the last token. */
static void compute_last(struct ze_engine *e, int chunk, uint64_t root)
{
    struct ze_seq *s = t_engine_seq(e, root, prompt, LEN);
    struct ze_work w = {.seq = s};

    for (int at = 0; at < LEN; at += chunk) {
        w.n_rows = chunk < LEN - at ? chunk : LEN - at;
        w.want_logits = at + chunk >= LEN;
        t_engine_run(e, &w, 1);
        ck_assert_int_eq(w.logits != NULL, w.want_logits);
    }
    check_rows(w.logits, LEN - 1, 1, "the last one");
    ze_seq_free(s);
}

static void compute_from_cache(struct ze_engine *e, uint64_t root)
{
    struct ze_seq *s = t_engine_seq(e, root, prompt, LEN);
    int at = (int)ze_seq_cached(s);
    struct ze_work w = {.seq = s, .n_rows = LEN - at, .want_all = true};

    ck_assert_int_eq(at, LEN - 1); /* all but the last one */
    t_engine_run(e, &w, 1);
    check_rows(w.logits, at, LEN - at, "from the cache");
    ze_seq_free(s);
}

/* Beside others that prefill, decode, come and go. */
static void compute_in_company(struct ze_engine *e, unsigned seed)
{
    struct ze_seq *s = t_engine_seq(e, 500 + seed, prompt, LEN), *others[4];
    int32_t ids[4][100];
    uint32_t rng = seed * 31 + 7;

    for (int i = 0; i < 4; i++) {
        t_engine_ids(ids[i], 100, TINYV, seed * 10 + (unsigned)i);
        others[i] = t_engine_seq(e, 9, ids[i], 40 + 20 * i);
    }
    while (ze_seq_computed(s) < LEN) {
        struct ze_work w[5];
        int n = 0, mine = 0, at = (int)ze_seq_computed(s);
        for (int i = 0; i < 5; i++) {
            struct ze_seq *q = i == (int)(seed % 5) ? s : others[i > (int)(seed % 5) ? i - 1 : i];
            int left = (int)(ze_seq_len(q) - ze_seq_computed(q));
            int rows = 1 + (int)(t_random(&rng) % 3 ? 0 : t_random(&rng) % 11);
            if (left == 0)
                continue;
            if (q == s)
                mine = n;
            w[n++] = (struct ze_work){.seq = q,
                                      .n_rows = rows < left ? rows : left,
                                      .want_all = q == s,
                                      .want_logits = true};
        }
        t_engine_run(e, w, n);
        check_rows(w[mine].logits, at, w[mine].n_rows, "in company");
    }
    ze_seq_free(s);
    for (int i = 0; i < 4; i++)
        ze_seq_free(others[i]);
}

static const struct {
    int bits;
    unsigned caps;
    bool exact;
    const char *name;
} variants[] = {
    {4, ZK_CAP_ALL, false, "W4A, all"},
    {8, ZK_CAP_ALL, false, "W8A, all"},
    {16, ZK_CAP_ALL, false, "bf16, all"},
    {4, ZK_CAP_ALL, true, "W4A, exact"},
    {4, ZK_CAP_PORTABLE, false, "W4A, portable"},
    {4, ZK_CAP_PORTABLE | ZK_CAP_AVX2, false, "W4A, avx2"},
    {4, ZK_CAP_PORTABLE | ZK_CAP_AVX2, true, "W4A, avx2, exact"},
    {4, 0, true, "W4A, reference"},
};

START_TEST(bits_do_not_depend_on_company_chunks_cache_or_threads)
{
    struct t_tiny t;
    t_tiny_init(&t);
    t.bits = variants[_i].bits;
    char *dir = t_tiny_write(&t);

    t_engine_ids(prompt, LEN, t.V, 3);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct ze_opts o = t_engine_options(dir);
        o.threads = threads;
        o.caps = variants[_i].caps;
        o.exact = variants[_i].exact;
        is_far = threads > 1;
        struct ze_engine *e = t_engine_open(&o);
        if (threads == 1)
            compute_alone(e);
        const int chunks[] = {2, 3, 5, 8, 16, 17, 31, 53};
        for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
            compute_in_chunks(e, chunks[i], 200 + i);
            compute_last(e, chunks[i], 300 + i);
        }
        compute_from_cache(e, 200);
        for (unsigned seed = 0; seed < 5; seed++)
            compute_in_company(e, seed);
        ze_engine_free(e);
    }
    t_dir_remove(dir);
}
END_TEST

START_TEST(an_engine_ends_as_it_began)
{
    struct t_tiny t;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);
    struct ze_engine *e = t_engine_open(&o);
    struct ze_kv_stats st;

    t_engine_ids(prompt, LEN, t.V, 3);
    compute_alone(e);
    compute_in_company(e, 2);
    ze_engine_kv_stats(e, &st);
    ck_assert_uint_eq(st.pages_used, 0);
    ck_assert_uint_eq(st.pages_promised, 0);
    ck_assert_uint_gt(st.pages_cached, 0);
    ck_assert_uint_eq(st.pages_cached + st.pages_free, st.pages);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* ---- the same numbers another way ---------------------------------------------------------- */

/* Logits of the prompt's last token, in the exact mode. */
static void last_logits(const struct t_tiny *t, float *ret)
{
    char *dir = t_tiny_write(t);
    struct ze_opts o = t_engine_options(dir);
    o.exact = true;
    struct ze_engine *e = t_engine_open(&o);
    struct ze_seq *s = t_engine_seq(e, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true};

    t_engine_run(e, &w, 1);
    memcpy(ret, w.logits, sizeof want[0]);
    ze_seq_free(s);
    ze_engine_free(e);
    t_dir_remove(dir);
}

static double distance(const float *a, const float *b)
{
    double se = 0, ss = 0;
    for (int i = 0; i < TINYV; i++) {
        se += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        ss += (double)a[i] * a[i];
    }
    return se / ss;
}

START_TEST(matrices_apart_give_what_joined_ones_give)
{
    const char *const wide[] = {"k_proj.weight", "up_proj.weight", "v_proj", "gate_proj.weight"};
    struct t_tiny t;

    t_tiny_init(&t);
    t.bits = 16;
    t.qkv_bias = t.o_bias = t.mlp_bias = true;
    t.more = ", \"attention_bias\": true, \"mlp_bias\": true";
    t_engine_ids(prompt, LEN, t.V, 3);
    last_logits(&t, want[0]);
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        t.wide = wide[i];
        last_logits(&t, want[1]);
        double d = distance(want[0], want[1]);
        ck_assert_msg(d < 1e-10, "%s apart: %g", wide[i], d);
    }
    t.seed = 2; /* and the distance sees it when they differ */
    last_logits(&t, want[1]);
    ck_assert_double_gt(distance(want[0], want[1]), 0.01);
}
END_TEST

START_TEST(a_wrapped_model_gives_what_the_plain_one_gives)
{
    struct t_tiny t;

    t_tiny_init(&t);
    t.architecture = "MistralForCausalLM";
    t.more = ", \"sliding_window\": null, \"rope_theta\": 10000";
    t_engine_ids(prompt, LEN, t.V, 3);
    last_logits(&t, want[0]);
    t.architecture = "Mistral3ForConditionalGeneration";
    t.is_wrapped = true;
    last_logits(&t, want[1]);
    ck_assert_mem_eq(want[0], want[1], sizeof want[0]);
}
END_TEST

/* Few pages, many sequences with common beginnings: pages are shared, given up, computed again. */
START_TEST(pages_under_pressure_change_nothing)
{
    static float alone[4][LEN + 1][TINYV];
    int32_t base[4][LEN];
    struct t_tiny t;
    uint32_t rng = 77;
    size_t cached = 0;

    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);
    for (int b = 0; b < 4; b++) {
        t_engine_ids(base[b], LEN, t.V, 50 + (unsigned)b);
        memcpy(base[b], base[0], (size_t)(8 * b) * sizeof base[0][0]);
    }
    struct ze_engine *e = t_engine_open(&o);
    for (int b = 0; b < 4; b++) {
        struct ze_seq *s = t_engine_seq(e, (uint64_t)b, base[b], LEN);
        struct ze_work w = {.seq = s, .n_rows = LEN, .want_all = true};
        t_engine_run(e, &w, 1);
        memcpy(alone[b][1], w.logits, LEN * sizeof alone[0][0]);
        ze_seq_free(s);
    }
    ze_engine_free(e);

    o.context = 64;
    o.max_seqs = 2;
    e = t_engine_open(&o);
    ck_assert_int_eq(ze_engine_plan(e)->kv_pages, 8);
    for (int round = 0; round < 200; round++) {
        int b = (int)(t_random(&rng) % 4), n = 1 + (int)(t_random(&rng) % LEN);
        struct ze_seq *s = t_engine_seq(e, 1, base[b], n);
        cached += ze_seq_cached(s);
        struct ze_work w = {.seq = s, .n_rows = n - (int)ze_seq_computed(s), .want_logits = true};
        t_engine_run(e, &w, 1);
        if (memcmp(w.logits, alone[b][n], sizeof alone[0][0]) != 0)
            ck_abort_msg("round %d: text %d, %d tokens", round, b, n);
        ze_seq_free(s);
    }
    ck_assert_uint_gt(cached, 500);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

START_TEST(a_value_that_does_not_fit_its_page_is_an_error)
{
    struct t_tiny t;
    t_tiny_init(&t);
    t.bits = 16;
    t.qkv_bias = t.o_bias = true;
    t.more = ", \"attention_bias\": true";
    t.bias_size = 1e6F;
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);
    t_engine_ids(prompt, LEN, t.V, 3);

    struct ze_engine *e = t_engine_open(&o);
    struct ze_seq *s = t_engine_seq(e, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true};
    t_assert_err(ze_step(e, &w, 1, &dg), ZC_ELIMIT, &dg);
    ck_assert_uint_eq(ze_seq_computed(s), 0);
    t_assert_err(ze_step(e, &w, 1, &dg), ZC_ELIMIT, &dg); /* and again: nothing is lost */
    ze_seq_free(s);
    s = t_engine_seq(e, 1, prompt, LEN);
    ck_assert_uint_eq(ze_seq_cached(s), 0); /* what failed was not made findable */
    ze_seq_free(s);
    ze_engine_free(e);

    o.exact = true; /* floats hold it */
    e = t_engine_open(&o);
    s = t_engine_seq(e, 1, prompt, LEN);
    w.seq = s;
    t_engine_run(e, &w, 1);
    ck_assert_uint_eq(ze_seq_computed(s), LEN);
    ze_seq_free(s);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

START_TEST(an_8_bit_head_is_near_the_16_bit_one)
{
    struct t_tiny t;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);
    struct ze_engine *a = t_engine_open(&o);
    o.head_bits = 16;
    struct ze_engine *b = t_engine_open(&o);
    t_engine_ids(prompt, LEN, t.V, 3);
    struct ze_seq *s = t_engine_seq(a, 1, prompt, LEN), *q = t_engine_seq(b, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true}, v = w;
    v.seq = q;
    t_engine_run(a, &w, 1);
    t_engine_run(b, &v, 1);
    double se = 0, ss = 0;
    for (int i = 0; i < t.V; i++) {
        se += (double)(w.logits[i] - v.logits[i]) * (w.logits[i] - v.logits[i]);
        ss += (double)v.logits[i] * v.logits[i];
    }
    ck_assert_double_gt(se, 0);
    ck_assert_double_lt(se / ss, 5e-4);
    ze_seq_free(s);
    ze_seq_free(q);
    ze_engine_free(a);
    ze_engine_free(b);
    t_dir_remove(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine run");
    TCase *t = tcase_create("bits");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, bits_do_not_depend_on_company_chunks_cache_or_threads, 0,
                        sizeof variants / sizeof *variants);
    tcase_add_test(t, an_engine_ends_as_it_began);
    tcase_add_test(t, an_8_bit_head_is_near_the_16_bit_one);
    tcase_add_test(t, matrices_apart_give_what_joined_ones_give);
    tcase_add_test(t, a_wrapped_model_gives_what_the_plain_one_gives);
    tcase_add_test(t, pages_under_pressure_change_nothing);
    tcase_add_test(t, a_value_that_does_not_fit_its_page_is_an_error);
    suite_add_tcase(s, t);
    return t_run(s);
}
