/* SPDX-License-Identifier: MIT */
/* The pull reader of zt_json.h. It checks the grammar of what it hands out; what it steps over is
 * only balanced, and checked by whoever reads it later (this reader again, or jansson). */
#include "zoracd/text/zt_json.h"

#include <stdbool.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_utf8.h"

#define MAX_DEPTH 64

void zt_json_init(struct zt_json *j, const char *text, size_t len, struct zc_diag *dg)
{
    *j = (struct zt_json){.start = text, .p = text, .end = text + len, .dg = dg};
}

int zt_json_init_file(struct zt_json *j, const char *text, size_t len, struct zc_diag *dg)
{
    size_t valid = zc_utf8_valid(text, len);

    zt_json_init(j, text, len, dg);
    return valid < len ? zc_diag(dg, ZC_EFORMAT, "byte %zu: not UTF-8", valid) : ZC_OK;
}

static int bad(struct zt_json *j, const char *what)
{
    return zc_diag(j->dg, ZC_EFORMAT, "byte %zu: %s", (size_t)(j->p - j->start), what);
}

int zt_json_peek(struct zt_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r'))
        j->p++;
    return j->p < j->end ? (unsigned char)*j->p : 0;
}

/* Reads one character of punctuation. */
static int expect(struct zt_json *j, char c)
{
    char what[] = "'?' expected";

    if (zt_json_peek(j) != c) {
        what[1] = c;
        return bad(j, what);
    }
    j->p++;
    return ZC_OK;
}

int zt_json_enter(struct zt_json *j, char open)
{
    return expect(j, open);
}

int zt_json_next(struct zt_json *j, char close, int *first)
{
    int c = zt_json_peek(j);

    if (c == close) {
        j->p++;
        return 0;
    }
    if (!*first) {
        int r = expect(j, ',');
        if (r < 0)
            return r;
        if (zt_json_peek(j) == close)
            return bad(j, "a value expected after ','");
    }
    *first = 0;
    return zt_json_peek(j) ? 1 : bad(j, "the text ends early");
}

/* Four hexadecimal digits at j->p. */
static int hex4(struct zt_json *j, uint32_t *ret)
{
    uint32_t v = 0;

    if (j->end - j->p < 4)
        return bad(j, "the text ends in an escape");
    for (int i = 0; i < 4; i++, j->p++) {
        int c = (unsigned char)*j->p | 0x20;
        if (*j->p >= '0' && *j->p <= '9')
            v = v << 4 | (uint32_t)(*j->p - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return bad(j, "four hexadecimal digits expected");
    }
    *ret = v;
    return ZC_OK;
}

/* What follows "\u", a second half of a surrogate pair included. */
static int unicode_escape(struct zt_json *j, struct zc_buf *out)
{
    uint32_t cp, low;
    char utf8[4];

    int r = hex4(j, &cp);
    if (r < 0)
        return r;
    if (cp >= 0xd800 && cp < 0xdc00 && j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u') {
        const char *before = j->p;
        j->p += 2;
        if ((r = hex4(j, &low)) < 0)
            return r;
        if (low >= 0xdc00 && low < 0xe000)
            cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        else
            j->p = before;
    }
    if (cp >= 0xd800 && cp < 0xe000)
        cp = 0xfffd;
    return zc_buf_add(out, utf8, (size_t)zc_utf8_put(utf8, cp));
}

static int escape(struct zt_json *j, struct zc_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (++j->p == j->end)
        return bad(j, "the text ends in an escape");
    if (*j->p == 'u') {
        j->p++;
        return unicode_escape(j, out);
    }
    const char *hit = *j->p ? strchr(from, *j->p) : NULL;
    if (!hit)
        return bad(j, "unknown escape");
    j->p++;
    return zc_buf_addc(out, to[hit - from]);
}

int zt_json_string(struct zt_json *j, struct zc_buf *out)
{
    zc_buf_clear(out);
    int r = expect(j, '"');
    while (r >= 0) {
        const char *run = j->p;
        while (j->p < j->end && *j->p != '"' && *j->p != '\\' && (unsigned char)*j->p >= 0x20)
            j->p++;
        if ((r = zc_buf_add(out, run, (size_t)(j->p - run))) < 0)
            return zc_diag(j->dg, r, "byte %zu: a string is too long", (size_t)(run - j->start));
        if (j->p == j->end)
            return bad(j, "the text ends in a string");
        if (*j->p == '"') {
            j->p++;
            return ZC_OK;
        }
        if (*j->p != '\\')
            return bad(j, "a control character in a string");
        r = escape(j, out);
    }
    return r;
}

int zt_json_key(struct zt_json *j, struct zc_buf *out)
{
    int r = zt_json_string(j, out);
    return r < 0 ? r : expect(j, ':');
}

int zt_json_int(struct zt_json *j, int64_t *ret_value)
{
    int64_t v = 0;
    bool negative = zt_json_peek(j) == '-';

    if (negative)
        j->p++;
    const char *digits = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        if (j->p - digits >= 18)
            return bad(j, "a number is too big");
        v = v * 10 + (*j->p++ - '0');
    }
    if (j->p == digits || (*digits == '0' && j->p - digits > 1))
        return bad(j, "a whole number expected");
    if (j->p < j->end && (*j->p == '.' || (*j->p | 0x20) == 'e'))
        return bad(j, "a whole number expected");
    *ret_value = negative ? -v : v;
    return ZC_OK;
}

/* Steps over a string at j->p without looking into it. */
static int skip_string(struct zt_json *j)
{
    for (j->p++; j->p < j->end; j->p++) {
        if (*j->p == '"') {
            j->p++;
            return ZC_OK;
        }
        if (*j->p == '\\')
            j->p++;
    }
    j->p = j->end;
    return bad(j, "the text ends in a string");
}

int zt_json_skip(struct zt_json *j)
{
    char close[MAX_DEPTH];
    int depth = 0;

    do {
        int c = zt_json_peek(j);
        if (c == 0)
            return bad(j, "the text ends early");
        if (c == '"') {
            int r = skip_string(j);
            if (r < 0)
                return r;
        } else if (c == '{' || c == '[') {
            if (depth == MAX_DEPTH)
                return zc_diag(j->dg, ZC_ELIMIT, "byte %zu: nested deeper than %d",
                               (size_t)(j->p - j->start), MAX_DEPTH);
            close[depth++] = c == '{' ? '}' : ']';
            j->p++;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || close[--depth] != c)
                return bad(j, "a bracket without its partner");
            j->p++;
        } else if (c == ',' || c == ':') {
            if (depth == 0)
                return bad(j, "a value expected");
            j->p++;
        } else {
            while (j->p < j->end && !strchr(",:]}[{\" \n\t\r", *j->p))
                j->p++;
        }
    } while (depth > 0);
    return ZC_OK;
}

int zt_json_tree(struct zt_json *j, json_t **ret_value)
{
    json_error_t e;

    zt_json_peek(j);
    const char *start = j->p;
    int r = zt_json_skip(j);
    if (r < 0)
        return r;
    json_t *v = json_loadb(start, (size_t)(j->p - start), JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!v)
        return zc_diag(j->dg, ZC_EFORMAT, "byte %zu: %s",
                       (size_t)(start - j->start) + (size_t)(e.position > 0 ? e.position : 0),
                       e.text);
    *ret_value = v;
    return ZC_OK;
}

int zt_json_end(struct zt_json *j)
{
    return zt_json_peek(j) ? bad(j, "more text after the value") : ZC_OK;
}
