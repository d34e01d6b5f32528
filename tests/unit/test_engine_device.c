/* SPDX-License-Identifier: MIT */
/* The memory of an engine on a GPU, on the simulator: what is planned is what is taken, on the
 * device and beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_engine.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"

#define LEN 37
#define V   96

static struct zc_diag dg;
static int32_t prompt[LEN];

static struct ze_opts options(const char *dir)
{
    struct ze_opts o = t_engine_options(dir);
    o.backend = "cuda";
    return o;
}

/* The plan; what the simulated driver keeps of a first opening is in it. */
static int plan(const struct ze_opts *o, struct ze_plan *ret_p)
{
    ze_engine_check(o, NULL, &dg);
    return ze_engine_check(o, ret_p, &dg);
}

/* ---- the embedding ------------------------------------------------------------------------- */

/* Logits after the prompt. */
static void compute(struct ze_engine *e, float *ret)
{
    struct ze_work w = {.seq = t_engine_seq(e, 1, prompt, LEN), .n_rows = LEN, .want_logits = true};
    w.is_prompt = true;
    t_engine_run(e, &w, 1);
    memcpy(ret, w.logits, V * sizeof *ret);
    ze_seq_free(w.seq);
}

/* In host memory, beside the limit; where that is not to be had, in the device's, which is said,
 * with the same bits. Tied or not, the head is a matrix of its own on the device. */
START_TEST(the_embedding_is_in_host_memory)
{
    struct ze_plan planned, kept;
    float want[V], got[V];
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    tiny.tied = _i & 1;
    tiny.wide = _i & 2 ? "embed_tokens" : NULL;
    t_engine_ids(prompt, LEN, V, 7);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.head_bits = _i & 1 ? 16 : 8;
    t_assert_err(plan(&o, &planned), ZC_OK, &dg);
    struct ze_engine *e = t_engine_open(&o);
    ck_assert_mem_eq(ze_engine_plan(e), &planned, sizeof planned);
    ck_assert_ptr_null(ze_engine_notice(e));
    ck_assert(planned.host_apart && planned.embed_on_host);
    ck_assert_uint_eq(planned.embedding, (uint64_t)V * 64 * (_i & 2 ? 4 : 2));
    ck_assert_uint_ge(planned.host, planned.embedding);
    ck_assert_uint_eq(planned.total,
                      planned.weights + planned.kv + planned.scratch + planned.backend);
    compute(e, want);
    ze_engine_free(e);

    ck_assert_int_eq(setenv("CUDASIM_FAIL", "pinned:2", 1), 0); /* the first is the device's own */
    e = t_engine_open(&o);
    kept = *ze_engine_plan(e);
    ck_assert(!kept.embed_on_host);
    ck_assert_ptr_nonnull(strstr(ze_engine_notice(e), "the embedding lies in the GPU's memory"));
    ck_assert_ptr_nonnull(strstr(ze_engine_notice(e), "can't be pinned"));
    ck_assert_uint_eq(kept.weights, planned.weights + planned.embedding);
    ck_assert_uint_eq(kept.host, planned.host - planned.embedding);
    compute(e, got);
    ck_assert_mem_eq(got, want, sizeof want);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* Neither here nor there: refused, before anything else is taken. */
START_TEST(no_room_for_the_embedding_is_refused)
{
    struct ze_engine *e = NULL;
    struct ze_plan planned;
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.max_seqs = 1;
    t_assert_err(plan(&o, &planned), ZC_OK, &dg);
    o.memory_limit = planned.total;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_OK, &dg);
    ck_assert_int_eq(setenv("CUDASIM_FAIL", "pinned:2", 1), 0);
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "the model does not fit"));
    t_dir_remove(dir);
}
END_TEST

/* A table as large as tables get, 128 GiB: where main memory has no room for it, the plan keeps it
 * on the device. */
START_TEST(the_plan_knows_main_memory)
{
    struct ze_plan p;
    struct ze_opts o = options(NULL);
    char *dir = t_dir_new(), path[4096];

    t_dir_write_text(dir, "shape.json",
                     "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\","
                     " \"hidden_size\": 65536, \"num_hidden_layers\": 1, \"vocab_size\": 1048576,"
                     " \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"head_dim\": 64,"
                     " \"intermediate_size\": 64, \"max_position_embeddings\": 1024,"
                     " \"rms_norm_eps\": 1e-5, \"hidden_act\": \"silu\"}");
    snprintf(path, sizeof path, "%s/shape.json", dir);
    ck_assert_int_eq(setenv("CUDASIM_MEMORY", "4000000", 1), 0);
    o.dir = path;
    o.random_weights = true;
    o.memory_limit = 0;
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    const uint64_t host = p.host + (p.embed_on_host ? 0 : p.embedding);
    ck_assert_uint_eq(p.embedding, 1ull << 37);
    ck_assert_int_eq(p.embed_on_host, p.host_had == 0);
    ck_assert(p.embed_on_host || host + p.staging > p.host_had);
    ck_assert_uint_eq(p.weights_form[ZK_W16] >> 37, !p.embed_on_host);
    t_dir_remove(dir);
}
END_TEST

/* ---- after READY --------------------------------------------------------------------------- */

#define SEQS 6

static uint64_t device_used(struct ze_engine *e)
{
    uint64_t free_bytes, all;

    ze_engine_zk_dev(e)->ops->memory(ze_engine_zk_dev(e), &free_bytes, &all);
    return all - free_bytes;
}

/* Sampler i of a few that between them want everything: what the device draws, and what it does
 * not. */
static struct ze_sampler *sampler_of(int i)
{
    struct ze_sampler *s = NULL;
    struct ze_sample_params p;

    ze_sample_params_init(&p);
    p.temperature = i == 0 ? 0 : 1.2F;
    p.top_k = i == 1 ? 20 : p.top_k;
    p.top_p = i == 2 ? 0.9F : p.top_p;
    p.min_p = i == 3 ? 0.02F : p.min_p;
    p.repetition_penalty = i == 4 ? 1.3F : p.repetition_penalty;
    p.logprobs = i == 5 ? 2 : p.logprobs;
    ck_assert_int_eq(ze_sampler_new(&s, &p, V, prompt, LEN), ZC_OK);
    return s;
}

/* Prompts of n tokens, n being all kinds of rest, then steps of all of 1 .. SEQS rows, drawn. */
static void run_all(struct ze_engine *e)
{
    struct ze_work w[SEQS] = {0};
    struct ze_sampler *s[SEQS];

    for (int i = 0; i < SEQS; i++) {
        const int n = 1 + i * 7;
        w[i].seq = t_engine_seq(e, (uint64_t)i, prompt, n);
        ck_assert_int_eq(ze_seq_reserve(w[i].seq, (size_t)n + 2 * SEQS), ZC_OK);
        w[i].n_rows = n;
        w[i].is_prompt = true;
        w[i].want_logits = true;
        w[i].sampler = s[i] = sampler_of(i);
    }
    t_engine_run(e, w, SEQS);
    for (int n = 1; n <= SEQS; n++) {
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(ze_seq_append(w[i].seq, prompt[n]), ZC_OK);
            w[i].n_rows = 1;
            w[i].is_prompt = false;
            w[i].want_logits = i != 2 || n == 4; /* not of all rows: not as recorded */
        }
        t_engine_run(e, w, n);
    }
    for (int i = 0; i < SEQS; i++) {
        ze_seq_free(w[i].seq);
        ze_sampler_free(s[i]);
    }
}

/* From READY on the simulator gives no memory any more, neither the device's nor pinned, and loads
 * no code. What was taken until then is what was planned at most. */
START_TEST(nothing_is_taken_after_ready)
{
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    tiny.D = _i & 1 ? 64 : tiny.D;
    t_engine_ids(prompt, LEN, V, 7);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.kv_f8 = _i & 2;
    o.strict = _i & 4;
    struct ze_engine *e = t_engine_open(&o);
    const struct ze_plan *p = ze_engine_plan(e);
    ck_assert_uint_le(device_used(e), p->total);
    ck_assert_uint_gt(device_used(e), p->weights + p->kv + p->scratch);
    ck_assert_int_eq(setenv("CUDASIM_FAIL", "frozen", 1), 0);
    const uint64_t used = device_used(e);
    run_all(e);
    ck_assert_uint_eq(device_used(e), used);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* ---- promised and filled ------------------------------------------------------------------- */

/* The target's context in the memory that the project promises it in. */
START_TEST(the_targets_context_fits)
{
    struct ze_opts o = {
        .backend = "cuda",
        .random_weights = true,
        .head_bits = 8,
        .context = 32768,
        .kv_f8 = _i,
        .memory_limit = (_i ? 15ull : 22ull) << 30,
    };
    const char *src = getenv("top_srcdir");
    struct ze_plan p;
    char path[4096];

    snprintf(path, sizeof path, "%s/tests/bench/shape-24b.json", src ? src : ".");
    o.dir = path;
    ck_assert_int_eq(setenv("CUDASIM_MEMORY", "24000", 1), 0); /* a card of 24 GB */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    ck_assert_int_eq(p.context, 32768);
    ck_assert_int_ge(p.kv_pages, 32768 / ZK_PAGE);
    ck_assert_uint_le(p.total, o.memory_limit);
    o.memory_limit = 14ull << 30; /* not there */
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_ELIMIT, &dg);
}
END_TEST

/* A small model, and a device that has what is planned and not a MiB more: every page is written,
 * to the last token that was promised. */
START_TEST(what_is_promised_can_be_filled)
{
    enum { CONTEXT = 1024 };
    struct ze_seq *s[SEQS];
    struct ze_kv_stats st;
    struct ze_plan planned;
    struct t_tiny tiny;
    int n = 0, r = ZC_OK;
    char mib[32];

    t_tiny_init(&tiny);
    int32_t *ids = zc_xcalloc(CONTEXT, sizeof *ids);
    t_engine_ids(ids, CONTEXT, V, 3);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.context = CONTEXT;
    o.kv_f8 = _i;
    o.max_seqs = 3;
    t_assert_err(ze_engine_check(&o, &planned, &dg), ZC_OK, &dg);
    o.memory_limit = planned.total - planned.kv / 3 + (planned.kv_page_bytes / 2);
    snprintf(mib, sizeof mib, "%llu", (unsigned long long)(o.memory_limit >> 20) + 1);
    ck_assert_int_eq(setenv("CUDASIM_MEMORY", mib, 1), 0);
    struct ze_engine *e = t_engine_open(&o);
    const int pages = ze_engine_plan(e)->kv_pages;
    ck_assert_int_ge(pages, CONTEXT / ZK_PAGE);
    ck_assert_int_lt(pages, planned.kv_pages);
    while (n < SEQS && r == ZC_OK) { /* as many as are let in */
        ids[0] = n;
        r = ze_seq_new(&s[n], e, 1, ids, CONTEXT, 0, &dg);
        n += r == ZC_OK;
    }
    ck_assert_int_eq(n, pages / (CONTEXT / ZK_PAGE));
    for (int i = 0; i < n; i++) {
        struct ze_work w = {.seq = s[i], .n_rows = CONTEXT, .is_prompt = true, .want_logits = true};
        t_engine_run(e, &w, 1);
    }
    ze_engine_kv_stats(e, &st);
    ck_assert_uint_eq(st.pages_used, (size_t)n * CONTEXT / ZK_PAGE);
    while (n > 0)
        ze_seq_free(s[--n]);
    ze_engine_free(e);
    zc_free(ids);
    t_dir_remove(dir);
}
END_TEST

static Suite *engine_device_suite(void)
{
    Suite *s = suite_create("engine-device");
    TCase *t = tcase_create("memory");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, the_embedding_is_in_host_memory, 0, 4);
    tcase_add_test(t, no_room_for_the_embedding_is_refused);
    tcase_add_test(t, the_plan_knows_main_memory);
    tcase_add_loop_test(t, nothing_is_taken_after_ready, 0, 8);
    tcase_add_loop_test(t, the_targets_context_fits, 0, 2);
    tcase_add_loop_test(t, what_is_promised_can_be_filled, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    const char *build = getenv("top_builddir");
    char dir[4096], file[4200];

    snprintf(dir, sizeof dir, "%s/tests/cudasim/plain", build ? build : ".");
    snprintf(file, sizeof file, "%s/libzorac-cuda.so", dir);
    if (access(file, R_OK) != 0) {
        puts("no C++ compiler: the CUDA simulator is not built");
        return 77;
    }
    setenv("ZORAC_PLUGINS", dir, 1);
    return t_run(engine_device_suite());
}
