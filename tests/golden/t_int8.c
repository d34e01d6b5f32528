/* SPDX-License-Identifier: MIT */
/* What int8 activations and fp8 keys and values cost on a real trained model: its weights rounded
 * to 4 and to 8 bits in the target's own layout, and to bitsandbytes' nf4, whose table int8
 * products round, too; then run with float activations (the reference for such weights) and with
 * int8 ones. Prints error and perplexity of each. Skips (77) without the conformance data. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/weights/zw_store.h"

#define MAX_IDS  8192
#define MAX_ROWS 64
#define VOCAB    512

static struct zc_diag dg;
static void must(int r, const char *what)
{
    ck_assert_msg(r >= 0, "%s: %s (%s)", what, dg.text, zc_err_name(r));
}

/* ---- texts --------------------------------------------------------------------------------- */

static int32_t ids[MAX_ROWS][512];
static int n_ids[MAX_ROWS], n_rows;

static void add_ids(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list) && n_ids[n_rows] < 512; i++)
        ids[n_rows][n_ids[n_rows]++] = (int32_t)json_integer_value(json_array_get(list, i));
}

/* Prompts and what the unrounded model says after them. */
static void read_texts(const char *path)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen(path, "r");

    while (f && getline(&line, &cap, f) > 0 && n_rows < MAX_ROWS) {
        json_t *row = json_loads(line, 0, NULL);
        if (json_object_get(row, "prompt_ids")) {
            add_ids(json_object_get(row, "prompt_ids"));
            add_ids(json_object_get(row, "greedy_ids"));
            n_rows++;
        }
        json_decref(row);
    }
    free(line);
    if (f)
        fclose(f);
}

/* ---- rounding ------------------------------------------------------------------------------ */

/* The packer's own way: per row and group a range that holds 0, a scale in bf16, a zero point. */
static void quantize(struct t_mat *m, const float *w)
{
    int top = (1 << m->bits) - 1;
    uint16_t *scale = m->scale;

    for (int i = 0; i < m->n * m->groups; i++) {
        int row = i / m->groups, from = i % m->groups * m->group;
        int to = from + m->group < m->k ? from + m->group : m->k;
        const float *x = w + (size_t)row * (size_t)m->k;
        uint8_t *q = m->q + (size_t)row * (size_t)m->k;
        float low = 0, high = 0;
        for (int j = from; j < to; j++) {
            low = fminf(low, x[j]);
            high = fmaxf(high, x[j]);
        }
        scale[i] = zk_f32_to_bf16(fmaxf((high - low) / (float)top, 1e-6F));
        float s = zk_bf16_to_f32(scale[i]);
        float zero = fminf(fmaxf(roundf(-low / s), 0), (float)top);
        m->zero[i] = (uint8_t)zero;
        for (int j = from; j < to; j++)
            q[j] = (uint8_t)fminf(fmaxf(roundf(x[j] / s) + zero, 0), (float)top);
    }
}

/* How the linear layers are stored. */
enum layout { INT4 = 4, INT8 = 8, NF4 };

static const float nf4[16] = {-1,           -0.69619280F, -0.52507305F, -0.39491749F,
                              -0.28444138F, -0.18477343F, -0.09105004F, 0,
                              0.07958030F,  0.16093020F,  0.24611230F,  0.33791524F,
                              0.44070983F,  0.56261700F,  0.72295684F,  1};

static uint8_t nearest(float x)
{
    uint8_t best = 0;
    for (uint8_t c = 1; c < 16; c++)
        if (fabsf(nf4[c] - x) < fabsf(nf4[best] - x))
            best = c;
    return best;
}

/* The tensors of bitsandbytes, in blocks of 64, the high nibble first. */
static void add_nf4(struct t_st *st, const char *weight, const float *w, int n, int k)
{
    const size_t count = (size_t)n * (size_t)k, blocks = count / 64;
    uint8_t *codes = zc_xcalloc(count / 2, 1);
    float *absmax = zc_xcalloc(blocks, sizeof *absmax);
    char name[256], state[160];

    for (size_t i = 0; i < count; i++)
        absmax[i / 64] = fmaxf(absmax[i / 64], fabsf(w[i]));
    for (size_t i = 0; i < count; i++)
        codes[i / 2] |= (uint8_t)(nearest(w[i] / absmax[i / 64]) << (i % 2 ? 0 : 4));
    t_st_add(st, weight, "U8", count / 2, 1, codes, count / 2);
    snprintf(name, sizeof name, "%s.absmax", weight);
    t_st_add(st, name, "F32", blocks, 0, absmax, blocks * sizeof *absmax);
    snprintf(name, sizeof name, "%s.quant_map", weight);
    t_st_add(st, name, "F32", 16, 0, nf4, sizeof nf4);
    snprintf(name, sizeof name, "%s.quant_state.bitsandbytes__nf4", weight);
    snprintf(state, sizeof state,
             "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"bfloat16\",\"shape\":[%d,%d]}",
             n, k);
    t_st_add(st, name, "U8", strlen(state), 0, state, strlen(state));
    zc_free(codes);
    zc_free(absmax);
}

/* Rows of 172 are no multiple of nf4's blocks. */
static bool is_linear(const struct zw_tensor *t, enum layout layout)
{
    return t->rank == 2 && strstr(t->name, "_proj.weight") &&
           (layout != NF4 || t->shape[1] % 64 == 0);
}

static void copy_tensor(struct t_st *st, const struct zw_store *s, const struct zw_tensor *t,
                        enum layout layout)
{
    float *w = zc_xmalloc(t->bytes);
    char module[192];
    struct t_mat m;

    must(zw_store_read(s, t, 0, w, t->bytes, &dg), t->name);
    if (!is_linear(t, layout)) {
        t_st_add(st, t->name, "F32", t->shape[0], t->rank == 2 ? t->shape[1] : 0, w, t->bytes);
    } else if (layout == NF4) {
        add_nf4(st, t->name, w, (int)t->shape[0], (int)t->shape[1]);
    } else {
        snprintf(module, sizeof module, "%.*s", (int)(strlen(t->name) - strlen(".weight")),
                 t->name);
        t_mat_random(&m, (int)t->shape[0], (int)t->shape[1], 32, (int)layout, ZK_BF16, true, 1);
        quantize(&m, w);
        t_mat_add_ct(st, module, &m);
        t_mat_release(&m);
    }
    zc_free(w);
}

static json_t *quantization(enum layout layout)
{
    if (layout == NF4)
        return json_pack("{s:s, s:b, s:s, s:[s]}", "quant_method", "bitsandbytes", "load_in_4bit",
                         1, "bnb_4bit_quant_type", "nf4", "llm_int8_skip_modules", "down_proj");
    return json_pack("{s:s, s:s, s:{s:{s:[s], s:{s:i, s:s, s:b, s:s, s:i}}}, s:[s]}",
                     "quant_method", "compressed-tensors", "format", "pack-quantized",
                     "config_groups", "group_0", "targets", "Linear", "weights", "num_bits",
                     (int)layout, "type", "int", "symmetric", 0, "strategy", "group", "group_size",
                     32, "ignore", "lm_head");
}

/* The f32 model of dir with its linear layers rounded, as a fresh directory. */
static char *make_rounded(const char *dir, enum layout layout)
{
    char *out = t_dir_new(), *config = zc_xasprintf("%s/config.json", dir);
    struct zw_store *s;
    struct t_st st;

    must(zw_store_open(&s, dir, &dg), dir);
    t_st_init(&st);
    for (size_t i = 0; i < zw_store_n_tensors(s); i++)
        copy_tensor(&st, s, zw_store_tensor(s, i), layout);
    t_st_write(&st, out, "model.safetensors");
    zw_store_free(s);

    json_t *j = json_load_file(config, 0, NULL);
    json_object_set_new(j, "quantization_config", quantization(layout));
    char *text = json_dumps(j, 0);
    t_dir_write_text(out, "config.json", text);
    free(text);
    json_decref(j);
    zc_free(config);
    return out;
}

/* ---- measuring ----------------------------------------------------------------------------- */

/* Logits at every position of every text. */
struct answer {
    float *logits;
    size_t n;
    double nll;
};

static double surprise(const float *x, int32_t id)
{
    double sum = 0;
    for (int i = 0; i < VOCAB; i++)
        sum += exp((double)x[i] - x[id]);
    return log(sum);
}

static struct answer run(const char *dir, bool exact, int head_bits, bool kv_f8)
{
    const struct ze_opts opts = {
        .dir = dir,
        .caps = ZK_CAP_ALL,
        .threads = 2,
        .exact = exact,
        .kv_f8 = kv_f8,
        .head_bits = head_bits,
        .max_seqs = 1,
        .logit_rows = 512,
        .memory_limit = 1 << 30,
    };
    struct answer a = {.logits = zc_xcalloc(MAX_IDS, VOCAB * sizeof(float))};
    struct ze_engine *e;

    must(ze_engine_open(&e, &opts, NULL, NULL, NULL, &dg), dir);
    for (int t = 0; t < n_rows; t++) {
        struct ze_seq *s;
        must(ze_seq_new(&s, e, (uint64_t)t, ids[t], (size_t)n_ids[t], 0, &dg), "sequence");
        struct ze_work w = {.seq = s, .n_rows = n_ids[t], .want_all = true};
        must(ze_step(e, &w, 1, &dg), "step");
        memcpy(a.logits + a.n * VOCAB, w.logits, (size_t)n_ids[t] * VOCAB * sizeof(float));
        for (int i = 0; i + 1 < n_ids[t]; i++)
            a.nll += surprise(w.logits + (size_t)i * VOCAB, ids[t][i + 1]);
        a.n += (size_t)n_ids[t];
        ze_seq_free(s);
    }
    ze_engine_free(e);
    return a;
}

static double perplexity(const struct answer *a)
{
    return exp(a->nll / (double)(a->n - (size_t)n_rows));
}

static double nmse(const struct answer *a, const struct answer *reference)
{
    double se = 0, ss = 0;
    for (size_t i = 0; i < a->n * VOCAB; i++) {
        double d = (double)a->logits[i] - reference->logits[i];
        se += d * d;
        ss += (double)reference->logits[i] * reference->logits[i];
    }
    return se / ss;
}

static void measure(const char *dir, enum layout layout)
{
    struct answer exact = run(dir, true, 16, false), int8 = run(dir, false, 16, false);
    struct answer head = run(dir, false, 8, false), f8 = run(dir, false, 16, true);
    double p = perplexity(&exact), p8 = perplexity(&int8), ph = perplexity(&head);
    double pf = perplexity(&f8);

    printf("%s weights: perplexity %.4f with float activations; int8 activations: %.4f "
           "(%+.3f %%), NMSE %.2g; and an 8-bit head: %.4f (%+.3f %%), NMSE %.2g\n",
           layout == INT4   ? "4-bit"
           : layout == INT8 ? "8-bit"
                            : "nf4",
           p, p8, 100 * (p8 / p - 1), nmse(&int8, &exact), ph, 100 * (ph / p - 1),
           nmse(&head, &exact));
    printf("and fp8 keys and values beside int8 activations: %.4f (%+.3f %%), NMSE %.2g\n", pf,
           100 * (pf / p8 - 1), nmse(&f8, &int8));
    fflush(stdout);
    ck_assert_msg(nmse(&int8, &exact) > 0, "int8 activations changed nothing: were they used?");
    ck_assert_msg(nmse(&int8, &exact) < 5e-4, "int8 activations: NMSE %g", nmse(&int8, &exact));
    ck_assert_msg(fabs(p8 / p - 1) < 0.01, "int8 activations: perplexity %g instead of %g", p8, p);
    ck_assert_msg(nmse(&head, &exact) < 1e-3, "with an 8-bit head: NMSE %g", nmse(&head, &exact));
    ck_assert_msg(nmse(&f8, &int8) > 0, "fp8 keys and values changed nothing: were they used?");
    ck_assert_msg(nmse(&f8, &int8) < 2e-3, "fp8 keys and values: NMSE %g", nmse(&f8, &int8));
    ck_assert_msg(fabs(pf / p8 - 1) < 0.05, "fp8 keys and values: perplexity %g, not %g", pf, p8);
    zc_free(exact.logits);
    zc_free(f8.logits);
    zc_free(int8.logits);
    zc_free(head.logits);
}

static char *rows, *f32;

START_TEST(int8_activations_cost_little)
{
    read_texts(rows);
    struct answer whole = run(f32, true, 16, false);
    printf("unrounded: perplexity %.4f over %zu tokens\n", perplexity(&whole), whole.n);
    char *dir = make_rounded(f32, (enum layout)_i);
    measure(dir, (enum layout)_i);
    t_dir_remove(dir);
    zc_free(whole.logits);
}
END_TEST

int main(void)
{
    const char *src = getenv("top_srcdir") ? getenv("top_srcdir") : ".";
    Suite *s = suite_create("int8");
    TCase *t = tcase_create("int8");

    rows = zc_xasprintf("%s/../shared/conformance/expected/open/model/f32.jsonl", src);
    f32 = zc_xasprintf("%s/../shared/conformance/models/open/stories260K-hf-f32", src);
    if (access(rows, R_OK) < 0 || access(f32, R_OK) < 0) {
        printf("SKIP: no %s\n", rows);
        return 77;
    }
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, int8_activations_cost_little, INT4, INT4 + 1);
    tcase_add_loop_test(t, int8_activations_cost_little, INT8, NF4 + 1);
    suite_add_tcase(s, t);
    return t_run(s);
}
