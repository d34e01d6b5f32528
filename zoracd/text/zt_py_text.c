/* SPDX-License-Identifier: MIT */
/* jinja2's filters that work on text. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <string.h>

#include "common/zc_utf8.h"

static ZT_FN(f_string, zt_py_self(e, a));

static struct zt_val f_replace(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val old_new_count[] = {a->v[0], a->v[1], zt_int(-1, true)};
    struct zt_py_args plain = *a;

    if (ZT_IS_GIVEN(a->v[2]))
        old_new_count[2] = zt_int(zt_py_need_int(e, a->v[2]), true);
    plain.v = old_new_count;
    plain.self = zt_markup(zt_py_self(e, a), e->autoescape && zt_py_self(e, a).markup);
    return zt_py_replace(e, &plain);
}

static bool is_before_word(uint32_t c)
{
    return zt_py_is_space(c) || zt_is_one_of(c, "-({[<");
}

static struct zt_val f_title(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_markup(zt_py_self(e, a), false);
    struct zt_sb b = {.e = e};

    for (size_t i = 0, end; i < s.n; i = end) {
        bool word = !is_before_word(zt_char(s, i));
        end = i + 1;
        while (word && end < s.n && !is_before_word(zt_char(s, end)))
            end++;
        zt_step(e, 4);
        zt_add(&b, zt_py_in_case(e, zt_sub(s, i, i + 1), word ? ZT_UPPER : ZT_LOWER));
        zt_add(&b, zt_py_in_case(e, zt_sub(s, i + 1, end), ZT_LOWER));
    }
    return zt_take(&b);
}

/* width, first, blank */
static struct zt_val f_indent(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_need_str(e, a->self), by = a->v[0], newline = zt_text(e, "\n", true);
    struct zt_sb b = {.e = e};

    if (by.kind != ZT_STR) {
        zt_py_add_times(&b, zt_text(e, " ", true), ZT_IS_GIVEN(by) ? zt_py_need_int(e, by) : 4);
        by = zt_take(&b);
    }
    /* so that a last line break has an empty line after it */
    struct zt_list *lines = zt_py_lines(e, zt_markup(zt_concat(e, s, newline), s.markup), false);
    for (size_t i = 0; i < lines->n; i++)
        if (i ? a->v[2].u.b || lines->v[i].n : a->v[1].u.b)
            lines->v[i] = zt_concat(e, by, lines->v[i]);
    return zt_markup(zt_py_joined(e, lines, newline), s.markup);
}

static struct zt_val f_format(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->kw && a->n)
        zt_fail(e, "format takes arguments by position or by name, not both");
    return zt_py_percent(e, zt_py_self(e, a),
                         a->kw ? zt_of_dict(ZT_DICT, a->kw) : zt_tuple(e, a->v, (size_t)a->n));
}

/* length, killwords, end, leeway */
static struct zt_val f_truncate(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = a->self, end = a->v[2];
    int64_t len = a->v[0].u.i, leeway = ZT_IS_GIVEN(a->v[3]) ? zt_py_need_int(e, a->v[3]) : 5;

    if (len < end.n)
        zt_fail(e, "truncate to less than its end");
    if (leeway < 0)
        zt_fail(e, "truncate with a leeway of less than 0");
    if ((int64_t)zt_py_len(e, s) - leeway <= len)
        return s;
    s = zt_sub(zt_py_need_str(e, s), 0, (size_t)len - end.n);
    size_t space = zt_py_find(e, s, zt_text(e, " ", true), true);
    if (!a->v[1].u.b && space != SIZE_MAX)
        s = zt_sub(s, 0, space);
    return zt_py_binary(e, '+', s, end);
}

static bool is_word(uint32_t c)
{
    return c == '_' || zt_py_is_of(c, ZT_PY_ALNUM);
}

/* What textwrap takes for white space, for a letter, and for what words end with. */
static bool is_gap(struct zt_val s, size_t i)
{
    return zt_is_one_of(zt_char(s, i), "\t\n\v\f\r ");
}

static bool is_letter(struct zt_val s, size_t i)
{
    return i < s.n && is_word(zt_char(s, i)) && !zt_py_is_of(zt_char(s, i), ZT_PY_DECIMAL);
}

static bool is_word_end(struct zt_val s, size_t i)
{
    return is_word(zt_char(s, i)) || zt_is_one_of(zt_char(s, i), "!\"'&.,?");
}

static bool is_hyphen(struct zt_val s, size_t i)
{
    return i < s.n && zt_char(s, i) == '-';
}

/* Whether a word may be cut behind the hyphen at i. */
static bool is_soft_hyphen(struct zt_val s, size_t i)
{
    bool after_two = i >= 2 && is_letter(s, i - 1) && is_letter(s, i - 2);
    bool after_one = i >= 3 && is_word_end(s, i - 1) && is_hyphen(s, i - 2) && is_letter(s, i - 3);

    return is_hyphen(s, i) && (after_two || after_one) && is_letter(s, i + 1) &&
           is_letter(s, is_hyphen(s, i + 2) ? i + 3 : i + 2);
}

/* The end of the dash between words at i, "--" or more; i if there is none. */
static size_t dash_end(struct zt_val s, size_t i)
{
    size_t end = i;

    if (i == 0 || !is_hyphen(s, i) || !is_hyphen(s, i + 1) || !is_word_end(s, i - 1))
        return i;
    while (is_hyphen(s, end))
        end++;
    return end < s.n && is_word(zt_char(s, end)) ? end : i;
}

/* The end of the chunk at i, where a line may be broken: textwrap's wordsep_re. */
static size_t chunk_end(struct zt_val s, size_t i, bool hyphens)
{
    bool gap = is_gap(s, i);
    size_t dash = hyphens && !gap ? dash_end(s, i) : i;

    if (dash > i)
        return dash;
    for (i++; i < s.n && is_gap(s, i) == gap; i++) {
        if (hyphens && !gap && is_soft_hyphen(s, i))
            return i + 1;
        if (hyphens && !gap && dash_end(s, i) > i)
            break;
    }
    return i;
}

/* How much of a word that fits no line goes to a line with room for so many characters. */
static size_t cut_word(struct zt_env *e, struct zt_val word, size_t room, bool hyphens)
{
    struct zt_val part = zt_sub(word, 0, room < word.n ? room : word.n);
    struct zt_val hyphen = zt_text(e, "-", true);
    size_t at = hyphens && room < word.n ? zt_py_find(e, part, hyphen, true) : SIZE_MAX;

    if (at == SIZE_MAX || zt_py_strip(e, zt_sub(part, 0, at), hyphen, ZT_LEFT).n == 0)
        return part.n;
    return at + 1;
}

/* The chunks of a paragraph one by one. */
struct chunks {
    struct zt_val s;
    size_t at, end;
    bool hyphens;
};

static void next_chunk(struct chunks *c)
{
    c->at = c->end;
    c->end = c->at < c->s.n ? chunk_end(c->s, c->at, c->hyphens) : c->at;
}

static bool is_blank(struct zt_env *e, struct zt_val s)
{
    return zt_py_strip(e, s, ZT_NO_VALUE, ZT_BOTH).n == 0;
}

/* One paragraph of wordwrap, as textwrap does it: a line takes the chunks that fit, without white
 * space at its ends; a word that fits no line is cut or has a line to itself. */
static void wrap(struct zt_env *e, struct zt_val s, size_t width, bool cut, bool hyphens,
                 struct zt_list *lines)
{
    struct chunks c = {.s = s, .hyphens = hyphens};
    size_t first = lines->n;

    zt_step(e, s.n / 2);
    next_chunk(&c);
    while (c.at < s.n) {
        zt_step(e, 1);
        if (lines->n > first && is_blank(e, zt_sub(s, c.at, c.end)))
            next_chunk(&c);
        size_t start = c.at, last = c.at; /* of the line and of its last chunk */
        while (c.at < s.n && c.end - start <= width) {
            last = c.at;
            next_chunk(&c);
        }
        bool is_long = c.end - c.at > width;
        if (is_long && cut) {
            last = c.at;
            c.at += cut_word(e, zt_sub(s, c.at, c.end), width - (c.at - start), hyphens);
        } else if (is_long && c.at == start) {
            next_chunk(&c);
        }
        size_t end = is_blank(e, zt_sub(s, last, c.at)) ? last : c.at;
        if (end > start)
            zt_push(e, lines, zt_sub(s, start, end));
    }
}

/* width, break_long_words, wrapstring, break_on_hyphens */
static struct zt_val f_wordwrap(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *paragraphs = zt_py_lines(e, zt_py_need_str(e, a->self), false);
    struct zt_list *lines = zt_list_new(e, 8);

    for (size_t i = 0; i < paragraphs->n; i++) {
        if (a->v[0].u.i <= 0)
            zt_fail(e, "wordwrap needs a positive width");
        size_t before = lines->n;
        wrap(e, paragraphs->v[i], (size_t)a->v[0].u.i, a->v[1].u.b, a->v[3].u.b, lines);
        if (lines->n == before)
            zt_push(e, lines, zt_text(e, "", true));
    }
    return zt_py_joined(e, lines,
                        ZT_IS_GIVEN(a->v[2]) ? zt_py_need_str(e, a->v[2]) : zt_text(e, "\n", true));
}

static struct zt_val f_wordcount(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    bool in_word = false;
    int64_t words = 0;

    zt_step(e, s.n / 8);
    for (size_t i = 0; i < s.n; i++) {
        bool is = is_word(zt_char(s, i));
        words += is && !in_word;
        in_word = is;
    }
    return zt_int(words, false);
}

/* As in a query string, where a space is '+' and '/' is no separator, or as in a path. */
static void add_url(struct zt_sb *b, struct zt_val s, bool query)
{
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        bool trusted = zt_is_trusted(s, i);
        char utf8[4];
        int n = zc_utf8_put(utf8, c);
        if (c < 0x80 && (isalnum((int)c) || zt_is_one_of(c, query ? "_.-~" : "_.-~/")))
            zt_add_char(b, s.u.s[i]);
        else if (query && c == ' ')
            zt_add_ascii(b, "+", trusted);
        else
            for (int k = 0; k < n; k++)
                zt_addf(b, trusted, "%%%02X", (unsigned char)utf8[k]);
    }
}

static struct zt_val f_urlencode(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_sb b = {.e = e};
    struct zt_list *pairs;

    if (a->self.kind <= ZT_STR || a->self.kind > ZT_DICT) {
        add_url(&b, zt_py_self(e, a), false);
        return zt_take(&b);
    }
    pairs = a->self.kind == ZT_DICT ? zt_py_pairs(e, a->self.u.d) : zt_py_items(e, a->self);
    for (size_t i = 0; i < pairs->n; i++) {
        struct zt_list *pair = zt_py_items(e, pairs->v[i]);
        if (pair->n != 2)
            zt_fail(e, "urlencode needs pairs");
        zt_add_ascii(&b, i ? "&" : "", false);
        add_url(&b, zt_py_str(e, pair->v[0]), true);
        zt_add_ascii(&b, "=", false);
        add_url(&b, zt_py_str(e, pair->v[1]), true);
    }
    return zt_take(&b);
}

const struct zt_py_fn zt_py_text_filters[] = {
    {"capitalize", "", zt_py_case, ZT_CAPITALIZE},
    {"center", "width:i=80", zt_py_pad, ZT_BOTH},
    {"format", NULL, f_format, 0},
    {"indent", "width! first:b blank:b", f_indent, 0},
    {"lower", "", zt_py_case, ZT_LOWER},
    {"replace", "old:t new:t count?", f_replace, 0},
    {"string", "", f_string, 0},
    {"title", "", f_title, 0},
    {"trim", "chars:s?", zt_py_m_strip, ZT_BOTH},
    {"truncate", "length:i=255 killwords:b end:s=... leeway?", f_truncate, 0},
    {"upper", "", zt_py_case, ZT_UPPER},
    {"urlencode", "", f_urlencode, 0},
    {"wordcount", "", f_wordcount, 0},
    {"wordwrap", "width:i=79 break_long_words:b=1 wrapstring? break_on_hyphens:b=1", f_wordwrap, 0},
    {0},
};
