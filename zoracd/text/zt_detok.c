/* SPDX-License-Identifier: MIT */
/* Ids to text, one after another. Two things are held back: bytes that are not a whole character
 * yet, and the decision about them. Reference: tokenizers' decode and DecodeStream, which give out
 * all of an id's text or nothing while the text ends in the middle of a character. */
#include "config.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tok_internal.h"
#include "common/zc_utf8.h"

#define MAX_TEXT ((size_t)1 << 30)
#define META     "\xe2\x96\x81" /* U+2581, SentencePiece's sign for a space */
#define HOLD_MAX 64 /* bytes; then whole characters are given out although the end is not whole */

struct zt_detok {
    const struct zt_tok *tok;
    enum zt_special special;
    bool is_whole;      /* the list is known as a whole: a run of bytes is judged at its end */
    struct zc_buf held; /* BYTES: what ends in a cut character; STEPS, SPM: a run of byte tokens */
    struct zc_buf text; /* of the current id */
    bool run_is_bad;    /* STEPS: this run of byte tokens is no UTF-8 */
    bool has_begun;     /* a token came before; SPM: text came before, or its dummy prefix */
    unsigned strip_left;
};

static void reset(struct zt_detok *d)
{
    zc_buf_clear(&d->held);
    d->run_is_bad = false;
    d->has_begun = false;
    d->strip_left = d->tok->decoder.strip_left;
}

static void init(struct zt_detok *d, const struct zt_tok *tok, enum zt_special special,
                 bool is_whole)
{
    *d = (struct zt_detok){.tok = tok, .special = special, .is_whole = is_whole};
    zc_buf_init(&d->held, MAX_TEXT);
    zc_buf_init(&d->text, MAX_TEXT);
    reset(d);
}

static void release(struct zt_detok *d)
{
    zc_buf_release(&d->held);
    zc_buf_release(&d->text);
}

/* ---- giving out --------------------------------------------------------------------------- */

/* Appends text to out, less what is stripped at the very start. */
static int give(struct zt_detok *d, struct zc_buf *out, const char *p, size_t n)
{
    const char *strip = d->tok->decoder.strip;
    size_t len = strlen(strip);

    while (d->strip_left > 0 && n > 0) {
        if (n < len || memcmp(p, strip, len) != 0) {
            d->strip_left = 0;
            break;
        }
        d->strip_left--;
        p += len;
        n -= len;
    }
    return zc_buf_add(out, p, n);
}

/* n bytes that are no characters, each as U+FFFD. */
static int give_bad(struct zt_detok *d, struct zc_buf *out, size_t n)
{
    int r = ZC_OK;

    for (; n > 0 && r >= 0; n--)
        r = give(d, out, ZC_UTF8_REPLACEMENT, 3);
    return r;
}

/* BYTES: gives out what is held, or nothing while it ends within a character. */
static int give_held(struct zt_detok *d, struct zc_buf *out)
{
    size_t tail = zc_utf8_tail(d->held.data, d->held.len);

    if (tail && d->held.len <= HOLD_MAX)
        return ZC_OK;
    int r = zc_utf8_lossy(out, d->held.data, d->held.len - tail);
    zc_buf_drain(&d->held, d->held.len - tail);
    return r;
}

/* SPM: gives out what is whole of a run of byte tokens; a byte that is of no character is U+FFFD.
 */
static int give_run(struct zt_detok *d, struct zc_buf *out, bool is_over)
{
    size_t done = 0;
    int r = ZC_OK;

    while (done < d->held.len && r >= 0) {
        int len = zc_utf8_step(d->held.data + done, d->held.len - done);
        if (len == 0 && !is_over)
            break;
        r = len > 0 ? zc_buf_add(out, d->held.data + done, (size_t)len) : give_bad(d, out, 1);
        done += len > 0 ? (size_t)len : 1;
    }
    zc_buf_drain(&d->held, done);
    return r;
}

/* STEPS: a run of byte tokens is over: text if it is UTF-8, else each byte is bad. */
static int end_run(struct zt_detok *d, struct zc_buf *out)
{
    size_t n = d->held.len;

    int r = n > 0 && zc_utf8_valid(d->held.data, n) == n ? give(d, out, d->held.data, n)
                                                         : give_bad(d, out, n);
    zc_buf_clear(&d->held);
    d->run_is_bad = false;
    return r;
}

/* STEPS: one byte more. In a stream a character is given out when it is whole. */
static int add_to_run(struct zt_detok *d, struct zc_buf *out, char byte)
{
    if (d->run_is_bad)
        return give_bad(d, out, 1);
    int r = zc_buf_addc(&d->held, byte);
    if (r < 0 || d->is_whole)
        return r;
    int len = zc_utf8_step(d->held.data, d->held.len);
    if (len == 0)
        return ZC_OK;
    if (len > 0)
        return end_run(d, out);
    r = give_bad(d, out, d->held.len);
    zc_buf_clear(&d->held);
    d->run_is_bad = true;
    return r;
}

/* ---- the text of one token ---------------------------------------------------------------- */

/* Characters of the byte-level alphabet to bytes; a token with another character stays as it is. */
static int add_bytes(struct zc_buf *out, const char *p, size_t n)
{
    size_t mark = out->len;
    uint32_t cp;

    for (size_t i = 0; i < n;) {
        i += (size_t)zc_utf8_get(p + i, &cp);
        int byte = zt_pre_byte_of_char(cp);
        if (byte < 0) {
            zc_buf_truncate(out, mark);
            return zc_buf_add(out, p, n);
        }
        zc_buf_addc(out, (char)byte);
    }
    return zc_buf_error(out);
}

/* in (n bytes) with every from as to, appended to out. */
static int replace(struct zc_buf *out, const char *p, size_t n, const char *from, const char *to)
{
    size_t len = strlen(from);

    for (;;) {
        const char *hit = memmem(p, n, from, len);
        size_t before = hit ? (size_t)(hit - p) : n;
        zc_buf_add(out, p, before);
        if (!hit)
            return zc_buf_error(out);
        zc_buf_adds(out, to);
        p = hit + len;
        n -= before + len;
    }
}

static int replace_all(struct zt_detok *d, const char *p, size_t n)
{
    const struct zt_decoder *dec = &d->tok->decoder;
    struct zc_buf before;
    int r;

    zc_buf_clear(&d->text);
    if (dec->n_replaces == 0)
        return zc_buf_add(&d->text, p, n);
    r = replace(&d->text, p, n, dec->replaces[0].from, dec->replaces[0].to);
    for (size_t i = 1; i < dec->n_replaces && r >= 0; i++) {
        before = d->text;
        zc_buf_init(&d->text, MAX_TEXT);
        r = replace(&d->text, zc_buf_str(&before), before.len, dec->replaces[i].from,
                    dec->replaces[i].to);
        zc_buf_release(&before);
    }
    return r;
}

/* The byte of a token like <0x0A>, -1 if it is not one. */
static int byte_of(const char *p, size_t n)
{
    int v = 0;

    if (n != 6 || memcmp(p, "<0x", 3) != 0 || p[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        int c = p[i] | 0x20;
        if (p[i] >= '0' && p[i] <= '9')
            v = v << 4 | (p[i] - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (c - 'a' + 10);
        else
            return -1;
    }
    return v;
}

static int push_steps(struct zt_detok *d, const char *p, size_t n, struct zc_buf *out)
{
    int r = replace_all(d, p, n);
    if (r < 0)
        return r;
    int byte = d->tok->decoder.byte_fallback ? byte_of(d->text.data, d->text.len) : -1;
    if (byte >= 0)
        return add_to_run(d, out, (char)byte);
    r = end_run(d, out);
    return r < 0 ? r : give(d, out, d->text.data, d->text.len);
}

/* The first token loses its replacements, the others have spaces for them. */
static int push_meta(struct zt_detok *d, const char *p, size_t n, bool is_first, struct zc_buf *out)
{
    const struct zt_decoder *dec = &d->tok->decoder;

    return replace(out, p, n, dec->replaces[0].from, is_first && dec->drops_first ? "" : " ");
}

/* Whether an id is nothing in text. */
static bool is_left_out(const struct zt_detok *d, int32_t id)
{
    return (d->special == ZT_SPECIAL_SKIP && d->tok->flags[id] & ZT_TOK_SPECIAL) ||
           (d->special == ZT_SPECIAL_KEEP && d->tok->flags[id] & ZT_TOK_CONTROL);
}

/* The first text loses the sign of a space at its beginning, the dummy prefix. */
static int push_piece(struct zt_detok *d, int32_t id, struct zc_buf *out)
{
    const struct zt_tok *tok = d->tok;
    const struct zt_decoder *dec = &tok->decoder;
    size_t n = 0, mark = out->len;
    const char *p = zt_tok_content(tok, id, &n);
    int byte = p ? byte_of(p, n) : -1;

    if (byte >= 0 && tok->bpe.byte_ids[byte] == id) {
        zc_buf_addc(&d->held, (char)byte);
        d->has_begun = true;
        return give_run(d, out, false);
    }
    int r = give_run(d, out, true);
    if (r < 0 || !p || is_left_out(d, id))
        return r;
    if (id == tok->bpe.unk || tok->flags[id] & ZT_TOK_SPECIAL) {
        r = id == tok->bpe.unk ? zc_buf_adds(out, dec->unknown) : zc_buf_add(out, p, n);
    } else {
        bool drops = dec->drops_first && !d->has_begun && n >= 3 && memcmp(p, META, 3) == 0;
        d->has_begun |= drops && !dec->drops_all;
        r = replace(out, p + 3 * drops, n - 3 * drops, META, " ");
    }
    d->has_begun |= out->len > mark;
    return r;
}

static int push_token(struct zt_detok *d, const char *p, size_t n, struct zc_buf *out)
{
    bool is_first = !d->has_begun;
    int r = ZC_OK;

    d->has_begun = true;
    switch (d->tok->decoder.kind) {
    case ZT_DECODER_NONE:
        if (!is_first)
            r = zc_buf_addc(out, ' ');
        return r < 0 ? r : zc_buf_add(out, p, n);
    case ZT_DECODER_BYTES:
        r = add_bytes(&d->held, p, n);
        return r < 0 ? r : give_held(d, out);
    case ZT_DECODER_META:
        return push_meta(d, p, n, is_first, out);
    case ZT_DECODER_SPM: /* push_piece */
        break;
    case ZT_DECODER_STEPS:
        return push_steps(d, p, n, out);
    }
    return ZC_EINTERNAL;
}

/* ---- exported ----------------------------------------------------------------------------- */

int zt_detok_push(struct zt_detok *d, int32_t id, struct zc_buf *out)
{
    const struct zt_tok *tok = d->tok;
    size_t n;

    if (id < 0 || id >= tok->bpe.vocab.n_ids)
        return ZC_EINVAL;
    if (tok->decoder.kind == ZT_DECODER_SPM)
        return push_piece(d, id, out);
    if (is_left_out(d, id))
        return ZC_OK;
    if (tok->flags[id] & ZT_TOK_ADDED) {
        const struct zt_added_token *t = zt_tok_added(tok, id);
        return push_token(d, t->pattern, t->n_pattern, out);
    }
    const char *p = zt_vocab_get(&tok->bpe.vocab, id, &n);
    return p ? push_token(d, p, n, out) : ZC_OK;
}

int zt_detok_flush(struct zt_detok *d, struct zc_buf *out)
{
    int r = d->tok->decoder.kind == ZT_DECODER_BYTES
                ? zc_utf8_lossy(out, zc_buf_str(&d->held), d->held.len)
            : d->tok->decoder.kind == ZT_DECODER_SPM ? give_run(d, out, true)
                                                     : end_run(d, out);
    reset(d);
    return r;
}

int zt_detok_prime(struct zt_detok *d, const int32_t *ids, size_t n)
{
    struct zc_buf unseen;
    int r = ZC_OK;

    zc_buf_init(&unseen, MAX_TEXT);
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = zt_detok_push(d, ids[i], &unseen);
        zc_buf_clear(&unseen);
    }
    zc_buf_release(&unseen);
    return r;
}

int zt_detok_new(struct zt_detok **ret_d, const struct zt_tok *tok, enum zt_special special)
{
    *ret_d = zc_xcalloc(1, sizeof **ret_d);
    init(*ret_d, tok, special, false);
    return ZC_OK;
}

void zt_detok_free(struct zt_detok *d)
{
    if (!d)
        return;
    release(d);
    zc_free(d);
}

int zt_tok_decode(const struct zt_tok *tok, const int32_t *ids, size_t n, enum zt_special special,
                  struct zc_buf *out, struct zc_diag *dg)
{
    struct zt_detok d;
    size_t mark = out->len;
    int r = ZC_OK;

    init(&d, tok, special, true);
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = zt_detok_push(&d, ids[i], out);
        if (r == ZC_EINVAL)
            zc_diag(dg, r, "id %d at %zu: the vocabulary has %d ids", ids[i], i,
                    zt_tok_vocab_size(tok));
        else if (r < 0)
            zc_diag(dg, r, "no room for the decoded text");
    }
    if (r >= 0 && (r = zt_detok_flush(&d, out)) < 0)
        zc_diag(dg, r, "no room for the decoded text");
    release(&d);
    if (r < 0)
        zc_buf_truncate(out, mark);
    return r;
}
