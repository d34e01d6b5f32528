/* SPDX-License-Identifier: MIT */
/* Added tokens: strings that are cut out of a text before anything else is done to it, longest
 * first from the left. Reference: tokenizers, tokenizer/added_vocabulary. Filled once, const
 * afterwards: any thread. */
#ifndef ZORACD_TEXT_ZT_ADDED_H
#define ZORACD_TEXT_ZT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zoracd/text/zt_text.h"

struct zc_diag;

struct zt_added_token {
    char *content; /* as in the file */
    char *pattern; /* what is looked for: content, normalized if the token says so */
    size_t n_content, n_pattern;
    int32_t id;
    bool special;    /* skipped when decoding */
    bool control;    /* matches in trusted text only */
    bool normalized; /* looked for in the normalized text */
    bool lstrip, rstrip, single_word;
};

/* The tokens of one kind (normalized or not), ordered for looking up. */
struct zt_added_set {
    const struct zt_added_token **tokens; /* by pattern */
    size_t n;
    size_t first[257]; /* where those begin whose pattern begins with a byte */
};

/* Those of n tokens whose normalized is as given; the tokens are borrowed. ZC_EUNSUPPORTED if two
 * have the same pattern. ZC_ENOMEM. */
int zt_added_set_init(struct zt_added_set *set, const struct zt_added_token *tokens, size_t n,
                      bool normalized, struct zc_diag *dg);
void zt_added_set_release(struct zt_added_set *set);

/* Where a token was found: its own bytes and the white space it takes with it. */
struct zt_added_hit {
    const struct zt_added_token *token;
    size_t start, end; /* start is not before end where lstrip and rstrip met */
    size_t next;       /* where to go on looking: behind its own bytes */
};

/* The next token in bytes from .. end of text, whose piece begins at start (for single_word); none
 * takes white space before done. all: control tokens match in untrusted text too. 1 if there is
 * one, else 0. */
int zt_added_find(const struct zt_added_set *set, const struct zt_text *text, size_t start,
                  size_t done, size_t from, size_t end, bool all, struct zt_added_hit *ret_hit);

#endif
