/* SPDX-License-Identifier: MIT */
/* The text side of a model's directory: tokenizer, chat template, and the variables that the
 * template may trust. Const after opening; any thread. */
#ifndef ZORACD_TEXT_ZT_CHAT_H
#define ZORACD_TEXT_ZT_CHAT_H

#include <jansson.h>

#include "zoracd/text/zt_mistral.h"
#include "zoracd/text/zt_tmpl.h"
#include "zoracd/text/zt_tok.h"

struct zc_diag;

struct zt_chat {
    struct zt_tok *tok;
    struct zt_tmpl *tmpl;       /* NULL: the format below */
    struct zt_tmpl *tool_tmpl;  /* for requests with tools, of a model that has two */
    struct zt_mistral *mistral; /* of a model without a template */
    json_t *trusted;            /* bos_token and its like, as tokenizer_config.json has them */
};

/* The template is chat_template.jinja, else chat_template in tokenizer_config.json, else the one in
 * chat_template.json, else Mistral's own format if the tokenizer's file is of one. Of several it is
 * the one named "default", and "tool_use" (additional_chat_templates/tool_use.jinja) for requests
 * with tools.
 * ZC_EUNSUPPORTED if there is none of these, ZC_EFORMAT for a chat_template that can't be one:
 * nothing stands in for it. */
int zt_chat_open(struct zt_chat *ret_c, const char *dir, struct zc_diag *dg);
/* The second half of that, for who says of each by itself whether it is there: all but c->tok,
 * without which (NULL) there is no format of Mistral's. c is released even after an error. */
int zt_chat_open_template(struct zt_chat *c, const char *dir, struct zc_diag *dg);
/* Appends the prompt. in->trusted_vars is set here. Mistral's own format has no variables but
 * messages, tools and add_generation_prompt: another one is ZC_EINVAL. */
int zt_chat_render(const struct zt_chat *c, struct zt_tmpl_in in, struct zt_text *out,
                   struct zc_diag *dg);
void zt_chat_release(struct zt_chat *c);

#endif
