/* SPDX-License-Identifier: MIT */
/* A model as the daemon has it: tokenizer, chat template, engine. Opened on the loader thread; then
 * const but for the engine, which belongs to the engine thread. */
#ifndef ZORACD_SERVE_ZS_MODEL_H
#define ZORACD_SERVE_ZS_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include <jansson.h>

#include "common/zc_buf.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/text/zt_chat.h"

struct zc_diag;

struct zs_model {
    char *path, *name;
    char *quantization; /* "none", "compressed-tensors", ... as config.json says */
    char *notice;       /* why the device is not the one asked for; NULL: it is */
    bool is_demo;
    struct zt_chat chat;
    struct zt_tok *tok; /* chat's */
    struct ze_engine *engine;
};

struct zs_model_opts {
    struct ze_opts engine;
    bool is_demo;
};

/* Opens everything. A model whose chat template is missing or does not render a plain conversation
 * is refused by file and line: no reply is better than one from a made-up template. */
int zs_model_open(struct zs_model **ret_m, const struct zs_model_opts *opts,
                  ze_progress_cb *progress, void *arg, const atomic_bool *cancel,
                  struct zc_diag *dg);
void zs_model_free(struct zs_model *m);

/* What zs_model_open would check, without the weights; the plan in words is appended to report,
 * also where it does not fit. */
int zs_model_check(const struct zs_model_opts *opts, struct zc_buf *report, struct zc_diag *dg);

#endif
