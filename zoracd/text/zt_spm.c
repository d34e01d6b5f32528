/* SPDX-License-Identifier: MIT */
/* SentencePiece's tokenizer.model: pieces with scores, and how text is normalized. A BPE model
 * joins the two neighbours whose union is the piece of the highest score, the leftmost first:
 * written as pairs whose rank follows the score it is the BPE of zt_bpe.h. Control pieces, which no
 * text becomes, and those of the user are added tokens. Reference: sentencepiece, its processor and
 * bpe_model; the file's layout: sentencepiece_model.proto. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_proto.h"
#include "zoracd/text/zt_spm_norm.h"
#include "zoracd/text/zt_tok_internal.h"
#include "common/zc_utf8.h"

#define MAX_PIECE ZT_TOK_MAX_CONTENT

enum piece_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
enum model_type { UNIGRAM = 1, BPE, WORD, CHAR };

struct piece {
    const char *text; /* of n bytes, borrowed from the file */
    size_t n;
    float score;
    int32_t type;
    int32_t id;
    uint32_t rank;
};

struct spm {
    struct zt_tok *tok;
    struct zc_diag *dg;
    const json_t *more;
    struct piece *pieces;
    size_t n_pieces, n_added;
    int32_t model_type;
    bool byte_fallback;
    const char *bos, *unknown; /* not terminated */
    size_t n_bos, n_unknown;
    struct zt_spm_norm norm;
};

/* ---- the file ----------------------------------------------------------------------------- */

static int read_piece(struct spm *s, const struct zt_proto *file)
{
    struct piece *p = &s->pieces[s->n_pieces];
    struct zt_proto r;
    int e = zt_proto_enter(&r, file);

    *p = (struct piece){.type = NORMAL, .id = (int32_t)s->n_pieces++, .text = ""};
    while (e >= 0 && (e = zt_proto_next(&r)) > 0) {
        if (r.field == 1)
            e = zt_proto_bytes(&r, &p->text, &p->n);
        else if (r.field == 2)
            e = zt_proto_float(&r, &p->score);
        else if (r.field == 3)
            e = zt_proto_int(&r, &p->type);
    }
    if (e < 0)
        return e;
    if (p->n == 0 || p->n > MAX_PIECE || zc_utf8_valid(p->text, p->n) != p->n ||
        !isfinite(p->score))
        return zc_diag(s->dg, ZC_EFORMAT,
                       "piece %d: not a text of 1 to %d bytes of UTF-8 with a score", p->id,
                       MAX_PIECE);
    s->n_added += p->type == CONTROL || p->type == USER_DEFINED;
    return ZC_OK;
}

static int read_trainer(struct spm *s, const struct zt_proto *file)
{
    struct zt_proto r;
    int e = zt_proto_enter(&r, file);

    while (e >= 0 && (e = zt_proto_next(&r)) > 0) {
        if (r.field == 3)
            e = zt_proto_int(&r, &s->model_type);
        else if (r.field == 24)
            e = zt_proto_bool(&r, &s->norm.is_suffix);
        else if (r.field == 35)
            e = zt_proto_bool(&r, &s->byte_fallback);
        else if (r.field == 44)
            e = zt_proto_bytes(&r, &s->unknown, &s->n_unknown);
        else if (r.field == 46)
            e = zt_proto_bytes(&r, &s->bos, &s->n_bos);
    }
    return e < 0 ? zc_diag_prefix(s->dg, e, "trainer_spec") : ZC_OK;
}

static int read_normalizer(struct spm *s, const struct zt_proto *file)
{
    const char *map = "";
    struct zt_proto r;
    size_t n = 0;
    int e = zt_proto_enter(&r, file);

    while (e >= 0 && (e = zt_proto_next(&r)) > 0) {
        if (r.field == 2)
            e = zt_proto_bytes(&r, &map, &n);
        else if (r.field == 3)
            e = zt_proto_bool(&r, &s->norm.dummy_prefix);
        else if (r.field == 4)
            e = zt_proto_bool(&r, &s->norm.remove_extra);
        else if (r.field == 5)
            e = zt_proto_bool(&r, &s->norm.escape);
    }
    if (e >= 0)
        e = zt_spm_norm_charsmap(&s->norm, map, n, s->dg);
    return e < 0 ? zc_diag_prefix(s->dg, e, "normalizer_spec") : ZC_OK;
}

/* What decoded text would go through; no model of a family we know has any. */
static int read_denormalizer(struct spm *s, const struct zt_proto *file)
{
    struct zt_proto r;
    int e = zt_proto_enter(&r, file);

    while (e >= 0 && (e = zt_proto_next(&r)) > 0) {
        if (r.field == 2 && r.type == ZT_PROTO_LEN && r.n > 0)
            return zc_diag(s->dg, ZC_EUNSUPPORTED, "denormalizer_spec is not supported");
    }
    return e;
}

static int read_file(struct spm *s, const char *p, size_t n)
{
    struct zt_proto r;
    int e;

    zt_proto_init(&r, p, n, s->dg);
    while ((e = zt_proto_next(&r)) > 0) {
        e = r.field == 1   ? read_piece(s, &r)
            : r.field == 2 ? read_trainer(s, &r)
            : r.field == 3 ? read_normalizer(s, &r)
            : r.field == 5 ? read_denormalizer(s, &r)
                           : ZC_OK;
        if (e < 0)
            break;
    }
    return e;
}

/* Room for all pieces: they are counted first. */
static int reserve_pieces(struct spm *s, const char *p, size_t n)
{
    struct zt_proto r;
    size_t count = 0;
    void *pieces;
    int e;

    zt_proto_init(&r, p, n, s->dg);
    while ((e = zt_proto_next(&r)) > 0)
        count += r.field == 1;
    if (e < 0)
        return e;
    if (count == 0 || count > ZT_VOCAB_MAX_ID)
        return zc_diag(s->dg, ZC_EFORMAT, "%zu pieces: not a SentencePiece model", count);
    e = zc_try_calloc(&pieces, count, sizeof *s->pieces, ZT_VOCAB_MAX_BYTES);
    if (e < 0)
        return zc_diag(s->dg, e, "no memory for %zu pieces", count);
    s->pieces = pieces;
    return ZC_OK;
}

static int refuse(const struct spm *s)
{
    static const char *const names[] = {[UNIGRAM] = "Unigram", [WORD] = "Word", [CHAR] = "Char"};

    if (s->model_type == BPE)
        return ZC_OK;
    return zc_diag(s->dg, ZC_EUNSUPPORTED, "SentencePiece model type %s is not supported, only BPE",
                   s->model_type >= UNIGRAM && s->model_type <= CHAR ? names[s->model_type]
                                                                     : "unknown");
}

/* ---- pieces to tokens --------------------------------------------------------------------- */

static bool is_special(const json_t *more, const char *content)
{
    return json_is_true(json_object_get(json_object_get(more, content), "special"));
}

static int add_piece(struct spm *s, const struct piece *p)
{
    struct zt_bpe *bpe = &s->tok->bpe;
    char *content;
    int32_t next = p->id;
    int e;

    switch ((enum piece_type)p->type) {
    case NORMAL:
        return zt_vocab_add(&bpe->vocab, p->text, p->n, p->id, s->dg);
    case UNKNOWN:
        if (bpe->unk >= 0)
            return zc_diag(s->dg, ZC_EFORMAT, "piece %d: a second unknown piece", p->id);
        bpe->unk = p->id;
        return zt_vocab_name(&bpe->vocab, p->text, p->n, p->id, s->dg);
    case UNUSED:
    case BYTE:
        return zt_vocab_name(&bpe->vocab, p->text, p->n, p->id, s->dg);
    case CONTROL:
    case USER_DEFINED:
        content = zc_xstrndup(p->text, p->n);
        bool special = p->type == CONTROL || is_special(s->more, content);
        struct zt_added_token like = {
            .content = content, .n_content = p->n, .special = special, .normalized = !special};
        e = zt_tok_added_put(s->tok, &like, &next, s->dg);
        if (e >= 0 && next == p->id)
            e = zc_diag(s->dg, ZC_EFORMAT, "piece %d '%.60s' is there twice", p->id, content);
        zc_free(content);
        return e;
    }
    return zc_diag(s->dg, ZC_EFORMAT, "piece %d: type %d is unknown", p->id, p->type);
}

static int add_pieces(struct spm *s)
{
    int e = zt_tok_added_reserve(s->tok, s->n_added + json_object_size(s->more), s->dg);

    for (size_t i = 0; i < s->n_pieces && e >= 0; i++)
        e = add_piece(s, &s->pieces[i]);
    if (e >= 0 && s->tok->bpe.unk < 0)
        e = zc_diag(s->dg, ZC_EFORMAT, "there is no unknown piece");
    return e;
}

/* The tokens behind the pieces. */
static int add_more(struct spm *s)
{
    const char *content;
    json_t *v;
    int e = ZC_OK;

    json_object_foreach ((json_t *)(uintptr_t)s->more, content, v) {
        json_int_t id = json_integer_value(json_object_get(v, "id"));
        int32_t next = (int32_t)id;
        char *copy = zc_xstrdup(content);
        struct zt_added_token like = {
            .content = copy, .n_content = strlen(copy), .special = is_special(s->more, copy)};
        if (id >= ZT_VOCAB_MAX_ID)
            e = zc_diag(s->dg, ZC_ELIMIT, "added token '%.60s' has the id %lld", copy,
                        (long long)id);
        else if (id >= (json_int_t)s->n_pieces)
            e = zt_tok_added_put(s->tok, &like, &next, s->dg);
        zc_free(copy);
        if (e < 0)
            break;
    }
    return e;
}

/* The byte of <0x00> .. <0xFF>, -1 for another text. */
static int byte_of_piece(const struct piece *p)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *high = p->n == 6 ? memchr(digits, p->text[3], 16) : NULL;
    const char *low = p->n == 6 ? memchr(digits, p->text[4], 16) : NULL;

    if (!high || !low || memcmp(p->text, "<0x", 3) != 0 || p->text[5] != '>')
        return -1;
    return (int)(high - digits) << 4 | (int)(low - digits);
}

static int set_bytes(struct spm *s)
{
    int32_t *ids = s->tok->bpe.byte_ids;
    int n = 0;

    for (int i = 0; i < 256; i++)
        ids[i] = -1;
    for (size_t i = 0; i < s->n_pieces; i++) {
        const struct piece *p = &s->pieces[i];
        int byte = p->type == BYTE ? byte_of_piece(p) : 0;
        if (p->type != BYTE)
            continue;
        if (byte < 0 || ids[byte] >= 0)
            return zc_diag(s->dg, ZC_EFORMAT, "piece %d '%.*s' is no byte of its own", p->id,
                           (int)(p->n < 60 ? p->n : 60), p->text);
        ids[byte] = p->id;
        n++;
    }
    if (n != (s->byte_fallback ? 256 : 0))
        return zc_diag(s->dg, ZC_EFORMAT, "byte_fallback is %s and there are %d bytes",
                       s->byte_fallback ? "on" : "off", n);
    return ZC_OK;
}

/* ---- merges ------------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : (x->id > y->id) - (x->id < y->id);
}

static int refuse_piece(const struct spm *s, const struct piece *p, const char *why)
{
    return zc_diag(s->dg, ZC_EUNSUPPORTED, "piece %d '%.*s': %s", p->id,
                   (int)(p->n < 60 ? p->n : 60), p->text, why);
}

/* Every way to make a piece of two others. A piece that is never made, or only from what is unused,
 * has none; an unused one that text could become has a meaning of its own there. */
static int add_pairs(struct spm *s, const struct piece *p)
{
    struct zt_bpe *bpe = &s->tok->bpe;
    size_t cut = (size_t)zc_utf8_step(p->text, p->n);

    if (p->type == UNUSED && cut == p->n)
        return refuse_piece(s, p, "unused pieces are not supported");
    for (; cut < p->n; cut += (size_t)zc_utf8_step(p->text + cut, p->n - cut)) {
        int32_t left = zt_vocab_find(&bpe->vocab, p->text, cut);
        int32_t right = left < 0 ? -1 : zt_vocab_find(&bpe->vocab, p->text + cut, p->n - cut);
        if (right < 0)
            continue;
        if (p->type == UNUSED)
            return refuse_piece(s, p, "unused pieces are not supported");
        int e = zt_bpe_pair(bpe, left, right, p->rank, p->id, s->dg);
        if (e < 0)
            return e;
    }
    return ZC_OK;
}

/* The reference joins characters that are no pieces, too, if the union is one. */
static int check_characters(const struct spm *s, const struct piece *p)
{
    for (size_t i = 0, n; i < p->n; i += n) {
        n = (size_t)zc_utf8_step(p->text + i, p->n - i);
        if (zt_vocab_find(&s->tok->bpe.vocab, p->text + i, n) < 0)
            return refuse_piece(s, p, "one of its characters is no piece, which is not supported");
    }
    return ZC_OK;
}

static int add_merges(struct spm *s)
{
    int e = ZC_OK;

    qsort(s->pieces, s->n_pieces, sizeof *s->pieces, by_score);
    for (size_t i = 0; i < s->n_pieces && e >= 0; i++) {
        struct piece *p = &s->pieces[i];
        p->rank = i && p->score == p[-1].score ? p[-1].rank : (uint32_t)i;
        if (p->type != NORMAL && p->type != UNUSED)
            continue;
        if (p->type == NORMAL)
            e = check_characters(s, p);
        if (e >= 0)
            e = add_pairs(s, p);
    }
    return e;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void set_decoder(struct spm *s)
{
    struct zt_decoder *d = &s->tok->decoder;

    d->kind = ZT_DECODER_SPM;
    d->drops_first = s->norm.dummy_prefix || s->norm.remove_extra;
    d->drops_all = s->norm.remove_extra;
    d->unknown = zc_xstrndup(s->unknown, s->n_unknown);
    for (size_t i = 0; i < s->n_pieces; i++) {
        if (s->pieces[i].type == CONTROL)
            s->tok->flags[s->pieces[i].id] |= ZT_TOK_CONTROL;
    }
}

static void set_bos(struct spm *s)
{
    int32_t bos = zt_tok_find(s->tok, s->bos, s->n_bos);

    if (bos >= 0 && zt_tok_is_special(s->tok, bos))
        s->tok->before[s->tok->n_before++] = bos;
}

static int build(struct spm *s)
{
    struct zt_tok *tok = s->tok;
    int e;

    tok->bpe.fuse_unk = true;
    tok->bpe.byte_fallback = s->byte_fallback;
    if ((e = refuse(s)) < 0 || (e = add_pieces(s)) < 0 || (e = add_merges(s)) < 0 ||
        (e = add_more(s)) < 0)
        return e;
    zt_bpe_finish(&tok->bpe);
    if ((e = set_bytes(s)) < 0 || (e = zt_tok_added_finish(tok, s->dg)) < 0)
        return e;
    tok->takes_bytes = true;
    set_decoder(s);
    set_bos(s);
    s->norm.kept = &tok->normalized;
    zt_norm_init_spm(&tok->norm, &s->norm);
    return ZC_OK;
}

int zt_spm_read(struct zt_tok *tok, const char *p, size_t n, const json_t *more, struct zc_diag *dg)
{
    struct spm s = {
        .tok = tok,
        .dg = dg,
        .more = more,
        .model_type = UNIGRAM,
        .bos = "<s>",
        .n_bos = 3,
        .unknown = " \xe2\x81\x87 ",
        .n_unknown = 5,
        .norm = {.dummy_prefix = true, .remove_extra = true, .escape = true},
    };

    int e = reserve_pieces(&s, p, n);
    if (e >= 0 && (e = read_file(&s, p, n)) >= 0)
        e = build(&s);
    zt_spm_norm_release(&s.norm);
    zc_free(s.pieces);
    return e;
}
