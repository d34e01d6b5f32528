/* SPDX-License-Identifier: MIT */
/* Template source to lexemes, as jinja2's lexer does it: text with its white space cut as
 * trim_blocks, lstrip_blocks and the signs in the tags say, and what is inside the tags.
 * Comments and raw blocks end here. */
#include "zoracd/text/zt_py.h"

#include <ctype.h>
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

enum { MAX_BRACKETS = 128, MAX_NUMBER = 400 };

static void emit(struct lexer *x, enum zt_lex is, struct zt_val val)
{
    x->out = zt_grow(x->e, x->out, x->n, &x->cap, sizeof *x->out);
    x->out[x->n++] = (struct zt_lexeme){.is = is, .line = x->e->line, .val = val};
}

/* The character at offset i, 0 behind the end. */
static uint32_t at(const struct lexer *x, size_t i)
{
    return i < x->src.n ? zt_char(x->src, i) : 0;
}

static bool begins(const struct lexer *x, size_t i, const char *ascii)
{
    size_t n = strlen(ascii);

    return i + n <= x->src.n && zt_is(zt_sub(x->src, i, i + n), ascii);
}

/* Moves on to offset to, counting lines; what it passes. */
static struct zt_val advance(struct lexer *x, size_t to)
{
    size_t from = x->pos;

    for (; x->pos < to; x->pos++)
        x->e->line += at(x, x->pos) == '\n';
    return zt_sub(x->src, from, to);
}

static size_t skip_space(const struct lexer *x, size_t i)
{
    while (zt_py_is_space(at(x, i)))
        i++;
    return i;
}

/* The text from pos up to the tag at offset to; sign is the tag's '-', '+' or something else. */
static void emit_data(struct lexer *x, size_t to, uint32_t sign, bool may_lstrip)
{
    size_t end = to, line = to; /* line: before the white space in the tag's line */

    while (line > x->pos && at(x, line - 1) != '\n' && zt_py_is_space(at(x, line - 1)))
        line--;
    if (sign == '-')
        for (end = line; end > x->pos && zt_py_is_space(at(x, end - 1));)
            end--;
    else if (sign != '+' && may_lstrip && (line == 0 || at(x, line - 1) == '\n'))
        end = line;
    if (end > x->pos)
        emit(x, ZT_LEX_DATA, zt_sub(x->src, x->pos, end));
    advance(x, to);
}

/* The offset after a tag's end c '}' at i ("-%}", "+%}", "%}"), with the white space that goes
 * with it; 0 if there is no such end here. */
static size_t tag_end(const struct lexer *x, size_t i, uint32_t c, bool trim)
{
    uint32_t sign = zt_is_one_of(at(x, i), trim ? "-+" : "-") ? at(x, i) : 0;

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
    i = skip_space(x, i + 2 + zt_is_one_of(at(x, i + 2), "-+"));
    return begins(x, i, word) ? tag_end(x, skip_space(x, i + strlen(word)), '%', trim) : 0;
}

static void lex_raw(struct lexer *x, size_t start)
{
    size_t end = 0, i = start;

    advance(x, start);
    while (i < x->src.n && !(end = raw_tag(x, i, "endraw", true)))
        i++;
    if (!end && start < x->src.n)
        zt_fail(x->e, "a raw block without its end");
    if (end)
        emit_data(x, i, at(x, i + 2), true);
    advance(x, end ? end : start);
}

/* ---- inside tags ---------------------------------------------------------------------------- */

/* After a backslash at *i - 1. */
static void add_escape(struct lexer *x, struct zt_sb *b, size_t *i)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t c = at(x, *i);
    bool octal = zt_is_one_of(c, "01234567");
    size_t max = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, n = 0;
    char digits[9] = "";

    *i += !octal;
    while (n < max && zt_is_one_of(at(x, *i), octal ? "01234567" : "0123456789abcdefABCDEF"))
        digits[n++] = (char)at(x, (*i)++);
    if (!octal && n < max)
        zt_fail(x->e, "a bad escape \\%c in a string", (char)c);
    uint32_t v = max ? (uint32_t)strtoul(digits, NULL, octal ? 8 : 16) : c;
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        zt_fail(x->e, "an escape in a string that is no character");
    if (!max && zt_is_one_of(c, from))
        v = (unsigned char)to[strchr(from, (int)c) - from];
    else if (!max && c != '\n') /* no escape: kept as it is */
        zt_add_char(b, '\\' | ZT_TRUSTED);
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

/* Underscores between digits are left out for zt_py_number, and counted again for where it ended.
 */
static void lex_number(struct lexer *x)
{
    char text[MAX_NUMBER + 1] = "", *end;
    size_t i = x->pos, n = 0;
    bool after_dot = i && at(x, i - 1) == '.'; /* in "x.0.1" there are two integers */

    for (uint32_t c; n < MAX_NUMBER && (c = at(x, i)) && c < 0x80; i++) {
        bool sign = n && zt_is_one_of(c, "+-") && (text[n - 1] | 0x20) == 'e';
        if (c == '_' && !(isalnum((int)at(x, i - 1)) && isalnum((int)(at(x, i + 1) & 0x7f))))
            break;
        if (!isalnum((int)c) && c != '_' && !sign && !(c == '.' && !after_dot))
            break;
        if (c != '_')
            text[n++] = (char)c;
    }
    struct zt_val v = zt_py_number(x->e, text, &end);
    if (!ZT_IS_GIVEN(v))
        zt_fail(x->e, "a number that begins with 0 or has no digits");
    v.trusted = true;
    for (i = x->pos, n = (size_t)(end - text); n > 0; i++)
        n -= at(x, i) != '_';
    emit(x, ZT_LEX_NUMBER, v);
    advance(x, i);
}

static bool is_name_char(uint32_t c)
{
    return c >= 0x80 || c == '_' || isalnum((int)c);
}

static void lex_operator(struct lexer *x, char *brackets, size_t *n_brackets)
{
    static const char two[][3] = {"==", "!=", ">=", "<=", "**", "//"};
    uint32_t c = at(x, x->pos);
    size_t n = zt_is_one_of(c, "+-/*%~[](){}><=.:|,;");

    for (int i = 0; i < 6; i++)
        n = begins(x, x->pos, two[i]) ? 2 : n;
    struct zt_val text = zt_sub(x->src, x->pos, x->pos + n);
    if (!n)
        zt_fail(x->e, "unexpected character '%s'", zt_utf8(x->e, zt_sub(text, 0, 1)));
    if (zt_is_one_of(c, "([{")) {
        if (*n_brackets == MAX_BRACKETS)
            zt_fail_err(x->e, ZC_ELIMIT, "nested too deep");
        brackets[(*n_brackets)++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (zt_is_one_of(c, ")]}")) {
        if (*n_brackets == 0 || brackets[--*n_brackets] != (char)c)
            zt_fail(x->e, "unexpected '%c'", (char)c);
    }
    emit(x, ZT_LEX_OP, text);
    advance(x, x->pos + n);
}

/* A tag and its end. Inside brackets nothing is an end, so that }} can close two dicts. */
static void lex_tag(struct lexer *x, uint32_t kind, size_t inside)
{
    char brackets[MAX_BRACKETS];
    size_t n_brackets = 0, end = 0;

    emit(x, ZT_LEX_OP, zt_text(x->e, kind == '{' ? "{{" : "{%", true));
    for (advance(x, inside); !end; advance(x, skip_space(x, x->pos))) {
        size_t i = x->pos;
        uint32_t c = at(x, i);
        end = n_brackets ? 0 : tag_end(x, i, kind == '{' ? '}' : '%', kind == '%');
        if (end || zt_py_is_space(c))
            continue;
        if (i >= x->src.n) {
            zt_fail(x->e, "a tag without its end");
        } else if (c == '\'' || c == '"') {
            lex_string(x);
        } else if (c < 0x80 && isdigit((int)c)) {
            lex_number(x);
        } else if (is_name_char(c)) {
            while (is_name_char(at(x, i)))
                i++;
            emit(x, ZT_LEX_NAME, zt_sub(x->src, x->pos, i));
            advance(x, i);
        } else {
            lex_operator(x, brackets, &n_brackets);
        }
    }
    emit(x, ZT_LEX_OP, zt_text(x->e, kind == '{' ? "}}" : "%}", true));
    advance(x, end);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* \r\n and \r as \n, without one newline at the end. */
static struct zt_val normalise(struct zt_env *e, struct zt_val src)
{
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < src.n; i++) {
        bool is_cr = zt_char(src, i) == '\r';
        if (!is_cr || i + 1 >= src.n || zt_char(src, i + 1) != '\n')
            zt_add_char(&b, is_cr ? '\n' | ZT_TRUSTED : src.u.s[i]);
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
        while (i < x.src.n && !(at(&x, i) == '{' && zt_is_one_of(at(&x, i + 1), "{%#")))
            i++;
        uint32_t kind = at(&x, i + 1), sign = at(&x, i + 2);
        emit_data(&x, i, sign, i < x.src.n && kind != '{');
        size_t inside = i + 2 + zt_is_one_of(sign, "-+");
        if (kind == '#')
            lex_comment(&x, inside);
        else if (kind == '%' && (raw = raw_tag(&x, i, "raw", false)))
            lex_raw(&x, raw);
        else if (i < x.src.n)
            lex_tag(&x, kind, inside);
    }
    emit(&x, ZT_LEX_END, ZT_NO_VALUE);
    return x.out;
}
