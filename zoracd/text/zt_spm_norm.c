/* SPDX-License-Identifier: MIT */
/* The text is walked in chunks: a string that is kept, a sequence that the table knows, a run of
 * plain characters, a byte that is no UTF-8. What white space does depends on the chunks alone.
 * The table is a double array (Aoe 1989, as darts-clone lays it out): a state and a byte give the
 * next state by one addition, here an exclusive or. */
#include "zoracd/text/zt_spm_norm.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#define META    "\xe2\x96\x81" /* U+2581 */
#define MAX_MAP ((size_t)64 << 20)
#define MAX_KEY 256 /* bytes of a sequence: what looking for one may cost at each character */

/* ---- the table ---------------------------------------------------------------------------- */

/* A unit: bit 8 says that a value follows, bits 0-7 and 31 are the byte it was reached by, bits 10
 * on the offset of its children, in units of 256 where bit 9 is set. */
static uint32_t unit_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

int zt_spm_norm_charsmap(struct zt_spm_norm *s, const char *p, size_t n, struct zc_diag *dg)
{
    const unsigned char *head = (const unsigned char *)p;
    void *trie, *map;

    if (n == 0)
        return ZC_OK;
    size_t size = n < 4 ? 0 : head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
    if (size == 0 || size % 4 != 0 || size >= n - 4 || n > MAX_MAP)
        return zc_diag(dg, ZC_EFORMAT, "precompiled_charsmap: a table of %zu of %zu bytes", size,
                       n);
    size_t n_map = n - 4 - size;
    if (p[n - 1] != '\0' || zc_utf8_valid(p + 4 + size, n_map) != n_map)
        return zc_diag(dg, ZC_EFORMAT, "precompiled_charsmap: texts that are no UTF-8");
    int r = zc_try_malloc(&trie, size / 4, sizeof *s->trie, MAX_MAP);
    if (r >= 0 && (r = zc_try_malloc(&map, n_map, 1, MAX_MAP)) < 0)
        zc_free(trie);
    if (r < 0)
        return zc_diag(dg, r, "no memory for precompiled_charsmap");
    zt_spm_norm_release(s);
    s->trie = trie;
    s->n_trie = size / 4;
    for (size_t i = 0; i < s->n_trie; i++) {
        const unsigned char *u = head + 4 + 4 * i;
        s->trie[i] = u[0] | u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
    }
    s->map = memcpy(map, p + 4 + size, n_map);
    s->n_map = n_map;
    return ZC_OK;
}

void zt_spm_norm_release(struct zt_spm_norm *s)
{
    zc_free(s->trie);
    zc_free(s->map);
    s->trie = NULL;
    s->map = NULL;
    s->n_trie = s->n_map = 0;
}

/* The longest sequence at p that the table knows: its length and its text; 0 if there is none. */
static size_t look_up(const struct zt_spm_norm *s, const char *p, size_t n, const char **ret_text)
{
    uint32_t at = s->n_trie ? unit_offset(s->trie[0]) : 0;
    size_t best = 0;

    for (size_t i = 0; i < n && i < MAX_KEY && s->n_trie; i++) {
        unsigned char c = (unsigned char)p[i];
        at ^= c;
        if (at >= s->n_trie || (s->trie[at] & (1u << 31 | 0xff)) != c)
            break;
        uint32_t unit = s->trie[at];
        at ^= unit_offset(unit);
        if (!(unit & 1u << 8))
            continue;
        size_t value = at < s->n_trie ? s->trie[at] & 0x7fffffff : SIZE_MAX;
        if (value >= s->n_map || ((unsigned char)s->map[value] & 0xc0) == 0x80)
            break; /* no offset of a text: a table that was not made for this */
        *ret_text = s->map + value;
        best = i + 1;
    }
    return best;
}

/* ---- chunks ------------------------------------------------------------------------------- */

struct walk {
    const struct zt_spm_norm *s;
    const struct zt_text *in;
    size_t at;                /* behind the chunk */
    size_t space;             /* the first space behind the place where it was looked for last */
    struct zt_added_hit kept; /* the next string that is kept, from at on */
    bool has_kept, looked;
    const char *p; /* the chunk as it is after the table */
    size_t n;
    bool trusted;
};

/* Where the next kept string begins; the end of the text if there is none. */
static size_t next_kept(struct walk *w)
{
    size_t end = w->in->buf.len;

    if (w->s->kept && (!w->looked || (w->has_kept && w->kept.start < w->at))) {
        w->looked = true;
        w->has_kept =
            zt_added_find(w->s->kept, w->in, w->at, w->at, w->at, end, true, &w->kept) > 0;
    }
    return w->has_kept ? w->kept.start : end;
}

/* Where the first space behind the next byte is; the end of the text if there is none. */
static size_t next_space(struct walk *w)
{
    const char *p = zc_buf_str(&w->in->buf), *space;
    size_t end = w->in->buf.len, from = w->at + 1;

    if (w->space < from) {
        space = memchr(p + from, ' ', end - from);
        w->space = space ? (size_t)(space - p) : end;
    }
    return w->space;
}

/* How many of the next n bytes, at p, are one chunk of characters that stay: all up to a space,
 * where there is no table. 0: the first byte is no character. */
static size_t plain_run(struct walk *w, const char *p, size_t n)
{
    if (w->s->trie || *p == ' ') {
        int len = zc_utf8_step(p, n);
        return len > 0 ? (size_t)len : 0;
    }
    size_t to_space = next_space(w) - w->at;
    return zc_utf8_valid(p, to_space < n ? to_space : n);
}

/* The next chunk; 0 at the end of the text. */
static int next_chunk(struct walk *w)
{
    const char *p = zc_buf_str(&w->in->buf) + w->at;
    size_t from = w->at, left = w->in->buf.len - from;

    if (left == 0)
        return 0;
    size_t kept = next_kept(w) - from, run, len;
    w->p = p;
    if (kept == 0) {
        w->n = len = w->kept.end - from;
    } else if ((len = look_up(w->s, p, left, &w->p)) > 0) {
        w->n = strlen(w->p);
    } else {
        run = zt_text_run(w->in, from, kept, &w->trusted);
        w->n = len = plain_run(w, p, run);
        if (len == 0 && (len = plain_run(w, p, left)) > 0) {
            len = w->n = (size_t)zc_utf8_step(p, left); /* a character of two spans */
        } else if (len == 0) {
            w->p = ZC_UTF8_REPLACEMENT;
            w->n = 3;
            len = 1;
        }
    }
    w->trusted = zt_text_is_trusted(w->in, from, len);
    w->at += len;
    return 1;
}

/* ---- white space -------------------------------------------------------------------------- */

static int add_space(const struct zt_spm_norm *s, struct zt_text *out, bool trusted)
{
    return zt_text_add(out, s->escape ? META : " ", s->escape ? 3 : 1, trusted);
}

static int add_chunk(const struct walk *w, struct zt_text *out, const char *p, size_t n)
{
    int r = ZC_OK;

    while (n > 0 && r >= 0) {
        const char *space = memchr(p, ' ', n);
        size_t len = space ? (size_t)(space - p) : n;
        r = zt_text_add(out, p, len, w->trusted);
        if (r >= 0 && space)
            r = add_space(w->s, out, w->trusted);
        p += len + (space != NULL);
        n -= len + (space != NULL);
    }
    return r;
}

static int cut_end(const struct zt_spm_norm *s, struct zt_text *out)
{
    const char *space = s->escape ? META : " ";
    size_t n = strlen(space), end = out->buf.len;
    struct zt_text cut;

    while (end >= n && memcmp(out->buf.data + end - n, space, n) == 0)
        end -= n;
    if (end == out->buf.len)
        return ZC_OK;
    zt_text_init(&cut, out->buf.max);
    int r = zt_text_copy(&cut, out, 0, end);
    zt_text_release(out);
    *out = cut;
    return r;
}

int zt_spm_norm_run(const struct zt_spm_norm *s, const struct zt_text *in, struct zt_text *out)
{
    struct walk w = {.s = s, .in = in};
    bool after_space = s->remove_extra;
    int r = ZC_OK, more = next_chunk(&w);

    while (s->remove_extra && more && w.n == 1 && *w.p == ' ')
        more = next_chunk(&w);
    if (!more)
        return ZC_OK;
    bool trusted = zt_text_is_trusted(in, 0, 1);
    if (s->dummy_prefix && !s->is_suffix)
        r = add_space(s, out, trusted);
    for (; more && r >= 0; more = next_chunk(&w)) {
        const char *p = w.p;
        size_t n = w.n;
        for (; after_space && n > 0 && *p == ' '; p++)
            n--;
        r = add_chunk(&w, out, p, n);
        if (n > 0)
            after_space = s->remove_extra && p[n - 1] == ' ';
    }
    if (r >= 0 && s->remove_extra)
        r = cut_end(s, out);
    if (r >= 0 && s->dummy_prefix && s->is_suffix)
        r = add_space(s, out, trusted);
    return r;
}
