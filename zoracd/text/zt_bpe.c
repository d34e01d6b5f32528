/* SPDX-License-Identifier: MIT */
/* The merge table and the merging. Words up to SCAN_MAX symbols look for the lowest rank by
 * scanning, which is fastest; longer ones, up to a text of one letter, keep the candidates in a
 * heap. Both take the same pairs in the same order. Text repeats its words, so each call remembers
 * those it has seen (zt_bpe_known). */
#include "zoracd/text/zt_bpe.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#define SCAN_MAX    32
#define MAX_WORK    ((size_t)4 << 30) /* bytes of any one array; pieces stay far below */
#define KNOWN_SLOTS 8192
#define KNOWN_KEYS  (256 * 1024)   /* bytes of words; when full, all are forgotten */
#define KNOWN_LEN   64             /* longer words do not come again */
#define META        "\xe2\x96\x81" /* U+2581, SentencePiece's sign for a space */

#define N_CHARS (sizeof((struct zt_bpe *)0)->char_ids / sizeof((struct zt_bpe *)0)->char_ids[0])

struct zt_bpe_pair {
    int32_t left, right;
    uint32_t rank;
    int32_t id; /* -1: empty */
};

struct zt_bpe_symbol {
    int32_t id; /* -1: merged into the one before */
    int32_t prev, next;
};

struct zt_bpe_known {
    uint32_t hash; /* upper half */
    uint32_t key;  /* offset in keys */
    uint32_t at;   /* where its ids are in the output */
    uint16_t len;  /* 0: empty */
    uint16_t n_ids;
};

/* ---- the merge table ---------------------------------------------------------------------- */

void zt_bpe_init(struct zt_bpe *b)
{
    *b = (struct zt_bpe){.unk = -1, .seed = zt_vocab_seed()};
    zt_vocab_init(&b->vocab);
}

void zt_bpe_release(struct zt_bpe *b)
{
    zt_vocab_release(&b->vocab);
    zc_free(b->pairs);
    zc_free(b->suffix);
    *b = (struct zt_bpe){.unk = -1};
}

static struct zt_bpe_pair *slot_of(const struct zt_bpe *b, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint32_t i = (uint32_t)zt_vocab_mix(key ^ b->seed, 0x9e3779b97f4a7c15u) & b->mask;

    while (b->pairs[i].id >= 0 && (b->pairs[i].left != left || b->pairs[i].right != right))
        i = (i + 1) & b->mask;
    return &b->pairs[i];
}

/* NULL if the two do not merge. */
static const struct zt_bpe_pair *find_pair(const struct zt_bpe *b, int32_t left, int32_t right)
{
    if (!b->pairs)
        return NULL;
    const struct zt_bpe_pair *p = slot_of(b, left, right);
    return p->id >= 0 ? p : NULL;
}

/* At most two thirds of the slots are taken. */
static int grow_pairs(struct zt_bpe *b)
{
    size_t n_old = b->pairs ? (size_t)b->mask + 1 : 0;
    void *p;

    if (n_old && (size_t)b->n_pairs * 3 < n_old * 2)
        return ZC_OK;
    size_t n = n_old ? n_old * 2 : 256;
    int r = zc_try_malloc(&p, n, sizeof *b->pairs, MAX_WORK);
    if (r < 0)
        return r;
    struct zt_bpe_pair *old = b->pairs;
    memset(p, 0xff, n * sizeof *b->pairs);
    b->pairs = p;
    b->mask = (uint32_t)(n - 1);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].id >= 0)
            *slot_of(b, old[i].left, old[i].right) = old[i];
    }
    zc_free(old);
    return ZC_OK;
}

/* Whether a token is left and right written together. */
static bool is_joined(const struct zt_vocab *v, int32_t id, const char *left, size_t n_left,
                      const char *right, size_t n_right)
{
    size_t n;
    const char *p = zt_vocab_get(v, id, &n);

    return p && n == n_left + n_right && memcmp(p, left, n_left) == 0 &&
           memcmp(p + n_left, right, n_right) == 0;
}

/* The id of left and right written together. Files list merges in the order of the tokens they
 * make, so it is nearly always the last one's or the next: neither copying nor hashing then. */
static int32_t find_joined(const struct zt_bpe *b, const char *left, size_t n_left,
                           const char *right, size_t n_right)
{
    char small[512];
    size_t n = n_left + n_right;

    for (int32_t id = b->last_joined; id <= b->last_joined + 1; id++) {
        if (is_joined(&b->vocab, id, left, n_left, right, n_right))
            return id;
    }
    char *joined = n <= sizeof small ? small : zc_xmalloc(n);
    memcpy(joined, left, n_left);
    memcpy(joined + n_left, right, n_right);
    int32_t id = zt_vocab_find(&b->vocab, joined, n);
    if (joined != small)
        zc_free(joined);
    return id;
}

int zt_bpe_pair(struct zt_bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t into,
                struct zc_diag *dg)
{
    if (b->n_pairs == ZT_BPE_MAX_PAIRS)
        return zc_diag(dg, ZC_ELIMIT, "more than %d merges", ZT_BPE_MAX_PAIRS);
    int r = grow_pairs(b);
    if (r < 0)
        return zc_diag(dg, r, "no memory for the merges");
    *slot_of(b, left, right) = (struct zt_bpe_pair){left, right, rank, into};
    b->n_pairs++;
    return ZC_OK;
}

int zt_bpe_merge(struct zt_bpe *b, const char *left, size_t n_left, const char *right,
                 size_t n_right, struct zc_diag *dg)
{
    int32_t l = zt_vocab_find(&b->vocab, left, n_left);
    int32_t r = zt_vocab_find(&b->vocab, right, n_right);

    /* Both are tokens before they are copied: their lengths are bounded by the vocabulary. */
    int32_t id = l >= 0 && r >= 0 ? find_joined(b, left, n_left, right, n_right) : -1;
    if (id < 0)
        return zc_diag(dg, ZC_EFORMAT, "merge %u: '%.*s' '%.*s': %s no token", b->n_pairs,
                       (int)(n_left < 60 ? n_left : 60), left, (int)(n_right < 60 ? n_right : 60),
                       right,
                       l < 0   ? "the first is"
                       : r < 0 ? "the second is"
                               : "both together are");
    b->last_joined = id;
    return zt_bpe_pair(b, l, r, b->n_pairs, id, dg);
}

/* Whether the token ends in something else than META, or begins with META. */
static bool has_end(const struct zt_vocab *v, int32_t id)
{
    size_t n;
    const char *p = zt_vocab_get(v, id, &n);
    return p && !(n >= 3 && memcmp(p + n - 3, META, 3) == 0);
}

static bool has_start(const struct zt_vocab *v, int32_t id)
{
    size_t n;
    const char *p = zt_vocab_get(v, id, &n);
    return p && n >= 3 && memcmp(p, META, 3) == 0;
}

/* Where no merge joins "...x" with META "...", and META is a token itself (so that an unknown
 * character before it ends there), a whole text falls into words that do not influence each other.
 */
static bool has_words(const struct zt_bpe *b)
{
    if (b->suffix || b->ignore_merges || b->unk < 0 || zt_vocab_find(&b->vocab, META, 3) < 0)
        return false;
    for (size_t i = 0; b->pairs && i <= b->mask; i++) {
        const struct zt_bpe_pair *p = &b->pairs[i];
        if (p->id >= 0 && has_end(&b->vocab, p->left) && has_start(&b->vocab, p->right))
            return false;
    }
    return true;
}

void zt_bpe_finish(struct zt_bpe *b)
{
    char text[8];

    for (int i = 0; i < 256; i++) {
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)i);
        b->byte_ids[i] = zt_vocab_find(&b->vocab, text, 6);
    }
    for (uint32_t cp = 0; cp < N_CHARS; cp++)
        b->char_ids[cp] = zt_vocab_find(&b->vocab, text, (size_t)zc_utf8_put(text, cp));
    b->words_only = has_words(b);
}

/* ---- characters to symbols ---------------------------------------------------------------- */

static int reserve_symbols(struct zt_bpe_work *w, size_t n)
{
    void *p;

    if (n <= w->cap_symbols)
        return ZC_OK;
    if (n > INT32_MAX)
        return ZC_ELIMIT;
    size_t cap = n < 256 ? 256 : n;
    int r = zc_try_malloc(&p, cap, sizeof *w->symbols, MAX_WORK);
    if (r < 0)
        return r;
    zc_free(w->symbols);
    w->symbols = p;
    w->cap_symbols = cap;
    return ZC_OK;
}

/* The token of n bytes, which are one character or one with the suffix. */
static int32_t find_char(const struct zt_bpe *b, const char *p, size_t n)
{
    uint32_t cp;

    if (n <= 2 && (size_t)zc_utf8_get(p, &cp) == n && cp < N_CHARS)
        return b->char_ids[cp];
    return zt_vocab_find(&b->vocab, p, n);
}

/* The byte tokens of a character; 0 if one of them is missing. */
static size_t fall_back(const struct zt_bpe *b, const char *p, size_t n, struct zt_bpe_symbol *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i].id = b->byte_ids[(unsigned char)p[i]];
        if (out[i].id < 0)
            return 0;
    }
    return n;
}

/* Fills the symbols' ids; how many. An unknown token is written when the next known character
 * comes, after bytes that fell back in between, as the reference does. */
static size_t fill_symbols(const struct zt_bpe *b, struct zt_bpe_symbol *s, const char *p, size_t n)
{
    char last[4 + ZT_BPE_MAX_SUFFIX];
    size_t m = 0, bytes;
    bool pending = false; /* an unknown token, not written yet */

    for (size_t i = 0; i < n;) {
        const char *c = p + i;
        size_t len = (size_t)zc_utf8_step(c, n - i);
        i += len;
        if (i == n && b->suffix) { /* the last character has the suffix in its token */
            memcpy(last, c, len);
            memcpy(last + len, b->suffix, strlen(b->suffix));
            c = last;
            len += strlen(b->suffix);
        }
        int32_t id = find_char(b, c, len);
        if (id >= 0) {
            if (pending)
                s[m++].id = b->unk;
            pending = false;
            s[m++].id = id;
        } else if (b->byte_fallback && (bytes = fall_back(b, c, len, s + m)) > 0) {
            m += bytes;
        } else if (b->unk >= 0) {
            if (pending && !b->fuse_unk)
                s[m++].id = b->unk;
            pending = true;
        }
    }
    if (pending)
        s[m++].id = b->unk;
    return m;
}

/* ---- merging ------------------------------------------------------------------------------ */

/* The candidates by (rank, position), least first: a heap with four children to a node, because
 * most of its time goes into memory. */
static void heap_down(uint64_t *h, size_t n, size_t i)
{
    uint64_t v = h[i];

    for (;;) {
        size_t c = 4 * i + 1, best = c;
        if (c >= n)
            break;
        for (size_t k = c + 1; k < c + 4 && k < n; k++) {
            if (h[k] < h[best])
                best = k;
        }
        if (h[best] >= v)
            break;
        h[i] = h[best];
        i = best;
    }
    h[i] = v;
}

static void heap_up(uint64_t *h, size_t i)
{
    uint64_t v = h[i];

    while (i > 0 && h[(i - 1) / 4] > v) {
        h[i] = h[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    h[i] = v;
}

/* Every merge takes at least one candidate out and puts at most two in, and there are fewer than m
 * merges: 2 m candidates are room enough. */
static int reserve_heap(struct zt_bpe_work *w, size_t m)
{
    void *p;

    if (2 * m <= w->cap_heap)
        return ZC_OK;
    int r = zc_try_malloc(&p, 2 * m, sizeof *w->heap, MAX_WORK);
    if (r < 0)
        return r;
    zc_free(w->heap);
    w->heap = p;
    w->cap_heap = 2 * m;
    return ZC_OK;
}

static void push_pair(const struct zt_bpe *b, struct zt_bpe_work *w, size_t *n, int32_t pos)
{
    const struct zt_bpe_symbol *s = w->symbols;

    if (pos < 0 || s[pos].next < 0)
        return;
    const struct zt_bpe_pair *p = find_pair(b, s[pos].id, s[s[pos].next].id);
    if (!p)
        return;
    w->heap[*n] = (uint64_t)p->rank << 32 | (uint32_t)pos;
    heap_up(w->heap, (*n)++);
}

/* All candidates at the start, made a heap at once. */
static size_t first_pairs(const struct zt_bpe *b, struct zt_bpe_work *w, size_t m)
{
    struct zt_bpe_symbol *s = w->symbols;
    size_t n = 0;

    for (size_t i = 0; i < m; i++) {
        s[i].prev = (int32_t)i - 1;
        s[i].next = i + 1 < m ? (int32_t)i + 1 : -1;
        const struct zt_bpe_pair *p = i + 1 < m ? find_pair(b, s[i].id, s[i + 1].id) : NULL;
        if (p)
            w->heap[n++] = (uint64_t)p->rank << 32 | (uint32_t)i;
    }
    for (size_t i = n / 4 + 1; i-- > 0;) {
        if (i < n)
            heap_down(w->heap, n, i);
    }
    return n;
}

static int merge_heap(const struct zt_bpe *b, struct zt_bpe_work *w, size_t m)
{
    struct zt_bpe_symbol *s = w->symbols;
    int r = reserve_heap(w, m);

    if (r < 0)
        return r;
    size_t n = first_pairs(b, w, m);
    while (n > 0) {
        uint64_t top = w->heap[0];
        w->heap[0] = w->heap[--n];
        if (n > 0)
            heap_down(w->heap, n, 0);
        int32_t at = (int32_t)(uint32_t)top, right = s[at].next;
        if (s[at].id < 0 || right < 0)
            continue;
        /* What was merged since makes a candidate void: another pair is there, of another rank. */
        const struct zt_bpe_pair *p = find_pair(b, s[at].id, s[right].id);
        if (!p || p->rank != top >> 32)
            continue;
        s[at].id = p->id;
        s[at].next = s[right].next;
        s[right].id = -1;
        if (s[at].next >= 0)
            s[s[at].next].prev = at;
        push_pair(b, w, &n, s[at].prev);
        push_pair(b, w, &n, at);
    }
    return ZC_OK;
}

/* The same for few symbols; how many are left, in the first places. */
static size_t merge_scan(const struct zt_bpe *b, struct zt_bpe_symbol *s, size_t m)
{
    const struct zt_bpe_pair *pairs[SCAN_MAX];

    for (size_t i = 0; i + 1 < m; i++)
        pairs[i] = find_pair(b, s[i].id, s[i + 1].id);
    while (m > 1) {
        size_t best = m;
        for (size_t i = 0; i + 1 < m; i++) {
            if (pairs[i] && (best == m || pairs[i]->rank < pairs[best]->rank))
                best = i;
        }
        if (best == m)
            break;
        s[best].id = pairs[best]->id;
        m--;
        memmove(&s[best + 1], &s[best + 2], (m - best - 1) * sizeof *s);
        memmove(&pairs[best], &pairs[best + 1], (m - best - 1) * sizeof(void *));
        if (best > 0)
            pairs[best - 1] = find_pair(b, s[best - 1].id, s[best].id);
        if (best + 1 < m)
            pairs[best] = find_pair(b, s[best].id, s[best + 1].id);
    }
    return m;
}

static int encode_word(const struct zt_bpe *b, struct zt_bpe_work *w, const char *p, size_t n,
                       struct zt_ids *ids)
{
    int r = reserve_symbols(w, n + ZT_BPE_MAX_SUFFIX);
    if (r < 0)
        return r;
    size_t m = fill_symbols(b, w->symbols, p, n);
    if (m <= SCAN_MAX)
        m = merge_scan(b, w->symbols, m);
    else
        r = merge_heap(b, w, m);
    for (size_t i = 0; i < m && r >= 0; i++) {
        if (w->symbols[i].id >= 0)
            r = zt_ids_add(ids, w->symbols[i].id);
    }
    return r;
}

/* ---- words seen before -------------------------------------------------------------------- */

/* Without memory the call goes on without remembering. */
static bool has_known(struct zt_bpe_work *w)
{
    void *slots, *keys;

    if (w->known)
        return true;
    if (zc_try_calloc(&slots, KNOWN_SLOTS, sizeof *w->known, MAX_WORK) < 0)
        return false;
    if (zc_try_malloc(&keys, KNOWN_KEYS, 1, MAX_WORK) < 0) {
        zc_free(slots);
        return false;
    }
    w->known = slots;
    w->keys = keys;
    return true;
}

static void remember(struct zt_bpe_work *w, struct zt_bpe_known *k, uint64_t hash, const char *p,
                     size_t n, size_t at, size_t n_ids)
{
    if (w->n_keys + n > KNOWN_KEYS) {
        memset(w->known, 0, KNOWN_SLOTS * sizeof *w->known);
        w->n_keys = 0;
    }
    if (at + n_ids > UINT32_MAX)
        return;
    memcpy(w->keys + w->n_keys, p, n);
    *k = (struct zt_bpe_known){.hash = (uint32_t)(hash >> 32),
                               .key = (uint32_t)w->n_keys,
                               .at = (uint32_t)at,
                               .len = (uint16_t)n,
                               .n_ids = (uint16_t)n_ids};
    w->n_keys += n;
}

static int encode_known(const struct zt_bpe *b, struct zt_bpe_work *w, const char *p, size_t n,
                        struct zt_ids *ids)
{
    if (n > KNOWN_LEN || !has_known(w))
        return encode_word(b, w, p, n, ids);
    uint64_t hash = zt_vocab_hash(b->seed, p, n);
    struct zt_bpe_known *k = &w->known[hash % KNOWN_SLOTS];
    if (k->len == n && k->hash == hash >> 32 && memcmp(w->keys + k->key, p, n) == 0) {
        int r = ZC_OK;
        for (size_t i = 0; i < k->n_ids && r >= 0; i++)
            r = zt_ids_add(ids, ids->data[k->at + i]);
        return r;
    }
    size_t at = ids->len;
    int r = encode_word(b, w, p, n, ids);
    if (r >= 0)
        remember(w, k, hash, p, n, at, ids->len - at);
    return r;
}

/* ---- a piece ------------------------------------------------------------------------------ */

/* The length of the first word: up to a META that does not follow another one. */
static size_t word_len(const char *p, size_t n)
{
    for (size_t i = 1; i + 3 <= n; i++) {
        const char *hit = memchr(p + i, META[0], n - i - 2);
        if (!hit)
            break;
        i = (size_t)(hit - p);
        if (memcmp(hit, META, 3) == 0 && !(i >= 3 && memcmp(hit - 3, META, 3) == 0))
            return i;
    }
    return n;
}

int zt_bpe_encode(const struct zt_bpe *b, struct zt_bpe_work *w, const char *p, size_t n,
                  struct zt_ids *ids)
{
    int r = ZC_OK;

    if (n == 0)
        return ZC_OK;
    if (b->ignore_merges) {
        int32_t id = zt_vocab_find(&b->vocab, p, n);
        if (id >= 0 && !(b->flags && b->flags[id] & ZT_BPE_HIDDEN))
            return zt_ids_add(ids, id);
    }
    if (!b->words_only)
        return encode_known(b, w, p, n, ids);
    while (n > 0 && r >= 0) {
        size_t len = word_len(p, n);
        r = encode_known(b, w, p, len, ids);
        p += len;
        n -= len;
    }
    return r;
}

void zt_bpe_work_release(struct zt_bpe_work *w)
{
    zc_free(w->symbols);
    zc_free(w->heap);
    zc_free(w->known);
    zc_free(w->keys);
    *w = (struct zt_bpe_work){0};
}
