/* SPDX-License-Identifier: MIT */
/* Unit tests of opening an engine: what is planned is what is allocated, a step allocates nothing,
 * what does not fit or contradicts itself is refused by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_mem.h"
#include "tests/unit/t_engine.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"

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
    return r;
}

#define LEN 53

static int32_t prompt[LEN];

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
    struct ze_opts o = t_engine_options(dir);
    o.exact = _i == 3;

    t_assert_err(ze_engine_check(&o, &planned, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(device_bytes, 0);
    struct ze_engine *e = t_engine_open(&o);
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
    struct ze_opts o = t_engine_options(dir);
    struct ze_engine *e = t_engine_open(&o);

    t_engine_ids(prompt, LEN, t.V, 3);
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
    struct ze_opts o = t_engine_options(dir);

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

    o = t_engine_options(dir);
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

/* From the configuration alone, against sums done by hand. */
START_TEST(the_targets_plan_is_as_it_must_be)
{
    const double linear = 22229811200.0, head = 131072.0 * 5120;
    struct ze_opts o = {
        .random_weights = true,
        .caps = ZK_CAP_ALL,
        .head_bits = 8,
        .context = 32768,
        .max_seqs = 16,
        .memory_limit = 22ull << 30,
    };
    struct ze_plan p;
    char path[512];

    snprintf(path, sizeof path, "%s/tests/bench/shape-24b.json",
             getenv("top_srcdir") ? getenv("top_srcdir") : ".");
    o.dir = path;
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    double w4 = (double)p.weights_form[ZK_W4A], w8 = (double)p.weights_form[ZK_W8A];
    ck_assert_double_ge(w4, linear * 4.15625 / 8);
    ck_assert_double_lt(w4, linear * 4.30 / 8); /* a layout may round up, a little */
    ck_assert_double_ge(w8, head * 8.125 / 8);
    ck_assert_double_lt(w8, head * 8.30 / 8);
    ck_assert_uint_eq(p.weights_form[ZK_W16], 131072ull * 5120 * 2);
    ck_assert_uint_eq(p.kv_page_bytes, 163840ull * ZK_PAGE);
    ck_assert_int_ge(p.kv_pages, 32768 / ZK_PAGE);
    ck_assert_uint_lt(p.scratch + p.host, 400 << 20);
    o.memory_limit = 12ull << 30;
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_ELIMIT, &dg);
}
END_TEST

/* A config.json of one layer of 9 * 2^16 weights, with this quantization_config, ' for ". */
static char *small_shape(const char *dir, const char *quantization)
{
    char *text =
        zc_xasprintf("{'architectures':['LlamaForCausalLM'],'model_type':'llama','hidden_size':256,"
                     "'intermediate_size':512,'num_hidden_layers':1,'num_attention_heads':4,"
                     "'num_key_value_heads':2,'vocab_size':64,'max_position_embeddings':64,"
                     "'rms_norm_eps':1e-5,'hidden_act':'silu','tie_word_embeddings':false,"
                     "'torch_dtype':'bfloat16','quantization_config':%s}",
                     quantization);

    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    t_dir_write_text(dir, "config.json", text);
    zc_free(text);
    return zc_xasprintf("%s/config.json", dir);
}

static void assert_logits(struct ze_engine *e)
{
    const int32_t ids[2] = {3, 5};
    struct ze_seq *s;

    t_assert_err(ze_seq_new(&s, e, 1, ids, 2, 0, &dg), ZC_OK, &dg);
    struct ze_work w = {.seq = s, .n_rows = 2, .want_all = true};
    t_assert_err(ze_step(e, &w, 1, &dg), ZC_OK, &dg);
    for (int j = 0; j < 128; j++)
        ck_assert(isfinite(w.logits[j]) && fabsf(w.logits[j]) < 100);
    ze_seq_free(s);
}

/* Weights made up in each form that a configuration says: they work, and a step's least bytes are
 * what a file of that format would have, keys, values and the 8-bit head beside it. */
START_TEST(made_up_weights_of_every_form)
{
    static const struct {
        const char *quantization;
        enum zk_form form;
        double bits;
    } cases[] = {
        {"null", ZK_W16, 16},
        {"{'quant_method':'awq','bits':4}", ZK_W4A, 4 + 20.0 / 128},
        {"{'load_in_4bit':true,'bnb_4bit_quant_type':'nf4'}", ZK_W4L, 4 + 32.0 / 64},
        {"{'load_in_4bit':true,'bnb_4bit_use_double_quant':true}", ZK_W4L, 4 + (8 + 8.0 / 64) / 64},
        {"{'quant_method':'fp8','weight_block_size':[128,128]}", ZK_W8F, 8 + 32.0 / 16384},
        {"{'quant_method':'compressed-tensors','config_groups':{'FP8_DYNAMIC':['Linear']},"
         "'ignore':['lm_head']}",
         ZK_W8F, 8 + 32.0 / 288},
    };
    const double weights = 9 * 65536, head = 64 * 256 * 8.125 / 8, kv = 2 * 2 * 64 * 2;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *dir = t_dir_new(), *path = small_shape(dir, cases[i].quantization);
        const struct ze_opts o = {.dir = path,
                                  .random_weights = true,
                                  .caps = ZK_CAP_ALL,
                                  .head_bits = 8,
                                  .threads = 1,
                                  .max_seqs = 1,
                                  .logit_rows = 2,
                                  .memory_limit = 1 << 28};
        struct ze_engine *e;
        t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_OK, &dg);
        ck_assert_uint_gt(ze_engine_plan(e)->weights_form[cases[i].form], 65536);
        double bytes = ze_engine_cost(e, 1, 1, 0).bytes - head - kv;
        ck_assert_double_eq_tol(bytes / weights * 8, cases[i].bits, 0.01);
        assert_logits(e);
        ze_engine_free(e);
        t_dir_remove(dir);
        zc_free(path);
    }
}
END_TEST

START_TEST(admission_says_never_and_not_now)
{
    struct t_tiny t;
    struct ze_plan p;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    o.memory_limit = p.total - p.kv + 20 * p.kv_page_bytes; /* a context and a bit */
    struct ze_engine *e = t_engine_open(&o);
    struct ze_seq *a = NULL, *b = NULL;
    int pages = ze_engine_plan(e)->kv_pages;

    ck_assert_int_ge(pages, 16);
    ck_assert_int_lt(pages, 32);
    t_engine_ids(prompt, LEN, t.V, 3);
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
    struct ze_opts o = t_engine_options(dir);

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
    struct ze_opts o = t_engine_options(dir);
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
    struct ze_opts o = t_engine_options(dir);
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

START_TEST(opening_survives_failing_memory)
{
    struct t_tiny t;
    struct ze_engine *e = NULL;
    int r = ZC_ENOMEM, n = 0;
    t_tiny_init(&t);
    char *dir = t_tiny_write(&t);
    struct ze_opts o = t_engine_options(dir);

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
    struct ze_opts o = t_engine_options(dir);

    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, &cancel, &dg), ZC_ECANCELED, &dg);
    ck_assert_ptr_null(e);
    o.backend = "cuda";
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_ENOTFOUND, &dg);
    o.backend = "tpu";
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_EINVAL, &dg);
    t_dir_remove(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine open");
    TCase *t = tcase_create("plan");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_planned_is_what_is_allocated, 0, 4);
    tcase_add_test(t, a_step_allocates_nothing);
    tcase_add_test(t, what_does_not_fit_is_refused_with_what_would);
    tcase_add_test(t, the_targets_plan_is_as_it_must_be);
    tcase_add_test(t, made_up_weights_of_every_form);
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
