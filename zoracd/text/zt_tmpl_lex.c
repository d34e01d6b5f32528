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
    struct zt_val src; /* with newlines normalised */
    size_t pos;
    struct zt_lexeme *out;
    size_t n, cap;
};

enum { MAX_BRACKETS = 128 };

static struct zt_lexeme *emit(struct lexer *x, int is, struct zt_val val)
{
    if (x->n == x->cap) {
        struct zt_lexeme *old = x->out;
        x->cap = x->cap ? x->cap * 2 : 256;
        x->out = zt_alloc(x->e, x->cap, sizeof *x->out);
        memcpy(x->out, old ? old : x->out, x->n * sizeof *old);
    }
    x->out[x->n] = (struct zt_lexeme){.is = is, .line = x->e->line, .val = val};
    return &x->out[x->n++];
}

/* The character at offset i, 0 behind the end. */
static uint32_t at(const struct lexer *x, size_t i)
{
    return i < x->src.n ? zt_char(x->src, i) : 0;
}

static bool is_one_of(uint32_t c, const char *set)
{
    return c && c < 0x80 && strchr(set, (int)c);
}

static bool begins(const struct lexer *x, size_t i, const char *literal)
{
    for (; *literal && at(x, i) == (unsigned char)*literal; i++)
        literal++;
    return !*literal;
}

/* Moves on to offset to, counting lines; what it passes. */
static struct zt_val advance(struct lexer *x, size_t to)
{
    size_t from = x->pos;

    for (; x->pos < to; x->pos++)
        x->e->line += at(x, x->pos) == '\n';
    return zt_sub(x->src, from, to);
}

/* The offset of what follows the white space at i. */
static size_t skip_space(const struct lexer *x, size_t i)
{
    while (zt_is_space(at(x, i)))
        i++;
    return i;
}

/* The text from pos up to the tag at offset to; sign is the tag's '-', '+' or something else. */
static void emit_data(struct lexer *x, size_t to, uint32_t sign, bool may_lstrip)
{
    struct zt_val text = zt_sub(x->src, x->pos, to);
    size_t n = text.n;

    while (n > 0 && zt_char(text, n - 1) != '\n' && zt_is_space(zt_char(text, n - 1)))
        n--;
    if (sign == '-')
        text = zt_strip(text, ZT_NO_VALUE, ZT_RIGHT);
    else if (sign != '+' && may_lstrip &&
             (n > 0 ? zt_char(text, n - 1) == '\n' : x->pos == 0 || at(x, x->pos - 1) == '\n'))
        text = zt_sub(text, 0, n);
    if (text.n)
        emit(x, ZT_LEX_DATA, text);
    advance(x, to);
}

/* The offset after a tag's end c '}' at i ("-%}", "+%}", "%}"), with the white space that goes
 * with it; 0 if there is no such end here. */
static size_t tag_end(const struct lexer *x, size_t i, uint32_t c, bool trim)
{
    uint32_t sign = is_one_of(at(x, i), trim ? "-+" : "-") ? at(x, i) : 0;

    i += sign != 0;
    if (at(x, i) != c || at(x, i + 1) != '}')
        return 0;
    i += 2;
    if (sign == '-')
        return skip_space(x, i);
    return i + (trim && !sign && at(x, i) == '\n');
}

static void lex_comment(struct lexer *x, size_t start)
{
    size_t end = start >= x->src.n ? start : 0; /* jinja2 misses no end where nothing follows */

    for (size_t i = start; i < x->src.n && !end; i++)
        end = tag_end(x, i, '#', true);
    if (!end)
        zt_fail(x->e, "a comment without its end");
    advance(x, end);
}

/* A raw or endraw tag at i: the offset after it, else 0. No newline is eaten after raw. */
static size_t raw_tag(const struct lexer *x, size_t i, const char *word, bool trim)
{
    if (!begins(x, i, "{%"))
        return 0;
    i = skip_space(x, i + 2 + is_one_of(at(x, i + 2), "-+"));
    return begins(x, i, word) ? tag_end(x, skip_space(x, i + strlen(word)), '%', trim) : 0;
}

static void lex_raw(struct lexer *x, size_t start)
{
    advance(x, start);
    for (size_t i = start; i < x->src.n; i++) {
        size_t end = raw_tag(x, i, "endraw", true);
        if (end) {
            emit_data(x, i, at(x, i + 2), true);
            advance(x, end);
            return;
        }
    }
    if (start < x->src.n)
        zt_fail(x->e, "a raw block without its end");
}

/* ---- inside tags ---------------------------------------------------------------------------- */

/* At most max digits at *i. */
static uint32_t digits_of(const struct lexer *x, size_t *i, const char *set, size_t max, int base)
{
    char text[9] = "";

    for (size_t n = 0; n < max && is_one_of(at(x, *i), set); n++, ++*i)
        text[n] = (char)at(x, *i);
    return (uint32_t)strtoul(text, NULL, base);
}

/* After a backslash. */
static void add_escape(struct lexer *x, struct zt_sb *b, size_t *i)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t c = at(x, *i), v = c;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, start = *i + 1;

    if (is_one_of(c, "01234567")) {
        v = digits_of(x, i, "01234567", 3, 8);
    } else if (digits) {
        *i = start;
        v = digits_of(x, i, "0123456789abcdefABCDEF", digits, 16);
        if (*i != start + digits)
            zt_fail(x->e, "a bad escape \\%c in a string", (char)c);
    } else {
        ++*i;
        if (is_one_of(c, from))
            v = (unsigned char)to[strchr(from, (int)c) - from];
        else if (c != '\n') /* no escape: kept as it is */
            zt_add_char(b, '\\' | ZT_TRUSTED);
    }
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        zt_fail(x->e, "an escape in a string that is no character");
    if (c != '\n')
        zt_add_char(b, v | ZT_TRUSTED);
}

static void lex_string(struct lexer *x)
{
    struct zt_sb b = {.e = x->e};
    size_t i = x->pos + 1;

    while (i < x->src.n && at(x, i) != at(x, x->pos)) {
        if (at(x, i) == '\\')
            i++, add_escape(x, &b, &i);
        else
            zt_add_char(&b, x->src.u.s[i++]);
    }
    if (i >= x->src.n)
        zt_fail(x->e, "a string without its end");
    emit(x, ZT_LEX_STRING, zt_take(&b));
    advance(x, i + 1);
}

/* Adds the digits at i of a set, with single underscores between them; the offset after them. */
static size_t add_digits(const struct lexer *x, struct zt_sb *b, size_t i, const char *set)
{
    size_t start = i;

    for (;
         is_one_of(at(x, i), set) || (at(x, i) == '_' && i > start && is_one_of(at(x, i + 1), set));
         i++)
        if (at(x, i) != '_')
            zt_add_char(b, x->src.u.s[i]);
    return i;
}

/* The fraction or exponent that follows the digits up to i: c, a sign perhaps, and digits. */
static size_t add_part(const struct lexer *x, struct zt_sb *b, size_t i, uint32_t c, bool *is_float)
{
    size_t sign = c == 'e' && is_one_of(at(x, i + 1), "+-"), n = b->n;

    if ((at(x, i) | (c == 'e' ? 0x20 : 0)) != c || !is_one_of(at(x, i + 1 + sign), "0123456789"))
        return i;
    zt_add(b, zt_sub(x->src, i, i + 1 + sign));
    *is_float |= b->n > n;
    return add_digits(x, b, i + 1 + sign, "0123456789");
}

static void lex_number(struct lexer *x)
{
    static const char all[] = "0123456789abcdefABCDEF";
    struct zt_sb b = {.e = x->e};
    size_t i = x->pos;
    uint32_t kind = at(x, i) == '0' ? at(x, i + 1) | 0x20 : 0;
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    const char *set = base == 16 ? all : base == 8 ? "01234567" : base == 2 ? "01" : "0123456789";
    bool after_dot = i && at(x, i - 1) == '.', is_float = false;

    i += base == 10 ? 0 : 2 + (at(x, i + 2) == '_');
    i = add_digits(x, &b, i, set);
    if (base == 10 && !after_dot) {
        i = add_part(x, &b, i, '.', &is_float);
        i = add_part(x, &b, i, 'e', &is_float);
    }
    struct zt_val v = zt_take(&b);
    char *text = zt_utf8(x->e, v);
    if (!v.n)
        zt_fail(x->e, "a number without digits");
    if (!is_float && base == 10 && text[0] == '0' && strspn(text, "0") != v.n)
        zt_fail(x->e, "a number that begins with 0");
    errno = 0;
    if (is_float)
        v = zt_float(strtod(text, NULL), true);
    else if (strtoll(text, NULL, base) == INT64_MAX && errno == ERANGE)
        v.kind = ZT_BIG;
    else
        v = zt_int(strtoll(text, NULL, base), true);
    if (v.kind == ZT_BIG && base != 10)
        zt_fail(x->e, "a number that does not fit 64 bits");
    emit(x, ZT_LEX_NUMBER, v);
    advance(x, i);
}

static bool is_name_char(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void lex_operator(struct lexer *x, char *brackets, size_t *n_brackets)
{
    static const char two[][3] = {"==", "!=", ">=", "<=", "**", "//"};
    uint32_t c = at(x, x->pos);
    int op = 0;

    for (int i = 0; i < 6 && !op; i++)
        op = begins(x, x->pos, two[i]) ? ZT_LEX_EQ + i : 0;
    size_t n = op ? 2 : 1;
    if (!op && is_one_of(c, "+-/*%~[](){}><=.:|,;"))
        op = (int)c;
    if (!op)
        zt_fail(x->e, "unexpected character '%s'",
                zt_utf8(x->e, zt_sub(x->src, x->pos, x->pos + 1)));
    if (is_one_of(c, "([{")) {
        if (*n_brackets == MAX_BRACKETS)
            zt_fail_err(x->e, ZC_ELIMIT, "nested too deep");
        brackets[(*n_brackets)++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (is_one_of(c, ")]}")) {
        if (*n_brackets == 0 || brackets[--*n_brackets] != (char)c)
            zt_fail(x->e, "unexpected '%c'", (char)c);
    }
    emit(x, op, advance(x, x->pos + n));
}

/* What is inside a tag, and its end. Inside brackets nothing is an end, so that }} can close two
 * dicts. */
static void lex_tag(struct lexer *x, uint32_t kind)
{
    char brackets[MAX_BRACKETS];
    size_t n_brackets = 0;

    for (;;) {
        size_t i = skip_space(x, x->pos);
        size_t end = n_brackets ? 0 : tag_end(x, x->pos, kind == '{' ? '}' : '%', kind == '%');
        if (end) {
            emit(x, ZT_LEX_CLOSE, ZT_NO_VALUE);
            advance(x, end);
            return;
        }
        uint32_t c = at(x, x->pos);
        if (x->pos >= x->src.n) {
            zt_fail(x->e, "a tag without its end");
        } else if (i > x->pos) {
            advance(x, i);
        } else if (c == '\'' || c == '"') {
            lex_string(x);
        } else if (c >= '0' && c <= '9') {
            lex_number(x);
        } else if (is_name_char(c)) {
            while (is_name_char(at(x, i)))
                i++;
            emit(x, ZT_LEX_NAME, advance(x, i));
        } else {
            lex_operator(x, brackets, &n_brackets);
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* \r\n and \r as \n, without one newline at the end. */
static struct zt_val normalise(struct zt_env *e, struct zt_val src)
{
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < src.n; i++) {
        uint32_t c = zt_char(src, i);
        if (c != '\r')
            zt_add_char(&b, src.u.s[i]);
        else if (i + 1 >= src.n || zt_char(src, i + 1) != '\n')
            zt_add_char(&b, '\n' | ZT_TRUSTED);
    }
    src = zt_take(&b);
    return zt_sub(src, 0, src.n - (src.n && zt_char(src, src.n - 1) == '\n'));
}

struct zt_lexeme *zt_lex(struct zt_env *e, const char *src, size_t len)
{
    struct lexer x = {.e = e};

    e->line = 1;
    if (!zc_utf8_is_valid(src, len))
        zt_fail_err(e, ZC_EFORMAT, "the template is not valid UTF-8");
    x.src = normalise(e, zt_decode(e, src, len, true));
    while (x.pos < x.src.n) {
        size_t i = x.pos, raw;
        while (i < x.src.n && !(at(&x, i) == '{' && is_one_of(at(&x, i + 1), "{%#")))
            i++;
        uint32_t kind = at(&x, i + 1), sign = at(&x, i + 2);
        emit_data(&x, i, i < x.src.n ? sign : 0, i < x.src.n && kind != '{');
        if (i >= x.src.n)
            break;
        size_t inside = i + 2 + is_one_of(sign, "-+");
        if (kind == '#') {
            lex_comment(&x, inside);
        } else if (kind == '%' && (raw = raw_tag(&x, i, "raw", false))) {
            lex_raw(&x, raw);
        } else {
            emit(&x, kind == '{' ? ZT_LEX_PRINT : ZT_LEX_TAG, ZT_NO_VALUE);
            advance(&x, inside);
            lex_tag(&x, kind);
        }
    }
    emit(&x, ZT_LEX_END, ZT_NO_VALUE);
    return x.out;
}
/* ---- what both halves of the grammar read with ---------------------------------------------- */

struct zt_node *zt_node(struct zt_parser *p)
{
    struct zt_node *n = zt_alloc(p->e, 1, sizeof *n);

    n->line = p->at->line;
    return n;
}

void zt_append(struct zt_node ***tail, struct zt_node *n)
{
    **tail = n;
    *tail = &n->next;
}

/* A lexeme in words, for messages; val: its text if it has one. */
static const char *lexeme_name(struct zt_env *e, int is, struct zt_val val)
{
    static const char *const names[] = {"the end",       "text",   "a tag's begin", "a tag's begin",
                                        "the tag's end", "a name", "a constant",    "a constant"};
    struct zt_sb b = {.e = e};

    if (is < ZT_LEX_EQ && (is != ZT_LEX_NAME || !val.n))
        return names[is];
    zt_addf(&b, true, "'%s'", val.n ? zt_utf8(e, val) : (char[]){(char)is, '\0'});
    return zt_utf8(e, zt_take(&b));
}

const char *zt_here(struct zt_parser *p)
{
    return lexeme_name(p->e, p->at->is, p->at->val);
}

void zt_next(struct zt_parser *p)
{
    p->at += p->at->is != ZT_LEX_END;
    p->e->line = p->at->line;
}

bool zt_at(const struct zt_parser *p, int lexeme)
{
    return p->at->is == lexeme;
}

bool zt_at_word(const struct zt_parser *p, const char *word)
{
    return p->at->is == ZT_LEX_NAME && zt_is(p->at->val, word);
}

bool zt_took(struct zt_parser *p, int lexeme)
{
    bool is = zt_at(p, lexeme);

    if (is)
        zt_next(p);
    return is;
}

bool zt_took_word(struct zt_parser *p, const char *word)
{
    bool is = zt_at_word(p, word);

    if (is)
        zt_next(p);
    return is;
}

struct zt_val zt_expect(struct zt_parser *p, int lexeme)
{
    struct zt_val v = p->at->val;

    if (!zt_took(p, lexeme))
        zt_fail(p->e, "expected %s, got %s", lexeme_name(p->e, lexeme, ZT_NO_VALUE), zt_here(p));
    return v;
}
