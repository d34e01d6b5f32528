/* SPDX-License-Identifier: MIT */
/* Opens a model directory: its text side, with the proof that its template renders, and its engine.
 * Loader thread. */
#include "zoracd/serve/zs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_log.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_check.h"

/* What is bad about the text side refuses the model: it would fail at the first user, or silently,
 * instead of here. What is only worth knowing is logged. */
struct findings {
    const struct zs_model *m;
    struct zc_diag *dg;
    bool is_bad;
};

static void on_finding(void *arg, enum zt_grade grade, const char *text)
{
    struct findings *f = arg;

    if (grade == ZT_BAD && !f->is_bad)
        zc_diag(f->dg, ZC_EFORMAT, "%s", text);
    else if (grade == ZT_NOTE)
        zc_log(ZC_LOG_INFO, "%s: %s", f->m->name, text);
    f->is_bad |= grade == ZT_BAD;
}

static int open_text(struct zs_model *m, const struct ze_config *config, struct zc_diag *dg)
{
    const struct zt_check_model model = {config->V, config->eos, (size_t)config->n_eos};
    struct findings f = {.m = m, .dg = dg};
    int r = zt_chat_open(&m->chat, m->path, dg);

    if (r < 0)
        return r;
    m->tok = m->chat.tok;
    return zt_check(&m->chat, &model, on_finding, &f) > 0 ? ZC_EFORMAT : ZC_OK;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static char *base_name(const char *path)
{
    size_t end = strlen(path);

    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return zc_xstrndup(path + start, end - start);
}

/* The text side, and what config.json calls the format of the weights. */
static int open_by_config(struct zs_model *m, struct zc_diag *dg)
{
    struct ze_config config;
    json_t *json;

    int r = ze_config_read(&config, m->path, &json, dg);
    if (r < 0)
        return r;
    const json_t *q = json_object_get(json, "quantization_config");
    const char *method = json_string_value(json_object_get(q, "quant_method"));
    m->quantization = zc_xstrdup(method ? method : q ? "unnamed" : "none");
    json_decref(json);
    r = open_text(m, &config, dg);
    ze_config_release(&config);
    return r;
}

static int new_model(struct zs_model **ret_m, const struct zs_model_opts *opts, struct zc_diag *dg)
{
    struct zs_model *m = zc_xcalloc(1, sizeof *m);

    m->path = realpath(opts->engine.dir, NULL);
    if (!m->path)
        m->path = zc_xstrdup(opts->engine.dir);
    m->name = opts->is_demo ? zc_xstrdup("zorac-demo") : base_name(m->path);
    m->is_demo = opts->is_demo;
    int r = open_by_config(m, dg);
    if (r < 0)
        zs_model_free(m);
    else
        *ret_m = m;
    return r;
}

/* A sentence that does not say which model it is about does so then. */
static int name_model(const struct zs_model_opts *opts, int err, struct zc_diag *dg)
{
    if (dg && strstr(dg->text, opts->engine.dir))
        return err;
    return zc_diag_prefix(dg, err, "%s", opts->engine.dir);
}

int zs_model_open(struct zs_model **ret_m, const struct zs_model_opts *opts,
                  ze_progress_cb *progress, void *arg, const atomic_bool *cancel,
                  struct zc_diag *dg)
{
    struct zs_model *m = NULL;

    int r = new_model(&m, opts, dg);
    if (r == ZC_OK)
        r = ze_engine_open(&m->engine, &opts->engine, progress, arg, cancel, dg);
    if (r < 0) {
        zs_model_free(m);
        return name_model(opts, r, dg);
    }
    if (ze_engine_notice(m->engine))
        m->notice = zc_xasprintf("%s", ze_engine_notice(m->engine));
    *ret_m = m;
    return ZC_OK;
}

void zs_model_free(struct zs_model *m)
{
    if (!m)
        return;
    ze_engine_free(m->engine);
    zt_chat_release(&m->chat);
    zc_free(m->path);
    zc_free(m->name);
    zc_free(m->quantization);
    zc_free(m->notice);
    zc_free(m);
}

int zs_model_check(const struct zs_model_opts *opts, struct zc_buf *report, struct zc_diag *dg)
{
    struct zs_model *m = NULL;
    struct ze_plan plan = {0};

    int r = new_model(&m, opts, dg);
    if (r == ZC_OK) {
        r = ze_engine_check(&opts->engine, &plan, dg);
        if (r == ZC_OK || r == ZC_ELIMIT) {
            zc_buf_addf(report, "model       %s (%s)\n", m->path, m->quantization);
            ze_plan_describe(&plan, report);
        }
    }
    zs_model_free(m);
    return r < 0 ? name_model(opts, r, dg) : r;
}
