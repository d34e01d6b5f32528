/* SPDX-License-Identifier: MIT */
/* Byte pair encoding of one piece of text. Reference: tokenizers, models/bpe: characters become
 * symbols (or bytes, or the unknown token), then the pair of lowest rank, leftmost first, merges
 * until no pair has a rank. Filled once, const afterwards: any number of threads may encode, each
 * with its own zt_bpe_work. */
#ifndef ZORACD_TEXT_ZT_BPE_H
#define ZORACD_TEXT_ZT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zoracd/text/zt_text.h"
#include "zoracd/text/zt_vocab.h"

struct zc_diag;

/* In flags: no piece of text becomes this token as a whole (ignore_merges). */
#define ZT_BPE_HIDDEN 0x80

#define ZT_BPE_MAX_SUFFIX 32 /* bytes */
#define ZT_BPE_MAX_PAIRS  (1 << 24)

struct zt_bpe {
    struct zt_vocab vocab;
    struct zt_bpe_pair *pairs; /* open addressing by (left, right) */
    uint32_t mask;
    uint32_t n_pairs;    /* merges so far: the next one's rank */
    int32_t last_joined; /* what the last merge made */
    uint64_t seed;
    int32_t unk;            /* -1: a character without a token is dropped */
    bool fuse_unk;          /* neighbouring unknown characters are one unknown token */
    bool byte_fallback;     /* an unknown character becomes its bytes' tokens <0x00>..<0xFF> */
    bool ignore_merges;     /* a piece that is a token is that token */
    bool words_only;        /* no token goes across the beginning of a word; see zt_bpe_finish */
    char *suffix;           /* end_of_word_suffix of at most ZT_BPE_MAX_SUFFIX, or NULL */
    int32_t byte_ids[256];  /* <0x00>..<0xFF>, -1 where missing */
    int32_t char_ids[1024]; /* tokens of the first code points, -1 where missing */
    const uint8_t *flags;   /* by id, or NULL; borrowed */
};

/* What one call of the encoder works in; zeroed is empty. */
struct zt_bpe_work {
    struct zt_bpe_symbol *symbols;
    uint64_t *heap; /* rank << 32 | position */
    size_t cap_symbols, cap_heap;
    struct zt_bpe_known *known; /* words of this call and their ids; direct mapped */
    char *keys;
    size_t n_keys;
};

void zt_bpe_init(struct zt_bpe *b);
void zt_bpe_release(struct zt_bpe *b);

/* The next merge, in order of rank, after the vocabulary is complete. ZC_EFORMAT if left, right or
 * both together are no tokens. A pair that comes again takes the later rank. */
int zt_bpe_merge(struct zt_bpe *b, const char *left, size_t n_left, const char *right,
                 size_t n_right, struct zc_diag *dg);
/* The same for ids, with its rank: all pairs that make one token may have the same. ZC_ENOMEM,
 * ZC_ELIMIT for more than ZT_BPE_MAX_PAIRS. */
int zt_bpe_pair(struct zt_bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t into,
                struct zc_diag *dg);
/* After the last merge: fills the tables that follow from vocabulary and merges. */
void zt_bpe_finish(struct zt_bpe *b);

/* Appends the ids of n bytes of valid UTF-8. O(n log n) time, 20 n bytes of memory, for any text.
 * ZC_ENOMEM, ZC_ELIMIT (ids->max). */
int zt_bpe_encode(const struct zt_bpe *b, struct zt_bpe_work *w, const char *p, size_t n,
                  struct zt_ids *ids);
void zt_bpe_work_release(struct zt_bpe_work *w);

#endif
