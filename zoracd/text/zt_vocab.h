/* SPDX-License-Identifier: MIT */
/* A set of strings with ids, both ways. Filled once, const afterwards: then any thread. */
#ifndef ZORACD_TEXT_ZT_VOCAB_H
#define ZORACD_TEXT_ZT_VOCAB_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;

#define ZT_VOCAB_MAX_ID    (1 << 22)         /* ids are below this */
#define ZT_VOCAB_MAX_BYTES ((size_t)1 << 30) /* of any one table */

struct zt_vocab {
    struct zt_vocab_entry *entries; /* by id; n_ids of them */
    int32_t n_ids;                  /* one more than the highest id */
    int32_t cap_ids;
    int32_t count; /* strings */
    char *bytes;   /* the strings, one after another */
    size_t n_bytes, cap_bytes;
    uint32_t *slots; /* open addressing: id and ten bits of the hash; see zt_vocab.c */
    uint32_t mask;   /* slots - 1 */
    uint64_t seed;   /* so that no file can choose colliding strings */
};

struct zt_vocab_entry {
    uint32_t off;
    uint32_t len_plus_1; /* 0: no string has this id */
};

void zt_vocab_init(struct zt_vocab *v);
void zt_vocab_release(struct zt_vocab *v);

/* Adds a string. ZC_EFORMAT if the string or the id is there already, ZC_ELIMIT for an id out of
 * range, ZC_ENOMEM. The vocabulary is unchanged on an error. */
int zt_vocab_add(struct zt_vocab *v, const char *p, size_t n, int64_t id, struct zc_diag *dg);
/* Gives an id without a string one that zt_vocab_find does not find. */
int zt_vocab_name(struct zt_vocab *v, const char *p, size_t n, int64_t id, struct zc_diag *dg);

/* The id of a string, -1 if there is none. */
int32_t zt_vocab_find(const struct zt_vocab *v, const char *p, size_t n);
/* Asks for the memory that looking up count strings will touch (at most ZT_VOCAB_WARM): looking
 * them up right afterwards then does not wait for it one miss after another. */
#define ZT_VOCAB_WARM 32
void zt_vocab_warm(const struct zt_vocab *v, const char *const *p, const size_t *n, size_t count);
/* The string of an id (not terminated) and its length; NULL if there is none. */
const char *zt_vocab_get(const struct zt_vocab *v, int32_t id, size_t *ret_len);

/* A seed from the system, and a keyed hash of bytes: what every table of this room uses. */
uint64_t zt_vocab_seed(void);
uint64_t zt_vocab_hash(uint64_t seed, const char *p, size_t n);
/* The mixing step of that hash, for tables keyed by numbers. */
static inline uint64_t zt_vocab_mix(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

#endif
