/* SPDX-License-Identifier: MIT */
/* SentencePiece's normalizer: a table of character sequences and what stands for them
 * (precompiled_charsmap), white space, and the sign that stands for a space. Filled by zt_spm.c,
 * const afterwards: any thread. Reference: sentencepiece, normalizer.cc. */
#ifndef ZORACD_TEXT_ZT_SPM_NORM_H
#define ZORACD_TEXT_ZT_SPM_NORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zoracd/text/zt_added.h"

struct zc_diag;

struct zt_spm_norm {
    bool dummy_prefix; /* a space in front of every text */
    bool remove_extra; /* white space at both ends goes, of several spaces one stays */
    bool escape;       /* a space becomes U+2581 */
    bool is_suffix;    /* the dummy prefix is behind the text */
    uint32_t *trie;    /* double array of n_trie units; NULL: characters stay as they are */
    size_t n_trie;
    char *map; /* what the trie's values are offsets into: n_map bytes, NUL behind each */
    size_t n_map;
    const struct zt_added_set *kept; /* strings that stay as they are; borrowed */
};

/* Takes the trie and the texts out of a precompiled_charsmap of n bytes (copied). ZC_EFORMAT if it
 * is none, ZC_ENOMEM. */
int zt_spm_norm_charsmap(struct zt_spm_norm *s, const char *p, size_t n, struct zc_diag *dg);
void zt_spm_norm_release(struct zt_spm_norm *s);

/* Appends the normalized text, valid UTF-8; a byte that is no UTF-8 is U+FFFD. What replaces bytes
 * is trusted if all of them were. ZC_ELIMIT, ZC_ENOMEM. */
int zt_spm_norm_run(const struct zt_spm_norm *s, const struct zt_text *in, struct zt_text *out);

#endif
