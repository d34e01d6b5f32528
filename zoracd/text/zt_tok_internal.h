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
#define ZT_TOK_CONTROL 4 /* a control piece of SentencePiece's, special as well */

/* Bytes of an added token: what looking for it may cost anywhere. */
#define ZT_TOK_MAX_CONTENT 512
#define ZT_TOK_MAX_FILE    ((size_t)256 << 20)
#define ZT_TOK_AROUND_MAX  16 /* ids that the post-processor puts on one side */

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
    int tekken_version; /* of the message format; 0: not tekken.json */
    bool takes_bytes;   /* the normalizer has its own way with what is no UTF-8 */
};

/* The added token of an id, NULL if it is none. */
const struct zt_added_token *zt_tok_added(const struct zt_tok *tok, int32_t id);

/* Loading, in this order: room for n added tokens; each of them (content, n_content and flags of
 * like), after model and normalizer are there; and what follows from all being there. A token gets
 * the model's id or *next, which is counted up; one that comes again keeps its id and has the later
 * flags, but special it stays. */
int zt_tok_added_reserve(struct zt_tok *tok, size_t n, struct zc_diag *dg);
int zt_tok_added_put(struct zt_tok *tok, const struct zt_added_token *like, int32_t *next,
                     struct zc_diag *dg);
int zt_tok_added_finish(struct zt_tok *tok, struct zc_diag *dg);

/* Readers of a file's n bytes into an empty tokenizer. more: what the files beside it say of its
 * tokens, content to {id, special, ...}, or NULL. tokenizer.json: each of them is special, if it is
 * a token. tokenizer.model: those that are no pieces are added, a piece of the user that is special
 * there is one. */
typedef int zt_tok_read_fn(struct zt_tok *tok, const char *p, size_t n, const json_t *more,
                           struct zc_diag *dg);
zt_tok_read_fn zt_tok_read, zt_tekken_read, zt_spm_read;
/* A tokenizer that one of them has read. */
int zt_tok_new_from(struct zt_tok **ret_tok, const char *p, size_t n, zt_tok_read_fn *read,
                    const json_t *more, struct zc_diag *dg);

#endif
