/* SPDX-License-Identifier: MIT */
/* Looking for added tokens: the patterns are sorted, so that the candidates at a place are a range
 * of the array that narrows with each byte; the longest that was completed is the match. */
#include "zoracd/text/zt_added.h"

#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#include <utf8proc.h>

static int compare(const void *a, const void *b)
{
    const struct zt_added_token *x = *(const struct zt_added_token *const *)a;
    const struct zt_added_token *y = *(const struct zt_added_token *const *)b;
    size_t n = x->n_pattern < y->n_pattern ? x->n_pattern : y->n_pattern;

    int c = memcmp(x->pattern, y->pattern, n);
    if (c == 0)
        c = (x->n_pattern > y->n_pattern) - (x->n_pattern < y->n_pattern);
    return c ? c : (x > y) - (x < y);
}

int zt_added_set_init(struct zt_added_set *set, const struct zt_added_token *tokens, size_t n,
                      bool normalized, struct zc_diag *dg)
{
    void *p;

    *set = (struct zt_added_set){0};
    int r = zc_try_malloc(&p, n, sizeof *set->tokens, (size_t)1 << 30);
    if (r < 0)
        return zc_diag(dg, r, "no memory for the added tokens");
    set->tokens = p;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i].normalized == normalized)
            set->tokens[set->n++] = &tokens[i];
    }
    qsort(set->tokens, set->n, sizeof *set->tokens, compare);
    for (size_t i = 1; i < set->n; i++) {
        const struct zt_added_token *a = set->tokens[i - 1], *b = set->tokens[i];
        if (a->n_pattern == b->n_pattern && memcmp(a->pattern, b->pattern, a->n_pattern) == 0)
            return zc_diag(
                dg, ZC_EUNSUPPORTED,
                "added tokens '%.60s' and '%.60s' are the same when normalized, which is "
                "not supported",
                a->content, b->content);
    }
    for (size_t i = 0, byte = 0; byte <= 256; byte++) {
        while (i < set->n && (unsigned char)set->tokens[i]->pattern[0] < byte)
            i++;
        set->first[byte] = i;
    }
    return ZC_OK;
}

void zt_added_set_release(struct zt_added_set *set)
{
    zc_free(set->tokens);
    *set = (struct zt_added_set){0};
}

/* The first of tokens lo .. hi, all as long as depth at least or shorter ones first, whose byte at
 * depth is not below byte. */
static size_t lower(const struct zt_added_set *set, size_t lo, size_t hi, size_t depth, int byte)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct zt_added_token *t = set->tokens[mid];
        if (t->n_pattern <= depth || (unsigned char)t->pattern[depth] < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The longest token at p (n bytes to the end), the allowed ones only. */
static const struct zt_added_token *longest(const struct zt_added_set *set,
                                            const struct zt_text *text, size_t at, size_t end,
                                            bool all)
{
    const struct zt_added_token *best = NULL;
    const char *p = text->buf.data + at;
    size_t n = end - at, depth = 1;
    size_t lo = set->first[(unsigned char)p[0]], hi = set->first[(unsigned char)p[0] + 1];

    while (lo < hi) {
        const struct zt_added_token *t = set->tokens[lo];
        if (t->n_pattern == depth &&
            (all || !t->control || zt_text_is_trusted(text, at, t->n_pattern)))
            best = t;
        if (depth == n)
            break;
        lo = lower(set, lo, hi, depth, (unsigned char)p[depth]);
        hi = lower(set, lo, hi, depth, (unsigned char)p[depth] + 1);
        depth++;
    }
    return best;
}

static bool is_word(uint32_t cp)
{
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return cp == 0x200c || cp == 0x200d;
    }
}

/* The character that ends before byte at, which is after byte start; its length. */
static size_t before(const char *p, size_t start, size_t at, uint32_t *ret_cp)
{
    size_t i = at - 1;

    while (i > start && ((unsigned char)p[i] & 0xc0) == 0x80)
        i--;
    zc_utf8_get(p + i, ret_cp);
    return at - i;
}

static bool is_single_word(const char *p, size_t start, size_t end, const struct zt_added_hit *hit)
{
    uint32_t cp;

    if (hit->start > start) {
        before(p, start, hit->start, &cp);
        if (is_word(cp))
            return false;
    }
    if (hit->end < end) {
        zc_utf8_get(p + hit->end, &cp);
        if (is_word(cp))
            return false;
    }
    return true;
}

/* Takes in the white space beside the token that its flags ask for, from done on. */
static void strip(const char *p, size_t done, size_t end, struct zt_added_hit *hit)
{
    uint32_t cp;

    if (hit->token->lstrip && hit->start < done)
        hit->start = done;
    while (hit->token->lstrip && hit->start > done) {
        size_t len = before(p, done, hit->start, &cp);
        if (!zc_utf8_is_space(cp))
            break;
        hit->start -= len;
    }
    while (hit->token->rstrip && hit->end < end) {
        size_t len = (size_t)zc_utf8_get(p + hit->end, &cp);
        if (!zc_utf8_is_space(cp))
            break;
        hit->end += len;
    }
}

int zt_added_find(const struct zt_added_set *set, const struct zt_text *text, size_t start,
                  size_t done, size_t from, size_t end, bool all, struct zt_added_hit *ret_hit)
{
    const char *p = text->buf.data;

    if (set->n == 0)
        return 0;
    for (size_t i = from; i < end; i++) {
        unsigned char c = (unsigned char)p[i];
        if (set->first[c] == set->first[c + 1])
            continue;
        const struct zt_added_token *t = longest(set, text, i, end, all);
        if (!t)
            continue;
        struct zt_added_hit hit = {t, i, i + t->n_pattern, i + t->n_pattern};
        if (t->single_word && !is_single_word(p, start, end, &hit)) {
            i = hit.end - 1; /* the reference goes on behind it, too */
            continue;
        }
        strip(p, done, end, &hit);
        *ret_hit = hit;
        return 1;
    }
    return 0;
}
