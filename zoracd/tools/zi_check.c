/* SPDX-License-Identifier: MIT */
/* The verbs that look without running: plan, tensors. */
#include <stdio.h>

#include "common/zc_buf.h"
#include "zoracd/tools/zi.h"
#include "zoracd/weights/zw_store.h"

/* ---- plan ---------------------------------------------------------------------------------- */

static json_t *plan_json(const struct ze_plan *p)
{
    static const char *const forms[] = {[ZK_W4A] = "w4a", [ZK_W8A] = "w8a", [ZK_W4L] = "w4l",
                                        [ZK_W8F] = "w8f", [ZK_W16] = "w16", [ZK_W32] = "w32"};
    json_t *by_form = json_object();

    for (int i = 0; i < ZK_N_FORMS; i++)
        json_object_set_new(by_form, forms[i], json_integer((json_int_t)p->weights_form[i]));
    return json_pack(
        "{s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:i, s:i, s:i, s:s}",
        "quantization", p->quantization, "weights", (json_int_t)p->weights, "weights_form", by_form,
        "kv", (json_int_t)p->kv, "scratch", (json_int_t)p->scratch, "backend",
        (json_int_t)p->backend, "host", (json_int_t)p->host, "total", (json_int_t)p->total,
        "staging", (json_int_t)p->staging, "available", (json_int_t)p->available, "embedding",
        (json_int_t)p->embedding, "embedding_on_host", p->embed_on_host, "context", p->context,
        "kv_pages", p->kv_pages, "max_seqs", p->max_seqs, "kv_type", ze_plan_kv_name(p));
}

static void print_plan(const struct ze_plan *p, bool as_json)
{
    struct zc_buf text;

    if (as_json) {
        zi_print(plan_json(p));
        return;
    }
    zc_buf_init(&text, 4096);
    ze_plan_describe(p, &text);
    fputs(zc_buf_str(&text), stdout);
    zc_buf_release(&text);
}

int zi_plan(const struct zi_options *o)
{
    struct ze_opts opts = o->engine;
    struct zc_diag dg = {""};
    struct ze_plan plan;

    opts.dir = o->model;
    int r = ze_engine_check(&opts, &plan, &dg);
    if (r == ZC_OK || r == ZC_ELIMIT)
        print_plan(&plan, o->json);
    return r < 0 ? zo_fail(r, o->model, &dg) : ZO_OK;
}

/* ---- tensors ------------------------------------------------------------------------------- */

int zi_tensors(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct zw_store *s;
    int r = zw_store_open(&s, o->model, &dg);

    if (r < 0)
        return zo_fail(r, o->model, &dg);
    for (size_t i = 0; i < zw_store_n_tensors(s); i++) {
        const struct zw_tensor *t = zw_store_tensor(s, i);
        json_t *shape = json_array();
        for (int d = 0; d < t->rank; d++)
            json_array_append_new(shape, json_integer((json_int_t)t->shape[d]));
        zi_print(json_pack("{s:s, s:s, s:o, s:I, s:s}", "name", t->name, "dtype", t->dtype_name,
                           "shape", shape, "bytes", (json_int_t)t->bytes, "file",
                           zw_store_file_name(s, t->file)));
    }
    zw_store_free(s);
    return ZO_OK;
}
