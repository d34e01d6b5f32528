/* SPDX-License-Identifier: MIT */
/* Mistral's own message formats (v1, v2, v3, v7, v11, v13), for models that ship tekken.json or
 * tokenizer.model and no chat template. The messages are checked and normalized here as
 * mistral-common does, the reference; a template of our own then lays them out, so that what a
 * message says is untrusted text here, too. Const after opening; any thread. */
#ifndef ZORACD_TEXT_ZT_MISTRAL_H
#define ZORACD_TEXT_ZT_MISTRAL_H

#include <jansson.h>

#include "zoracd/text/zt_text.h"
#include "zoracd/text/zt_tok.h"

struct zc_buf;
struct zc_diag;
struct zt_mistral;

/* Which format a tokenizer is of, 0 if none: the version that tekken.json names, else the one of
 * the file's name (tokenizer.model.v3), else what its control pieces tell; only with is_mistral,
 * when config.json calls the model one, a file without any is v1. */
int zt_mistral_version(const struct zt_tok *tok, const char *file, bool is_mistral);

/* ZC_EUNSUPPORTED for a version that is not done, ZC_EFORMAT if the vocabulary lacks one of its
 * control tokens; both are named. */
int zt_mistral_new(struct zt_mistral **ret_m, const struct zt_tok *tok, int version,
                   struct zc_diag *dg);
void zt_mistral_free(struct zt_mistral *m);

/* Appends the prompt, BOS included, for messages (a list of objects: role, content, tool_calls,
 * tool_call_id, name, prefix) and tools (a list of {type, function}, or NULL). ZC_EINVAL names the
 * message that the format has no place for. */
int zt_mistral_render(const struct zt_mistral *m, const json_t *messages, const json_t *tools,
                      struct zt_text *out, struct zc_diag *dg);

/* The first half of that, for zt_mistral.c: the variables of its template as JSON text.
 * has_thoughts: v13 with tokens around what the assistant (or the system prompt) thinks. */
int zt_mistral_normalize(int version, bool has_thoughts, const json_t *messages,
                         const json_t *tools, struct zc_buf *out, struct zc_diag *dg);

#endif
