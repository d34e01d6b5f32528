/* SPDX-License-Identifier: MIT */
/* The scanner that stands before msgpack-c. It knows the layout of every msgpack header and nothing
 * of what values mean. Published layout: msgpack specification, "Formats". */
#include "common/zc_scan.h"

#include "common/zc_err.h"

void zc_scan_init(struct zc_scan *s, const struct zc_scan_limits *lim)
{
    ZC_BUG_ON(lim->depth < 1 || lim->depth > ZC_SCAN_MAX_DEPTH);
    *s = (struct zc_scan){.lim = *lim};
}

/* Bytes of the header that begins with b, itself included; 0 for the one byte that is none. */
static unsigned header_len(unsigned char b)
{
    /* 0xc0 .. 0xdf: nil, unused, false, true, bin8-32, ext8-32, f32, f64, u8-64, i8-64,
     * fixext1-16, str8-32, array16-32, map16-32. Numbers carry their value in the header. */
    static const unsigned char len[32] = {1, 0, 1, 1, 2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9,
                                          2, 3, 5, 9, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5};
    return b < 0xc0 || b > 0xdf ? 1 : len[b - 0xc0];
}

static uint64_t big_endian(const unsigned char *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* What a whole header announces: body bytes to skip and values inside. */
static void read_header(const unsigned char *h, uint64_t *ret_body, uint64_t *ret_values)
{
    unsigned char b = h[0];
    uint64_t body = 0, values = 0;

    if (b >= 0x80 && b <= 0x8f)
        values = 2 * (uint64_t)(b & 15);
    else if (b >= 0x90 && b <= 0x9f)
        values = b & 15;
    else if (b >= 0xa0 && b <= 0xbf)
        body = b & 31;
    else if (b >= 0xc4 && b <= 0xc6)
        body = big_endian(h + 1, 1u << (b - 0xc4));
    else if (b >= 0xc7 && b <= 0xc9)
        body = big_endian(h + 1, 1u << (b - 0xc7));
    else if (b >= 0xd4 && b <= 0xd8)
        body = 1u << (b - 0xd4);
    else if (b >= 0xd9 && b <= 0xdb)
        body = big_endian(h + 1, 1u << (b - 0xd9));
    else if (b == 0xdc || b == 0xdd)
        values = big_endian(h + 1, b == 0xdc ? 2 : 4);
    else if (b == 0xde || b == 0xdf)
        values = 2 * big_endian(h + 1, b == 0xde ? 2 : 4);
    *ret_body = body;
    *ret_values = values;
}

/* Books one whole header. Every value needs at least one byte, so that a count which the message
 * could not hold is refused at its header and not after megabytes. */
static int take_value(struct zc_scan *s, uint64_t body, uint64_t values, struct zc_diag *dg)
{
    if (body > s->lim.str)
        return zc_diag(dg, ZC_ELIMIT, "a string of %llu bytes is over the limit of %zu",
                       (unsigned long long)body, s->lim.str);
    s->items++;
    if (s->items > s->lim.items || values > s->lim.items - s->items)
        return zc_diag(dg, ZC_ELIMIT, "a message of more than %zu values", s->lim.items);
    if (body + values > s->lim.bytes - s->bytes)
        return zc_diag(dg, ZC_ELIMIT, "a message of more than %zu bytes", s->lim.bytes);
    if (s->depth)
        s->left[s->depth - 1]--;
    s->skip = body;
    if (values) {
        if (s->depth == s->lim.depth)
            return zc_diag(dg, ZC_ELIMIT, "a message nested deeper than %u", s->lim.depth);
        s->left[s->depth++] = values;
    }
    while (s->depth && s->left[s->depth - 1] == 0)
        s->depth--;
    return ZC_OK;
}

/* Takes the bytes of one header as far as they are there: ZC_OK when it is whole. */
static int take_header(struct zc_scan *s, const unsigned char *p, size_t n, size_t *ret_used,
                       struct zc_diag *dg)
{
    size_t used = 0;

    if (s->n_head == 0)
        s->head[s->n_head++] = p[used++];
    unsigned want = header_len(s->head[0]);
    if (want == 0)
        return zc_diag(dg, ZC_EFORMAT, "byte %llu of the message is 0x%02x, which is not msgpack",
                       (unsigned long long)s->bytes, s->head[0]);
    while (s->n_head < want && used < n)
        s->head[s->n_head++] = p[used++];
    if (used > s->lim.bytes - s->bytes)
        return zc_diag(dg, ZC_ELIMIT, "a message of more than %zu bytes", s->lim.bytes);
    s->bytes += used;
    *ret_used = used;
    return s->n_head == want ? ZC_OK : ZC_EAGAIN;
}

int zc_scan_feed(struct zc_scan *s, const void *p, size_t n, size_t *ret_used, struct zc_diag *dg)
{
    const unsigned char *b = p;
    size_t pos = 0, used = 0;
    uint64_t body, values;

    for (;;) {
        if (s->skip) {
            size_t k = s->skip < n - pos ? (size_t)s->skip : n - pos;
            s->skip -= k;
            s->bytes += k;
            pos += k;
        }
        if (s->skip == 0 && s->items > 0 && s->depth == 0 && s->n_head == 0)
            break;
        if (pos == n)
            return ZC_EAGAIN;
        int r = take_header(s, b + pos, n - pos, &used, dg);
        if (r < 0)
            return r;
        pos += used;
        s->n_head = 0;
        read_header(s->head, &body, &values);
        r = take_value(s, body, values, dg);
        if (r < 0)
            return r;
    }
    struct zc_scan_limits lim = s->lim;
    zc_scan_init(s, &lim);
    *ret_used = pos;
    return ZC_OK;
}
