/* SPDX-License-Identifier: MIT */
/* Strings in one block of bytes, a table from id to string, an open hash from string to id. The
 * hash is keyed at random: a file from outside must not be able to make every string collide. */
#include "zoracd/text/zt_vocab.h"

#include <string.h>
#include <sys/random.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

#define K0 0x9e3779b97f4a7c15u
#define K1 0xd6e8feb86659fd93u

void zt_vocab_init(struct zt_vocab *v)
{
    *v = (struct zt_vocab){.seed = zt_vocab_seed()};
}

void zt_vocab_release(struct zt_vocab *v)
{
    zc_free(v->entries);
    zc_free(v->bytes);
    zc_free(v->slots);
    *v = (struct zt_vocab){0};
}

uint64_t zt_vocab_seed(void)
{
    uint64_t seed = 0;

    /* Without entropy at early boot the fixed part still works; it is only guessable. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = K1;
    return seed | 1;
}

uint64_t zt_vocab_hash(uint64_t seed, const char *p, size_t n)
{
    uint64_t h = seed ^ n * K0, a = 0, b = 0;

    for (; n > 16; p += 16, n -= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = zt_vocab_mix(a ^ K0 ^ h, b ^ K1 ^ seed);
    }
    if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t lo, hi;
        memcpy(&lo, p, 4);
        memcpy(&hi, p + n - 4, 4);
        a = lo;
        b = hi;
    } else if (n > 0) {
        a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
            (unsigned char)p[n - 1];
        b = 0;
    }
    return zt_vocab_mix(zt_vocab_mix(a ^ K0 ^ h, b ^ K1 ^ seed), K0);
}

/* A slot has the id below ID_BITS and a tag of the hash above, which tells nearly all strings that
 * are not the one without looking at them; looking costs two cache misses. */
#define ID_BITS 22
#define NO_SLOT UINT32_MAX

static int32_t id_of(uint32_t slot)
{
    return (int32_t)(slot & ((1u << ID_BITS) - 1));
}

static uint32_t slot_for(uint64_t hash, int32_t id)
{
    return (uint32_t)(hash >> 32) >> ID_BITS << ID_BITS | (uint32_t)id;
}

/* Where a string is, or the empty slot where it would be. */
static uint32_t find_slot(const struct zt_vocab *v, uint64_t hash, const char *p, size_t n)
{
    uint32_t i = (uint32_t)hash & v->mask, tag = slot_for(hash, 0);

    for (; v->slots[i] != NO_SLOT; i = (i + 1) & v->mask) {
        if ((v->slots[i] ^ tag) >> ID_BITS)
            continue;
        const struct zt_vocab_entry *e = &v->entries[id_of(v->slots[i])];
        if (e->len_plus_1 == n + 1 && memcmp(v->bytes + e->off, p, n) == 0)
            break;
    }
    return i;
}

int32_t zt_vocab_find(const struct zt_vocab *v, const char *p, size_t n)
{
    if (!v->slots)
        return -1;
    uint32_t slot = v->slots[find_slot(v, zt_vocab_hash(v->seed, p, n), p, n)];
    return slot == NO_SLOT ? -1 : id_of(slot);
}

void zt_vocab_warm(const struct zt_vocab *v, const char *const *p, const size_t *n, size_t count)
{
    uint32_t at[ZT_VOCAB_WARM];

    if (!v->slots)
        return;
    for (size_t i = 0; i < count; i++) {
        at[i] = (uint32_t)zt_vocab_hash(v->seed, p[i], n[i]) & v->mask;
        __builtin_prefetch(&v->slots[at[i]]);
    }
    for (size_t i = 0; i < count; i++) {
        at[i] = v->slots[at[i]] == NO_SLOT ? 0 : (uint32_t)id_of(v->slots[at[i]]);
        __builtin_prefetch(&v->entries[at[i]]);
    }
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(v->bytes + v->entries[at[i]].off);
}

const char *zt_vocab_get(const struct zt_vocab *v, int32_t id, size_t *ret_len)
{
    if (id < 0 || id >= v->n_ids || v->entries[id].len_plus_1 == 0)
        return NULL;
    *ret_len = v->entries[id].len_plus_1 - 1;
    return v->bytes + v->entries[id].off;
}

/* At most half of the slots are taken. */
static int grow_slots(struct zt_vocab *v)
{
    size_t n = v->slots ? ((size_t)v->mask + 1) * 2 : 256;
    void *p;

    if (v->slots && (size_t)v->count * 2 <= v->mask)
        return ZC_OK;
    int r = zc_try_malloc(&p, n, sizeof *v->slots, ZT_VOCAB_MAX_BYTES);
    if (r < 0)
        return r;
    uint32_t *old = v->slots;
    size_t n_old = old ? (size_t)v->mask + 1 : 0;
    memset(p, 0xff, n * sizeof *v->slots);
    v->slots = p;
    v->mask = (uint32_t)(n - 1);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] == NO_SLOT)
            continue;
        const struct zt_vocab_entry *e = &v->entries[id_of(old[i])];
        uint64_t hash = zt_vocab_hash(v->seed, v->bytes + e->off, e->len_plus_1 - 1);
        uint32_t at = (uint32_t)hash & v->mask; /* all are different: the first free one */
        while (v->slots[at] != NO_SLOT)
            at = (at + 1) & v->mask;
        v->slots[at] = old[i];
    }
    zc_free(old);
    return ZC_OK;
}

static int grow_entries(struct zt_vocab *v, int32_t id)
{
    size_t n = v->cap_ids ? (size_t)v->cap_ids * 2 : 256;
    void *p;

    if (id < v->cap_ids)
        return ZC_OK;
    while (n <= (size_t)id)
        n *= 2;
    int r = zc_try_calloc(&p, n, sizeof *v->entries, ZT_VOCAB_MAX_BYTES);
    if (r < 0)
        return r;
    if (v->entries)
        memcpy(p, v->entries, (size_t)v->n_ids * sizeof *v->entries);
    zc_free(v->entries);
    v->entries = p;
    v->cap_ids = (int32_t)n;
    return ZC_OK;
}

static int grow_bytes(struct zt_vocab *v, size_t n)
{
    size_t cap = v->cap_bytes ? v->cap_bytes * 2 : 4096;
    void *p;

    if (n <= v->cap_bytes - v->n_bytes)
        return ZC_OK;
    while (cap - v->n_bytes < n)
        cap *= 2;
    int r = zc_try_malloc(&p, cap, 1, ZT_VOCAB_MAX_BYTES);
    if (r < 0)
        return r;
    if (v->n_bytes)
        memcpy(p, v->bytes, v->n_bytes);
    zc_free(v->bytes);
    v->bytes = p;
    v->cap_bytes = cap;
    return ZC_OK;
}

int zt_vocab_name(struct zt_vocab *v, const char *p, size_t n, int64_t id, struct zc_diag *dg)
{
    int r;

    if (id < 0 || id >= ZT_VOCAB_MAX_ID)
        return zc_diag(dg, ZC_ELIMIT, "token '%.*s': id %lld is not below %d",
                       (int)(n < 60 ? n : 60), p, (long long)id, ZT_VOCAB_MAX_ID);
    if (n >= ZT_VOCAB_MAX_BYTES)
        return zc_diag(dg, ZC_ELIMIT, "id %lld: the token is too long", (long long)id);
    if (id < v->n_ids && v->entries[id].len_plus_1)
        return zc_diag(dg, ZC_EFORMAT, "token '%.*s': id %lld is another token's already",
                       (int)(n < 60 ? n : 60), p, (long long)id);
    if ((r = grow_entries(v, (int32_t)id)) < 0 || (r = grow_bytes(v, n)) < 0)
        return zc_diag(dg, r, "no memory for the vocabulary");
    if (n)
        memcpy(v->bytes + v->n_bytes, p, n);
    v->entries[id] = (struct zt_vocab_entry){(uint32_t)v->n_bytes, (uint32_t)n + 1};
    v->n_bytes += n;
    if (id >= v->n_ids)
        v->n_ids = (int32_t)id + 1;
    return ZC_OK;
}

int zt_vocab_add(struct zt_vocab *v, const char *p, size_t n, int64_t id, struct zc_diag *dg)
{
    int r = grow_slots(v);

    if (r < 0)
        return zc_diag(dg, r, "no memory for the vocabulary");
    uint64_t hash = zt_vocab_hash(v->seed, p, n);
    uint32_t at = find_slot(v, hash, p, n);
    if (v->slots[at] != NO_SLOT)
        return zc_diag(dg, ZC_EFORMAT, "token '%.*s' is there twice", (int)(n < 60 ? n : 60), p);
    if ((r = zt_vocab_name(v, p, n, id, dg)) < 0)
        return r;
    v->slots[at] = slot_for(hash, (int32_t)id);
    v->count++;
    return ZC_OK;
}
