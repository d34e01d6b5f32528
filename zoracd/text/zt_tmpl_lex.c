/* SPDX-License-Identifier: MIT */
/* Template source to lexemes, as jinja2's lexer does it: text with its white space cut as
 * trim_blocks, lstrip_blocks and the signs in the tags say, and what is inside the tags.
 * Comments and raw blocks end here. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_utf8.h"

struct lexer {
    struct zt_env *e;
    const char *src; /* newlines normalised, NUL at len */
    size_t len, pos;
    struct zt_lexeme *out;
    size_t n, cap;
};

enum { MAX_BRACKETS = 128 };

static struct zt_lexeme *emit(struct lexer *x, enum zt_lex_type type)
{
    if (x->n == x->cap) {
        struct zt_lexeme *old = x->out;
        x->cap = x->cap ? x->cap * 2 : 256;
        x->out = zt_alloc(x->e, x->cap, sizeof *x->out);
        if (x->n)
            memcpy(x->out, old, x->n * sizeof *old);
    }
    x->out[x->n] = (struct zt_lexeme){.type = type, .line = x->e->line};
    return &x->out[x->n++];
}

/* Moves on to offset to, counting lines. */
static void advance(struct lexer *x, size_t to)
{
    for (; x->pos < to; x->pos++)
        x->e->line += x->src[x->pos] == '\n';
}

static bool is_at(const struct lexer *x, size_t at, const char *literal)
{
    return strncmp(x->src + at, literal, strlen(literal)) == 0;
}

/* The offset of what follows the white space at at. */
static size_t skip_space(const struct lexer *x, size_t at)
{
    size_t n;

    while (at < x->len && zt_char_is_space(zt_char_at(x->src + at, x->len - at, &n)))
        at += n;
    return at;
}

static size_t rstrip(const struct lexer *x, size_t from, size_t to)
{
    size_t n, start;

    for (; to > from; to = start) {
        for (start = to - 1; start > from && ((unsigned char)x->src[start] & 0xc0) == 0x80;)
            start--;
        if (!zt_char_is_space(zt_char_at(x->src + start, to - start, &n)))
            break;
    }
    return to;
}

/* The text from pos up to the tag at at; sign is the tag's '-', '+' or 0. */
static void emit_data(struct lexer *x, size_t at, char sign, bool may_lstrip)
{
    size_t from = x->pos, to = at;

    if (sign == '-') {
        to = rstrip(x, from, to);
    } else if (sign != '+' && may_lstrip) {
        size_t bol = at;
        while (bol > from && x->src[bol - 1] != '\n')
            bol--;
        bool starts_line = bol == 0 || x->src[bol - 1] == '\n';
        if (starts_line && rstrip(x, bol, at) == bol)
            to = bol;
    }
    if (to > from)
        emit(x, ZT_LEX_DATA)->val = zt_of_str(zt_str_new(x->e, x->src + from, to - from, true));
    advance(x, at);
}

/* The offset after a tag's end c '}' at at ("-%}", "+%}", "%}"), with the white space that goes
 * with it; 0 if there is no such end here. */
static size_t tag_end(const struct lexer *x, size_t at, char c, bool trim)
{
    char sign = x->src[at] == '-' || (x->src[at] == '+' && trim) ? x->src[at] : 0;

    at += sign != 0;
    if (x->src[at] != c || x->src[at + 1] != '}')
        return 0;
    at += 2;
    if (sign == '-')
        return skip_space(x, at);
    return at + (trim && !sign && x->src[at] == '\n');
}

static void lex_comment(struct lexer *x, size_t start)
{
    size_t end = 0;

    for (size_t at = start; at < x->len && !end; at++)
        end = tag_end(x, at, '#', true);
    if (start >= x->len) /* jinja2 does not miss the end where nothing follows */
        end = x->len;
    if (!end)
        zt_fail(x->e, "a comment without its end");
    advance(x, end);
}

/* A raw or endraw tag at at: the offset after it, else 0. No newline is eaten after raw. */
static size_t raw_tag(const struct lexer *x, size_t at, const char *word, bool trim)
{
    if (!is_at(x, at, "{%"))
        return 0;
    at += 2;
    at = skip_space(x, at + (x->src[at] == '-' || x->src[at] == '+'));
    if (!is_at(x, at, word))
        return 0;
    at = skip_space(x, at + strlen(word));
    return tag_end(x, at, '%', trim);
}

static void lex_raw(struct lexer *x, size_t start)
{
    advance(x, start);
    for (size_t at = x->pos; at < x->len; at++) {
        size_t end = raw_tag(x, at, "endraw", true);
        if (end) {
            emit_data(x, at, x->src[at + 2], true);
            advance(x, end);
            return;
        }
    }
    if (start < x->len)
        zt_fail(x->e, "a raw block without its end");
}

/* ---- inside tags ---------------------------------------------------------------------------- */

static void add_escape(struct lexer *x, struct zt_sb *b, size_t *at)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char c = x->src[*at];
    const char *simple = c ? strchr(from, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t v = 0;

    *at += 1;
    if (c == '\n')
        return;
    if (simple) {
        zt_sb_add(b, &to[simple - from], 1, true);
        return;
    }
    if (c >= '0' && c <= '7') {
        for (int i = 0; i < 3 && x->src[*at - 1] >= '0' && x->src[*at - 1] <= '7'; i++)
            v = v * 8 + (uint32_t)(x->src[(*at)++ - 1] - '0');
        *at -= 1;
    } else if (digits) {
        char hex[9] = "";
        memcpy(hex, x->src + *at, strnlen(x->src + *at, digits));
        if (strspn(hex, "0123456789abcdefABCDEF") != digits)
            zt_fail(x->e, "a bad escape \\%c in a string", c);
        v = (uint32_t)strtoul(hex, NULL, 16);
        *at += digits;
    } else {
        zt_sb_add(b, "\\", 1, true); /* not an escape: kept as it is */
        zt_sb_add(b, &c, 1, true);
        return;
    }
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        zt_fail(x->e, "an escape in a string that is no character");
    zt_sb_add_char(b, v, true);
}

static void lex_string(struct lexer *x)
{
    char quote = x->src[x->pos];
    size_t at = x->pos + 1;
    struct zt_sb b;

    zt_sb_init(&b, x->e);
    while (at < x->len && x->src[at] != quote) {
        if (x->src[at] == '\\')
            at++, add_escape(x, &b, &at);
        else
            zt_sb_add(&b, &x->src[at++], 1, true);
    }
    if (at >= x->len)
        zt_fail(x->e, "a string without its end");
    emit(x, ZT_LEX_CONST)->val = zt_sb_take_val(&b);
    advance(x, at + 1);
}

/* Copies digits of a set, with single underscores between them, to text; how many bytes it read. */
static size_t digits_of(const char *p, const char *set, char *text, size_t cap)
{
    size_t n = 0, len = strlen(text);

    while (p[n] && (strchr(set, p[n]) || (p[n] == '_' && n && p[n + 1] && strchr(set, p[n + 1])))) {
        if (p[n] != '_' && len + 1 < cap)
            text[len++] = p[n];
        n++;
    }
    text[len] = '\0';
    return n;
}

static void lex_number(struct lexer *x)
{
    static const char dec[] = "0123456789";
    char text[400] = "";
    const char *p = x->src + x->pos;
    char kind = p[0] == '0' ? p[1] | 0x20 : 0;
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    const char *set = base == 16 ? "0123456789abcdefABCDEF" : base == 8 ? "01234567" : "01";
    bool after_dot = x->pos && p[-1] == '.', is_float = false;
    size_t n, m;

    if (base != 10) {
        n = 2 + digits_of(p + 2 + (p[2] == '_'), set, text, sizeof text) + (p[2] == '_');
    } else {
        n = digits_of(p, dec, text, sizeof text);
        size_t len = strlen(text);
        if (!after_dot && p[n] == '.' && len + 1 < sizeof text) {
            strcat(text, ".");
            m = digits_of(p + n + 1, dec, text, sizeof text);
            n += m ? m + 1 : 0;
            is_float = m > 0;
        }
        if (!after_dot && (p[n] | 0x20) == 'e' && strlen(text) + 3 < sizeof text) {
            size_t sign = p[n + 1] == '-' || p[n + 1] == '+';
            strncat(text, p + n, 1 + sign);
            m = digits_of(p + n + 1 + sign, dec, text, sizeof text);
            n += m ? m + 1 + sign : 0;
            is_float |= m > 0;
        }
        if (!is_float && text[0] == '0' && strspn(text, "0") != len)
            zt_fail(x->e, "a number that begins with 0");
    }
    if (!text[0] || strlen(text) + 5 > sizeof text)
        zt_fail(x->e, "a number without digits or with too many");
    errno = 0;
    struct zt_val v =
        is_float ? zt_float(strtod(text, NULL), true) : zt_int(strtoll(text, NULL, base), true);
    if (!is_float && errno == ERANGE && base != 10)
        zt_fail(x->e, "a number that does not fit 64 bits");
    if (!is_float && errno == ERANGE)
        v = (struct zt_val){
            .kind = ZT_BIG,
            .u.s = zt_str_of(x->e, zt_c_string(x->e, zt_str_of(x->e, text, true)), true)};
    emit(x, ZT_LEX_CONST)->val = v;
    advance(x, x->pos + n);
}

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static void lex_operator(struct lexer *x, char *brackets, size_t *n_brackets)
{
    static const char two[][3] = {"==", "!=", ">=", "<=", "**", "//"};
    static const char codes[] = {ZT_OP_EQ, ZT_OP_NE, ZT_OP_GE, ZT_OP_LE, ZT_OP_POW, ZT_OP_FLOORDIV};
    char c = x->src[x->pos], op = 0;

    for (size_t i = 0; i < sizeof codes && !op; i++)
        op = is_at(x, x->pos, two[i]) ? codes[i] : 0;
    size_t n = op ? 2 : 1;
    if (!op && c && strchr("+-/*%~[](){}><=.:|,;", c))
        op = c;
    if (!op)
        zt_fail(x->e, "unexpected character '%.1s'", x->src + x->pos);
    if (strchr("([{", op)) {
        if (*n_brackets == MAX_BRACKETS)
            zt_fail_err(x->e, ZC_ELIMIT, "nested too deep");
        brackets[(*n_brackets)++] = op == '(' ? ')' : op == '[' ? ']' : '}';
    } else if (strchr(")]}", op)) {
        if (*n_brackets == 0 || brackets[--*n_brackets] != op)
            zt_fail(x->e, "unexpected '%c'", op);
    }
    struct zt_lexeme *l = emit(x, ZT_LEX_OP);
    l->op = op;
    l->val = zt_of_str(zt_str_new(x->e, x->src + x->pos, n, true));
    advance(x, x->pos + n);
}

/* What is inside a tag, and its end. Inside brackets nothing is an end, so that }} can close two
 * dicts. */
static void lex_tag(struct lexer *x, char kind)
{
    char brackets[MAX_BRACKETS];
    size_t n_brackets = 0;

    for (;;) {
        size_t end = n_brackets ? 0 : tag_end(x, x->pos, kind == '{' ? '}' : '%', kind == '%');
        if (end) {
            emit(x, ZT_LEX_CLOSE)->op = kind;
            advance(x, end);
            return;
        }
        char c = x->src[x->pos];
        size_t space = skip_space(x, x->pos), at = x->pos;
        if (x->pos >= x->len) {
            zt_fail(x->e, "a tag without its end");
        } else if (space > x->pos) {
            advance(x, space);
        } else if (c == '\'' || c == '"') {
            lex_string(x);
        } else if (c >= '0' && c <= '9') {
            lex_number(x);
        } else if (is_name_char(c)) {
            while (is_name_char(x->src[at]))
                at++;
            emit(x, ZT_LEX_NAME)->val =
                zt_of_str(zt_str_new(x->e, x->src + x->pos, at - x->pos, true));
            advance(x, at);
        } else {
            lex_operator(x, brackets, &n_brackets);
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Copies with \r\n and \r as \n, without one newline at the end. */
static void normalise(struct lexer *x, const char *src, size_t len)
{
    char *p = zt_alloc(x->e, len + 2, 1); /* two NULs: tag_end looks one ahead */

    for (size_t i = 0; i < len; i++) {
        if (src[i] == '\r' && i + 1 < len && src[i + 1] == '\n')
            continue;
        p[x->len++] = src[i] == '\r' ? '\n' : src[i];
    }
    if (x->len && p[x->len - 1] == '\n')
        p[--x->len] = '\0';
    x->src = p;
}

struct zt_lexeme *zt_lex(struct zt_env *e, const char *src, size_t len)
{
    struct lexer x = {.e = e};

    e->line = 1;
    if (zc_utf8_valid(src, len) != len)
        zt_fail_err(e, ZC_EFORMAT, "the template is not valid UTF-8");
    normalise(&x, src, len);
    while (x.pos < x.len) {
        size_t at = x.pos, raw;
        while (at < x.len && !(x.src[at] == '{' && x.src[at + 1] && strchr("{%#", x.src[at + 1])))
            at++;
        if (at >= x.len) {
            emit_data(&x, x.len, 0, false);
            break;
        }
        char kind = x.src[at + 1], sign = x.src[at + 2];
        emit_data(&x, at, sign, kind != '{');
        size_t inside = at + 2 + (sign == '-' || sign == '+');
        if (kind == '#') {
            lex_comment(&x, inside);
        } else if (kind == '%' && (raw = raw_tag(&x, at, "raw", false))) {
            lex_raw(&x, raw);
        } else {
            emit(&x, ZT_LEX_OPEN)->op = kind;
            advance(&x, inside);
            lex_tag(&x, kind);
        }
    }
    emit(&x, ZT_LEX_END);
    return x.out;
}
