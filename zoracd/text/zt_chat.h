/* SPDX-License-Identifier: MIT */
/* The text side of a model's directory: tokenizer, chat template, and the variables that the
 * template may trust. Const after opening; any thread. */
#ifndef ZORACD_TEXT_ZT_CHAT_H
#define ZORACD_TEXT_ZT_CHAT_H

#include <jansson.h>

#include "zoracd/text/zt_tmpl.h"
#include "zoracd/text/zt_tok.h"

struct zc_diag;

struct zt_chat {
    struct zt_tok *tok;
    struct zt_tmpl *tmpl;
    json_t *trusted; /* bos_token and its like, as tokenizer_config.json has them */
};

/* The template is chat_template.jinja, else chat_template in tokenizer_config.json (of several the
 * one named "default"). ZC_EUNSUPPORTED if there is none: nothing stands in for it. */
int zt_chat_open(struct zt_chat *ret_c, const char *dir, struct zc_diag *dg);
void zt_chat_release(struct zt_chat *c);

#endif
