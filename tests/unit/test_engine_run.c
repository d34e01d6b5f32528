/* SPDX-License-Identifier: MIT */
/* Unit tests of the engine as a whole, on small models with random weights: the same bits in any
 * company, what is planned is what is allocated, a step allocates nothing, and files that
 * contradict their configuration are refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_engine.h"

static struct zc_diag dg;

/* ---- every allocation is counted: the linker sends them here ------------------------------- */

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
int __real_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d);
int __wrap_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d);

static int n_host_allocs;
static uint64_t device_bytes, device_freed;
static struct zk_ops counted_ops;
static const struct zk_ops *real_ops;
static bool is_far; /* as if device memory were not the host's */

void *__wrap_malloc(size_t n)
{
    n_host_allocs++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_host_allocs++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_host_allocs++;
    return __real_realloc(p, n);
}

static int counted_alloc(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *d)
{
    device_bytes += bytes;
    return real_ops->alloc(dev, ret_p, bytes, d);
}

static void counted_free(struct zk_dev *dev, void *p, size_t bytes)
{
    device_freed += bytes;
    real_ops->free(dev, p, bytes);
}

int __wrap_zk_cpu_open(struct zk_dev **ret, const struct zk_cpu_opts *opts, struct zc_diag *d)
{
    int r = __real_zk_cpu_open(ret, opts, d);
    if (r < 0)
        return r;
    real_ops = (*ret)->ops;
    counted_ops = *real_ops;
    counted_ops.alloc = counted_alloc;
    counted_ops.free = counted_free;
    (*ret)->ops = &counted_ops;
    (*ret)->is_host = !is_far;
    return r;
}

/* ---- helpers ------------------------------------------------------------------------------- */

static struct ze_opts options(const char *dir)
{
    return (struct ze_opts){
        .dir = dir,
        .caps = ZK_CAP_ALL,
        .threads = 1,
        .head_bits = 8,
        .context = 256,
        .max_seqs = 6,
        .prefill_chunk = 32,
        .logit_rows = 64,
        .memory_limit = 1 << 30,
    };
}

static struct ze_engine *open_engine(const struct ze_opts *o)
{
    struct ze_engine *e = NULL;
    t_assert_err(ze_engine_open(&e, o, NULL, NULL, NULL, &dg), ZC_OK, &dg);
    return e;
}

static void fill_ids(int32_t *ids, int n, int V, unsigned seed)
{
    uint32_t rng = seed * 2654435761u | 1;
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(t_random(&rng) % (uint32_t)V);
}

static struct ze_seq *sequence(struct ze_engine *e, uint64_t root, const int32_t *ids, int n)
{
    struct ze_seq *s = NULL;
    t_assert_err(ze_seq_new(&s, e, root, ids, (size_t)n, 0, &dg), ZC_OK, &dg);
    return s;
}

static void run(struct ze_engine *e, struct ze_work *w, int n)
{
    t_assert_err(ze_step(e, w, n, &dg), ZC_OK, &dg);
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
    struct ze_seq *s = sequence(e, 100, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = 1, .want_logits = true};

    for (int i = 0; i < LEN; i++) {
        run(e, &w, 1);
        memcpy(want[i], w.logits, sizeof want[0]);
    }
    ze_seq_free(s);
}

/* A new root each time: nothing comes from the cache. */
static void compute_in_chunks(struct ze_engine *e, int chunk, uint64_t root)
{
    struct ze_seq *s = sequence(e, root, prompt, LEN);

    ck_assert_uint_eq(ze_seq_cached(s), 0);
    for (int at = 0; at < LEN; at += chunk) {
        int n = chunk < LEN - at ? chunk : LEN - at;
        struct ze_work w = {.seq = s, .n_rows = n, .want_all = true};
        run(e, &w, 1);
        check_rows(w.logits, at, n, "in chunks");
    }
    ze_seq_free(s);
}

/* Pages alone, then logits of the last token. */
static void compute_last(struct ze_engine *e, int chunk, uint64_t root)
{
    struct ze_seq *s = sequence(e, root, prompt, LEN);
    struct ze_work w = {.seq = s};

    for (int at = 0; at < LEN; at += chunk) {
        w.n_rows = chunk < LEN - at ? chunk : LEN - at;
        w.want_logits = at + chunk >= LEN;
        run(e, &w, 1);
        ck_assert_int_eq(w.logits != NULL, w.want_logits);
    }
    check_rows(w.logits, LEN - 1, 1, "the last one");
    ze_seq_free(s);
}

static void compute_from_cache(struct ze_engine *e, uint64_t root)
{
    struct ze_seq *s = sequence(e, root, prompt, LEN);
    int at = (int)ze_seq_cached(s);
    struct ze_work w = {.seq = s, .n_rows = LEN - at, .want_all = true};

    ck_assert_int_eq(at, 48);
    run(e, &w, 1);
    check_rows(w.logits, at, LEN - at, "from the cache");
    ze_seq_free(s);
}

/* Beside others that prefill, decode, come and go. */
static void compute_in_company(struct ze_engine *e, unsigned seed)
{
    struct ze_seq *s = sequence(e, 500 + seed, prompt, LEN), *others[4];
    int32_t ids[4][100];
    uint32_t rng = seed * 31 + 7;

    for (int i = 0; i < 4; i++) {
        fill_ids(ids[i], 100, TINYV, seed * 10 + (unsigned)i);
        others[i] = sequence(e, 9, ids[i], 40 + 20 * i);
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
        run(e, w, n);
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

    fill_ids(prompt, LEN, t.V, 3);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct ze_opts o = options(dir);
        o.threads = threads;
        o.caps = variants[_i].caps;
        o.exact = variants[_i].exact;
        is_far = threads > 1;
        struct ze_engine *e = open_engine(&o);
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
    struct ze_opts o = options(dir);
    struct ze_engine *e = open_engine(&o);
    struct ze_kv_stats st;

    fill_ids(prompt, LEN, t.V, 3);
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
    struct ze_opts o = options(dir);
    o.exact = true;
    struct ze_engine *e = open_engine(&o);
    struct ze_seq *s = sequence(e, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true};

    run(e, &w, 1);
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
    fill_ids(prompt, LEN, t.V, 3);
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
    fill_ids(prompt, LEN, t.V, 3);
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
    struct ze_opts o = options(dir);
    for (int b = 0; b < 4; b++) {
        fill_ids(base[b], LEN, t.V, 50 + (unsigned)b);
        memcpy(base[b], base[0], (size_t)(8 * b) * sizeof base[0][0]);
    }
    struct ze_engine *e = open_engine(&o);
    for (int b = 0; b < 4; b++) {
        struct ze_seq *s = sequence(e, (uint64_t)b, base[b], LEN);
        struct ze_work w = {.seq = s, .n_rows = LEN, .want_all = true};
        run(e, &w, 1);
        memcpy(alone[b][1], w.logits, LEN * sizeof alone[0][0]);
        ze_seq_free(s);
    }
    ze_engine_free(e);

    o.context = 64;
    o.max_seqs = 2;
    e = open_engine(&o);
    ck_assert_int_eq(ze_engine_plan(e)->kv_pages, 8);
    for (int round = 0; round < 200; round++) {
        int b = (int)(t_random(&rng) % 4), n = 1 + (int)(t_random(&rng) % LEN);
        struct ze_seq *s = sequence(e, 1, base[b], n);
        cached += ze_seq_cached(s);
        struct ze_work w = {.seq = s, .n_rows = n - (int)ze_seq_computed(s), .want_logits = true};
        run(e, &w, 1);
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
    struct ze_opts o = options(dir);
    fill_ids(prompt, LEN, t.V, 3);

    struct ze_engine *e = open_engine(&o);
    struct ze_seq *s = sequence(e, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true};
    t_assert_err(ze_step(e, &w, 1, &dg), ZC_ELIMIT, &dg);
    ck_assert_uint_eq(ze_seq_computed(s), 0);
    t_assert_err(ze_step(e, &w, 1, &dg), ZC_ELIMIT, &dg); /* and again: nothing is lost */
    ze_seq_free(s);
    s = sequence(e, 1, prompt, LEN);
    ck_assert_uint_eq(ze_seq_cached(s), 0); /* what failed was not made findable */
    ze_seq_free(s);
    ze_engine_free(e);

    o.exact = true; /* floats hold it */
    e = open_engine(&o);
    s = sequence(e, 1, prompt, LEN);
    w.seq = s;
    run(e, &w, 1);
    ck_assert_uint_eq(ze_seq_computed(s), LEN);
    ze_seq_free(s);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* ---- the plan ------------------------------------------------------------------------------ */

START_TEST(what_is_planned_is_what_is_allocated)
{
    struct t_tiny t;
    struct ze_plan planned;
    t_tiny_init(&t);
    t.bits = _i == 0 ? 4 : _i == 1 ? 8 : _i == 2 ? 16 : 32;
    t.qkv_bias = _i == 1;
    t.architecture = _i == 1 ? "Qwen2ForCausalLM" : t.architecture;
    t.tied = _i == 2;
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    o.exact = _i == 3;

    t_assert_err(ze_engine_check(&o, &planned, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(device_bytes, 0);
    struct ze_engine *e = open_engine(&o);
    const struct ze_plan *p = ze_engine_plan(e);
    ck_assert_mem_eq(p, &planned, sizeof planned);
    ck_assert_uint_eq(device_bytes, p->weights + p->kv + p->scratch);
    ck_assert_uint_eq(p->kv, (uint64_t)p->kv_pages * p->kv_page_bytes);
    ck_assert_uint_eq(p->total, p->weights + p->kv + p->scratch + p->host);
    ck_assert_uint_le(p->total, p->available);
    uint64_t forms = 0;
    for (int i = 0; i < ZK_N_FORMS; i++)
        forms += p->weights_form[i];
    ck_assert_uint_lt(forms, p->weights);
    ze_engine_free(e);
    ck_assert_uint_eq(device_freed, device_bytes);
    t_dir_remove(dir);
}
END_TEST

START_TEST(a_step_allocates_nothing)
{
    struct t_tiny t;
    struct ze_sampled out;
    struct ze_sample_params params;
    struct ze_sampler *sampler;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    struct ze_engine *e = open_engine(&o);

    fill_ids(prompt, LEN, t.V, 3);
    struct ze_seq *s = NULL;
    t_assert_err(ze_seq_new(&s, e, 1, prompt, LEN, 40, &dg), ZC_OK, &dg);
    ze_sample_params_init(&params);
    params.top_p = 0.9F;
    params.frequency_penalty = 0.5F;
    ck_assert_int_eq(ze_sampler_new(&sampler, &params, t.V, prompt, LEN), ZC_OK);
    n_host_allocs = 0;
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true};
    int r = 0;
    for (uint64_t i = 0; i < 40 && r >= 0; i++) {
        if ((r = ze_step(e, &w, 1, &dg)) < 0 ||
            (r = ze_sampler_draw(sampler, w.logits, i, &out, &dg)) < 0)
            break;
        r = ze_seq_append(s, out.id);
        w.n_rows = 1;
    }
    int allocs = n_host_allocs;
    t_assert_err(r, ZC_OK, &dg);
    ck_assert_int_eq(allocs, 0);
    ck_assert_int_eq(ze_seq_append(s, 0), ZC_ELIMIT); /* nothing more is reserved */
    ze_sampler_free(sampler);
    ze_seq_free(s);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_with_what_would)
{
    struct t_tiny t;
    struct ze_plan p;
    struct zc_buf text;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);

    o.exact = true; /* keys and values that weigh something */
    o.context = 1024;
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    o.memory_limit = p.total - p.kv + 40 * p.kv_page_bytes; /* of 64 pages that it takes */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_ELIMIT, &dg);
    int fits = 0;
    const char *advice = strstr(dg.text, "a context of ");
    ck_assert_msg(advice && sscanf(advice, "a context of %d fits", &fits) == 1, "%s", dg.text);
    ck_assert_int_gt(fits, 0);
    o.context = fits; /* the advice is good, and the best */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    ck_assert_uint_le(p.total, p.available);
    o.context = fits + 16;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_ELIMIT, &dg);
    o.memory_limit = 1000;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "nothing smaller"));

    o = options(dir);
    o.context = 0; /* the model's own, as all of it fits */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    ck_assert_int_eq(p.context, 1024);
    zc_buf_init(&text, 4096);
    ze_plan_describe(&p, &text);
    ck_assert_ptr_nonnull(strstr(zc_buf_str(&text), "1024 tokens a request"));
    zc_buf_release(&text);
    o.context = 1025;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_EINVAL, &dg);
    o.context = 0;
    o.memory_limit = 0; /* what the machine has */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    o.head_bits = 4;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_EINVAL, &dg);
    t_dir_remove(dir);
}
END_TEST

START_TEST(admission_says_never_and_not_now)
{
    struct t_tiny t;
    struct ze_plan p;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    o.memory_limit = p.total - p.kv + 20 * p.kv_page_bytes; /* a context and a bit */
    struct ze_engine *e = open_engine(&o);
    struct ze_seq *a = NULL, *b = NULL;
    int pages = ze_engine_plan(e)->kv_pages;

    ck_assert_int_ge(pages, 16);
    ck_assert_int_lt(pages, 32);
    fill_ids(prompt, LEN, t.V, 3);
    t_assert_err(ze_seq_new(&b, e, 1, prompt, LEN, 256, &dg), ZC_ELIMIT, &dg);
    t_assert_err(ze_seq_new(&b, e, 1, prompt, 0, 1, &dg), ZC_EINVAL, &dg);
    prompt[7] = t.V;
    t_assert_err(ze_seq_new(&b, e, 1, prompt, LEN, 1, &dg), ZC_EINVAL, &dg);
    prompt[7] = 0;
    t_assert_err(ze_seq_new(&a, e, 1, prompt, LEN, 100, &dg), ZC_OK, &dg);
    t_assert_err(ze_seq_new(&b, e, 1, prompt, LEN, 203, &dg), ZC_EBUSY, &dg);
    ck_assert_int_eq(ze_seq_reserve(a, 257), ZC_ELIMIT);
    ck_assert_int_eq(ze_seq_reserve(a, 256), ZC_OK);
    ck_assert_int_eq(ze_seq_reserve(a, 3), ZC_OK);
    ck_assert_ptr_null(b);
    ze_seq_free(a);
    t_assert_err(ze_seq_new(&b, e, 1, prompt, LEN, 203, &dg), ZC_OK, &dg);
    struct ze_work w[2] = {{.seq = b, .n_rows = LEN + 1}, {.seq = b, .n_rows = 1}};
    t_assert_err(ze_step(e, w, 1, &dg), ZC_EINVAL, &dg);
    w[0].n_rows = 1;
    t_assert_err(ze_step(e, w, 2, &dg), ZC_EINVAL, &dg);
    t_assert_err(ze_step(e, w, 0, &dg), ZC_EINVAL, &dg);
    ze_seq_free(b);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* ---- binding ------------------------------------------------------------------------------- */

static void expect_refusal(const struct t_tiny *t, const char *word)
{
    char *dir = t_tiny_write(t);
    struct ze_opts o = options(dir);

    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_EFORMAT, &dg);
    ck_assert_msg(strstr(dg.text, word), "\"%s\" does not say %s", dg.text, word);
    t_dir_remove(dir);
}

START_TEST(a_config_that_contradicts_its_tensors_is_refused_by_name)
{
    const char *const names[] = {
        "model.embed_tokens.weight", "model.norm.weight", "model.layers.1.input_layernorm.weight",
        "model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.k_proj.weight"};
    struct t_tiny t;

    t_tiny_init(&t);
    t.bits = 16;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char module[64];
        snprintf(module, sizeof module, "%.*s", (int)(strlen(names[i]) - strlen(".weight")),
                 names[i]);
        t.leave_out = names[i];
        expect_refusal(&t, module);
    }
    t.leave_out = NULL;
    t.extra = "model.layers.2.input_layernorm.weight";
    expect_refusal(&t, t.extra);
    t.extra = "model.layers.0.self_attn.q_norm.weight";
    expect_refusal(&t, t.extra);
    t.extra = NULL;
    t.qkv_bias = true; /* this architecture has none */
    expect_refusal(&t, "q_proj.bias");
    t.qkv_bias = false;
    t.architecture = "Qwen2ForCausalLM"; /* this one must have them */
    expect_refusal(&t, "q_proj.bias");
    t.architecture = "LlamaForCausalLM";
    t.extra = "model.layers.0.self_attn.rotary_emb.inv_freq"; /* old files have it */
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_OK, &dg);
    t_dir_remove(dir);
}
END_TEST

START_TEST(wrong_shapes_name_the_tensor_and_both)
{
    struct t_tiny t;
    t_tiny_init(&t);
    t.bits = 16;
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    size_t n;
    char *text = (char *)t_dir_read(dir, "config.json", &n);
    const struct {
        const char *from, *to, *tensor, *shapes[2];
    } cases[] = {
        {"vocab_size\": 96",
         "vocab_size\": 95",
         "model.embed_tokens.weight",
         {"96 x 64", "95 x 64"}},
        {"head_dim\": 16", "head_dim\": 18", "self_attn.q_proj.weight", {"64 x 64", "72 x 64"}},
        {"intermediate_size\": 96",
         "intermediate_size\": 97",
         "mlp.gate_proj.weight",
         {"96 x 64", "97 x 64"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char changed[2000];
        const char *at = strstr(text, cases[i].from);
        const char *rest = at + strlen(cases[i].from);
        snprintf(changed, sizeof changed, "%.*s%s%.*s", (int)(at - text), text, cases[i].to,
                 (int)(text + n - rest), rest);
        t_dir_write_text(dir, "config.json", changed);
        t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_EFORMAT, &dg);
        ck_assert_msg(strstr(dg.text, cases[i].tensor) && strstr(dg.text, cases[i].shapes[0]) &&
                          strstr(dg.text, cases[i].shapes[1]),
                      "%s", dg.text);
    }
    free(text);
    t_dir_remove(dir);
}
END_TEST

START_TEST(an_8_bit_head_is_near_the_16_bit_one)
{
    struct t_tiny t;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);
    struct ze_engine *a = open_engine(&o);
    o.head_bits = 16;
    struct ze_engine *b = open_engine(&o);
    fill_ids(prompt, LEN, t.V, 3);
    struct ze_seq *s = sequence(a, 1, prompt, LEN), *q = sequence(b, 1, prompt, LEN);
    struct ze_work w = {.seq = s, .n_rows = LEN, .want_logits = true}, v = w;
    v.seq = q;
    run(a, &w, 1);
    run(b, &v, 1);
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

START_TEST(opening_survives_failing_memory)
{
    struct t_tiny t;
    struct ze_engine *e = NULL;
    int r = ZC_ENOMEM, n = 0;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);

    while (r < 0 && n < 3000) {
        zc_mem_fail_at(++n);
        r = ze_engine_open(&e, &o, NULL, NULL, NULL, &dg);
        zc_mem_fail_at(0);
        if (r < 0)
            ck_assert_int_eq(r, ZC_ENOMEM);
    }
    ck_assert_int_eq(r, ZC_OK);
    ck_assert_int_gt(n, 5);
    ze_engine_free(e);
    ck_assert_uint_eq(device_freed, device_bytes);
    t_dir_remove(dir);
}
END_TEST

START_TEST(opening_can_be_cancelled)
{
    struct t_tiny t;
    struct ze_engine *e = NULL;
    atomic_bool cancel = true;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = options(dir);

    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, &cancel, &dg), ZC_ECANCELED, &dg);
    ck_assert_ptr_null(e);
    o.backend = "cuda";
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_EUNSUPPORTED, &dg);
    o.backend = "tpu";
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_EINVAL, &dg);
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

    t = tcase_create("plan");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_planned_is_what_is_allocated, 0, 4);
    tcase_add_test(t, a_step_allocates_nothing);
    tcase_add_test(t, what_does_not_fit_is_refused_with_what_would);
    tcase_add_test(t, admission_says_never_and_not_now);
    suite_add_tcase(s, t);

    t = tcase_create("open");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_config_that_contradicts_its_tensors_is_refused_by_name);
    tcase_add_test(t, wrong_shapes_name_the_tensor_and_both);
    tcase_add_test(t, opening_survives_failing_memory);
    tcase_add_test(t, opening_can_be_cancelled);
    suite_add_tcase(s, t);
    return t_run(s);
}
