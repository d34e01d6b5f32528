/* SPDX-License-Identifier: MIT */
/* What int8 activations and fp8 keys and values cost on a real trained model: its weights rounded
 * to 4 and to 8 bits in the target's own layout, then run with float activations (the reference for
 * such weights) and with int8 ones. Prints error and perplexity of each. Skips (77) without the
 * conformance data. */
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

static bool is_linear(const struct zw_tensor *t)
{
    return t->rank == 2 && strstr(t->name, "_proj.weight");
}

static void copy_tensor(struct t_st *st, const struct zw_store *s, const struct zw_tensor *t,
                        int bits)
{
    float *w = zc_xmalloc(t->bytes);
    char module[192];
    struct t_mat m;

    must(zw_store_read(s, t, 0, w, t->bytes, &dg), t->name);
    if (!is_linear(t)) {
        t_st_add(st, t->name, "F32", t->shape[0], t->rank == 2 ? t->shape[1] : 0, w, t->bytes);
    } else {
        snprintf(module, sizeof module, "%.*s", (int)(strlen(t->name) - strlen(".weight")),
                 t->name);
        t_mat_random(&m, (int)t->shape[0], (int)t->shape[1], 32, bits, ZK_BF16, true, 1);
        quantize(&m, w);
        t_mat_add_ct(st, module, &m);
        t_mat_release(&m);
    }
    zc_free(w);
}

/* The f32 model of dir with its linear layers rounded, as a fresh directory. */
static char *make_rounded(const char *dir, int bits)
{
    char *out = t_dir_new(), *config = zc_xasprintf("%s/config.json", dir);
    struct zw_store *s;
    struct t_st st;

    must(zw_store_open(&s, dir, &dg), dir);
    t_st_init(&st);
    for (size_t i = 0; i < zw_store_n_tensors(s); i++)
        copy_tensor(&st, s, zw_store_tensor(s, i), bits);
    t_st_write(&st, out, "model.safetensors");
    zw_store_free(s);

    json_t *j = json_load_file(config, 0, NULL);
    json_object_set_new(j, "quantization_config",
                        json_pack("{s:s, s:s, s:{s:{s:[s], s:{s:i, s:s, s:b, s:s, s:i}}}, s:[s]}",
                                  "quant_method", "compressed-tensors", "format", "pack-quantized",
                                  "config_groups", "group_0", "targets", "Linear", "weights",
                                  "num_bits", bits, "type", "int", "symmetric", 0, "strategy",
                                  "group", "group_size", 32, "ignore", "lm_head"));
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

static void measure(const char *dir, int bits)
{
    struct answer exact = run(dir, true, 16, false), int8 = run(dir, false, 16, false);
    struct answer head = run(dir, false, 8, false), f8 = run(dir, false, 16, true);
    double p = perplexity(&exact), p8 = perplexity(&int8), ph = perplexity(&head);
    double pf = perplexity(&f8);

    printf("%d-bit weights: perplexity %.4f with float activations; int8 activations: %.4f "
           "(%+.3f %%), NMSE %.2g; and an 8-bit head: %.4f (%+.3f %%), NMSE %.2g\n",
           bits, p, p8, 100 * (p8 / p - 1), nmse(&int8, &exact), ph, 100 * (ph / p - 1),
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
    char *dir = make_rounded(f32, _i);
    measure(dir, _i);
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
    for (int bits = 4; bits <= 8; bits += 4)
        tcase_add_loop_test(t, int8_activations_cost_little, bits, bits + 1);
    suite_add_tcase(s, t);
    return t_run(s);
}
