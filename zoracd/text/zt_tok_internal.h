/* SPDX-License-Identifier: MIT */
/* The inside of a tokenizer, for the files of zt_tok. */
#ifndef ZORACD_TEXT_ZT_TOK_INTERNAL_H
#define ZORACD_TEXT_ZT_TOK_INTERNAL_H

#include "zoracd/text/zt_added.h"
#include "zoracd/text/zt_bpe.h"
#include "zoracd/text/zt_decoder.h"
#include "zoracd/text/zt_norm.h"
#include "zoracd/text/zt_pre.h"
#include "zoracd/text/zt_tok.h"

#define ZT_TOK_ADDED   1 /* flags by id */
#define ZT_TOK_SPECIAL 2

#define ZT_TOK_AROUND_MAX 16 /* ids that the post-processor puts on one side */

struct zt_tok {
    struct zt_bpe bpe; /* bpe.vocab also names the added tokens that are not in the model */
    uint8_t *flags;    /* by id: ZT_TOK_*, ZT_BPE_HIDDEN */
    struct zt_added_token *added; /* by id */
    size_t n_added;
    struct zt_vocab added_names; /* content to index in added */
    struct zt_added_set raw, normalized;
    struct zt_norm norm;
    struct zt_pre pre;
    struct zt_decoder decoder;
    int32_t before[ZT_TOK_AROUND_MAX], after[ZT_TOK_AROUND_MAX];
    size_t n_before, n_after;
};

/* The added token of an id, NULL if it is none. */
const struct zt_added_token *zt_tok_added(const struct zt_tok *tok, int32_t id);

#endif
