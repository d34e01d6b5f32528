/* SPDX-License-Identifier: MIT */
/* From messages to token ids: the template's text, and the ids of earlier replies put where their
 * text stands, so that what was computed for them is found again. Pure; any thread. */
#ifndef ZORACD_SERVE_ZS_PROMPT_H
#define ZORACD_SERVE_ZS_PROMPT_H

#include <stdint.h>

#include <jansson.h>

#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_model.h"
#include "zoracd/serve/zs_transcript.h"
#include "zoracd/text/zt_text.h"

struct zc_diag;

/* Renders messages (array of objects) with tools and vars (NULL: none) into out. now: seconds since
 * the epoch. */
int zs_prompt_render(const struct zs_model *m, json_t *messages, json_t *tools, json_t *vars,
                     int64_t now, struct zt_text *out, struct zc_diag *dg);

/* Appends the ids of a rendered text. Where a reply of t stands in it unchanged, its generated ids
 * are used, if the whole then still says the same text; otherwise the tokenizer's own. */
int zs_prompt_encode(const struct zs_model *m, const struct zt_text *text,
                     const struct zs_transcript *t, struct zt_ids *ids, struct zc_diag *dg);

#endif
