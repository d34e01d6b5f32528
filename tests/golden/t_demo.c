/* SPDX-License-Identifier: MIT */
/* The demo model in both of its forms against what PyTorch computed from the same files: perplexity
 * on held-out text, greedy replies, logits. And what quantization costs: AWQ against fp16, int8
 * activations against floats, the 8-bit head against the stored one, keys and values in fp8. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/golden/t_golden.h"
#include "zoracd/text/zt_tok.h"

enum { AWQ, FP16, N_FORMS };
static const char *const form_name[N_FORMS] = {"awq", "fp16"};
static const char *const form_dir[N_FORMS] = {"zoracd/demo/model", "tests/golden/demo-fp16"};

struct run {
    int form;
    struct ze_engine *e;
    double worst_top; /* distance of a logit from the reference's */
    int ids, differ;  /* greedy ids; those that differ though the margin is wide */
    int near_ties;    /* those that differ where it is not */
    double want_nll;
    int window;
};

static bool is_of_form(const json_t *r, int form, const char *kind)
{
    const char *k = json_string_value(json_object_get(r, "kind"));
    const char *f = json_string_value(json_object_get(r, "form"));
    return k && f && strcmp(k, kind) == 0 && strcmp(f, form_name[form]) == 0;
}

/* Teacher-forced: after each step the reference's token goes in, so that one difference does not
 * make all that follow incomparable. */
static void check_greedy(const json_t *r, void *arg)
{
    struct run *run = arg;
    struct ze_seq *s;
    size_t n, n_next;

    if (!is_of_form(r, run->form, "greedy"))
        return;
    int32_t *ids = t_ids(json_object_get(r, "ids"), &n);
    int32_t *next = t_ids(json_object_get(r, "next"), &n_next);
    const json_t *top = json_object_get(r, "top");
    t_must(ze_seq_new(&s, run->e, 1, ids, n, n_next, &t_dg), "sequence");
    for (size_t i = 0; i < n_next; i++) {
        const float *logits = t_compute(run->e, s);
        const json_t *pair, *list = json_array_get(top, i);
        double first = 0, second = 0;
        size_t k;
        json_array_foreach (list, k, pair) {
            double want = json_number_value(json_array_get(pair, 1));
            double got = logits[json_integer_value(json_array_get(pair, 0))];
            run->worst_top = fmax(run->worst_top, fabs(got - want));
            first = k == 0 ? want : first;
            second = k == 1 ? want : second;
        }
        run->ids++;
        if (t_argmax(logits, ze_engine_config(run->e)->V) != next[i])
            *(first - second > 4 * run->worst_top ? &run->differ : &run->near_ties) += 1;
        t_must(ze_seq_append(s, next[i]), "append");
    }
    ze_seq_free(s);
    zc_free(ids);
    zc_free(next);
}

static void take_perplexity(const json_t *r, void *arg)
{
    struct run *run = arg;

    if (!is_of_form(r, run->form, "perplexity"))
        return;
    run->want_nll = json_number_value(json_object_get(r, "nll"));
    run->window = (int)json_integer_value(json_object_get(r, "window"));
}

static double nll_of(const float *logits, int V, int id)
{
    double max = logits[t_argmax(logits, V)], sum = 0;

    for (int i = 0; i < V; i++)
        sum += exp(logits[i] - max);
    return log(sum) + max - logits[id];
}

/* The text as the reference cut it: windows of BOS and window - 1 tokens, each token predicted. */
static double perplexity_nll(struct ze_engine *e, const struct zt_ids *text, int window)
{
    const int V = ze_engine_config(e)->V;
    double sum = 0;

    for (size_t at = 0; at < text->len; at += (size_t)window - 1) {
        int32_t ids[1024] = {ze_engine_config(e)->bos};
        size_t n = text->len - at < (size_t)window - 1 ? text->len - at : (size_t)window - 1;
        struct ze_seq *s;
        memcpy(ids + 1, text->data + at, n * sizeof *ids);
        /* a root of its own: nothing may come from the cache */
        t_must(ze_seq_new(&s, e, 100 + at, ids, n + 1, 0, &t_dg), "window");
        for (size_t done = 0; done < n + 1;) {
            struct ze_work w = {.seq = s, .n_rows = 8, .want_all = true};
            if ((size_t)w.n_rows > n + 1 - done)
                w.n_rows = (int)(n + 1 - done);
            t_must(ze_step(e, &w, 1, &t_dg), "step");
            for (int i = 0; i < w.n_rows && done + (size_t)i < n; i++)
                sum += nll_of(w.logits + (size_t)i * (size_t)V, V, ids[done + (size_t)i + 1]);
            done += (size_t)w.n_rows;
        }
        ze_seq_free(s);
    }
    return sum / (double)text->len;
}

static void read_text(struct zt_ids *ids)
{
    char *dir = t_source_path(form_dir[AWQ]),
         *path = t_source_path("tests/golden/demo/heldout.txt");
    struct zc_buf b;
    struct zt_tok *tok;
    char bytes[4096];
    size_t n;
    FILE *f = fopen(path, "r");

    t_must(f ? ZC_OK : ZC_ENOTFOUND, path);
    zc_buf_init(&b, 1 << 20);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        zc_buf_add(&b, bytes, n);
    fclose(f);
    t_must(zt_tok_open(&tok, dir, &t_dg), dir);
    t_must(zt_tok_encode_bytes(tok, b.data, b.len, 0, ids, &t_dg), path);
    zt_tok_free(tok);
    zc_buf_release(&b);
    zc_free(dir);
    zc_free(path);
}

/* One form in one arithmetic; the nll. */
static double run_form(int form, bool exact, int head_bits, bool kv_f8, const struct zt_ids *text,
                       struct run *ret)
{
    char *dir = t_source_path(form_dir[form]);
    char *rows = t_source_path("tests/golden/demo/reference.jsonl");
    struct run run = {.form = form, .e = t_open_kv(dir, exact, head_bits, kv_f8)};

    t_each_row(rows, take_perplexity, &run);
    t_each_row(rows, check_greedy, &run);
    double nll = perplexity_nll(run.e, text, run.window);
    printf("%-4s %-7s head %-2d%s: perplexity %.5f (reference %.5f), logits within %.2g, %d of %d "
           "greedy ids differ, %d more at near ties\n",
           form_name[form], exact ? "exact" : "default", head_bits, kv_f8 ? " fp8" : "", exp(nll),
           exp(run.want_nll), run.worst_top, run.differ, run.ids, run.near_ties);
    ze_engine_free(run.e);
    zc_free(dir);
    zc_free(rows);
    *ret = run;
    return nll;
}

int main(void)
{
    struct zt_ids text;
    struct run awq, fp16, run;

    zt_ids_init(&text, 1 << 20);
    read_text(&text);
    double exact_awq = run_form(AWQ, true, 16, false, &text, &awq);
    double exact_fp16 = run_form(FP16, true, 16, false, &text, &fp16);
    t_expect(awq.ids > 100 && fp16.ids > 100, "only %d and %d ids were compared", awq.ids,
             fp16.ids);
    t_expect(fabs(exact_awq - awq.want_nll) < 1e-5, "awq: nll %g", exact_awq - awq.want_nll);
    t_expect(fabs(exact_fp16 - fp16.want_nll) < 1e-5, "fp16: nll %g", exact_fp16 - fp16.want_nll);
    t_expect(awq.worst_top < 1e-3, "awq: logits %g away", awq.worst_top);
    t_expect(fp16.worst_top < 1e-3, "fp16: logits %g away", fp16.worst_top);
    t_expect(awq.differ == 0 && fp16.differ == 0, "greedy ids differ");
    /* what 4 bits cost: AWQ is there to keep it small, and plain rounding would not */
    printf("AWQ costs %.2f %% of perplexity\n", 100 * (exp(exact_awq - exact_fp16) - 1));
    t_expect(exact_awq - exact_fp16 < log(1.05), "AWQ costs over 5 %%");

    double int8 = run_form(AWQ, false, 16, false, &text, &run);
    t_expect(run.differ == 0, "int8 activations: greedy ids differ");
    printf("int8 activations cost %.3f %% of perplexity\n", 100 * (exp(int8 - exact_awq) - 1));
    t_expect(fabs(int8 - exact_awq) < log(1.005), "int8 activations cost over 0.5 %%");
    double head8 = run_form(AWQ, false, 8, false, &text, &run);
    printf("and the 8-bit head %.3f %%\n", 100 * (exp(head8 - int8) - 1));
    t_expect(fabs(head8 - exact_awq) < log(1.005), "default mode costs over 0.5 %%");
    double f8 = run_form(AWQ, false, 8, true, &text, &run);
    printf("and fp8 keys and values %.3f %%\n", 100 * (exp(f8 - head8) - 1));
    t_expect(f8 != head8, "fp8 keys and values changed nothing: were they used?");
    t_expect(fabs(f8 - head8) < log(1.01), "fp8 keys and values cost over 1 %%");
    zt_ids_release(&text);
    return t_failures > 0;
}
