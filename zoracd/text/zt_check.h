/* SPDX-License-Identifier: MIT */
/* Whether tokenizer, template and model belong together, in plain words with what to do. What is
 * looked at: the number of tokens, the tokens that begin and end a text, conversations as a client
 * may send them, the control tokens that the template writes. Any thread. */
#ifndef ZORACD_TEXT_ZT_CHECK_H
#define ZORACD_TEXT_ZT_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "zoracd/text/zt_chat.h"

enum zt_grade {
    ZT_GOOD,
    ZT_NOTE, /* works, and may be worse than it should */
    ZT_BAD   /* answers would be wrong */
};

/* What config.json and generation_config.json say. */
struct zt_check_model {
    int32_t vocab; /* rows of the embedding */
    const int32_t *eos;
    size_t n_eos;
};

/* One sentence or two without a line break, borrowed for the call. */
typedef void zt_check_cb(void *arg, enum zt_grade grade, const char *text);

/* Tells all findings; how many are ZT_BAD. What needs the tokenizer, the template (either may be
 * missing in chat) or the model (NULL: unknown) is left out where it is not there. */
int zt_check(const struct zt_chat *chat, const struct zt_check_model *model, zt_check_cb *cb,
             void *arg);

#endif
