/* SPDX-License-Identifier: MIT */
/* Template source to lexemes, as jinja2's lexer does it: text with its white space cut as
 * trim_blocks, lstrip_blocks and the signs in the tags say, and what is inside the tags.
 * Comments and raw blocks end here. */
#include "zoracd/text/zt_py.h"

#include <ctype.h>
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

/* Moves on to offset to, counting lines. */
static void advance(struct lexer *x, size_t to)
{
    for (; x->pos < to; x->pos++)
        x->e->line += at(x, x->pos) == '\n';
}

/* A lexeme that ends at offset to. */
static void emit(struct lexer *x, enum zt_lex is, struct zt_val val, size_t to)
{
    x->out = zt_grow(x->e, x->out, x->n, &x->cap, sizeof *x->out);
    x->out[x->n++] = (struct zt_lexeme){.is = is, .line = x->e->line, .val = val};
    advance(x, to);
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
        emit(x, ZT_LEX_DATA, zt_sub(x->src, x->pos, end), end);
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
    emit(x, ZT_LEX_OP, text, x->pos + n);
}

/* A tag and its end. Inside brackets nothing is an end, so that }} can close two dicts. */
static void lex_tag(struct lexer *x, uint32_t kind, size_t inside)
{
    char brackets[MAX_BRACKETS];
    size_t n_brackets = 0, end = 0;

    emit(x, ZT_LEX_OP, zt_text(x->e, kind == '{' ? "{{" : "{%", true), inside);
    for (; !end; advance(x, skip_space(x, x->pos))) {
        size_t i = x->pos;
        uint32_t c = at(x, i);
        struct zt_val v;
        end = n_brackets ? 0 : tag_end(x, i, kind == '{' ? '}' : '%', kind == '%');
        if (end || zt_py_is_space(c))
            continue;
        if (i >= x->src.n) {
            zt_fail(x->e, "a tag without its end");
        } else if (c == '\'' || c == '"') {
            v = zt_py_string_at(x->e, x->src, &i);
            emit(x, ZT_LEX_STRING, v, i);
        } else if (c < 0x80 && isdigit((int)c)) {
            bool member = at(x, i - 1) == '.'; /* in "x.0.1" there are two integers */
            v = zt_py_number_at(x->e, x->src, &i, member);
            v.trusted = true;
            emit(x, ZT_LEX_NUMBER, v, i);
        } else if (is_name_char(c)) {
            while (is_name_char(at(x, i)))
                i++;
            emit(x, ZT_LEX_NAME, zt_sub(x->src, x->pos, i), i);
        } else {
            lex_operator(x, brackets, &n_brackets);
        }
    }
    emit(x, ZT_LEX_OP, zt_text(x->e, kind == '{' ? "}}" : "%}", true), end);
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
    emit(&x, ZT_LEX_END, ZT_NO_VALUE, x.pos);
    return x.out;
}
