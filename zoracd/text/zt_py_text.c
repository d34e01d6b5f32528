/* SPDX-License-Identifier: MIT */
/* jinja2's filters that work on text. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <string.h>

#include "common/zc_utf8.h"

static ZT_FN(f_string, zt_py_self(e, a));
static ZT_FN(f_safe, zt_markup(zt_py_self(e, a), true));
static ZT_FN(f_escape, zt_py_escape(e, zt_py_self(e, a)));
static ZT_FN(f_forceescape, zt_py_escape(e, zt_markup(zt_py_self(e, a), false)));

static struct zt_val f_replace(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_py_args plain = *a;

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

static ZT_FN(f_format,
             zt_py_percent(e, zt_py_self(e, a),
                           a->kw ? zt_of_dict(ZT_DICT, a->kw) : zt_tuple(e, a->v, (size_t)a->n)));

/* length, killwords, end, leeway */
static struct zt_val f_truncate(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = a->self, end = a->v[2];
    int64_t len = a->v[0].u.i, leeway = a->v[3].u.i;

    if (len < end.n || leeway < 0)
        zt_fail(e, "truncate to less than its end");
    if ((int64_t)zt_py_len(e, s) - leeway <= len)
        return s;
    s = zt_sub(zt_py_need_str(e, s), 0, (size_t)len - end.n);
    size_t space = zt_py_find(e, s, zt_text(e, " ", true), true);
    if (!a->v[1].u.b && space != SIZE_MAX)
        s = zt_sub(s, 0, space);
    return zt_py_binary(e, '+', s, end);
}

/* The end of the chunk at i: white space, or a word, or its part up to a hyphen between letters. */
static size_t chunk_end(struct zt_val s, size_t i, bool hyphens)
{
    size_t start = i;
    bool space = zt_py_is_space(zt_char(s, i));

    for (; i < s.n && space == zt_py_is_space(zt_char(s, i)); i++) {
        if (!hyphens || zt_char(s, i) != '-' || i < start + 2 || i + 2 >= s.n)
            continue;
        bool letters = zt_py_is_of(zt_char(s, i - 2), ZT_PY_ALNUM) &&
                       zt_py_is_of(zt_char(s, i - 1), ZT_PY_ALNUM) &&
                       zt_py_is_of(zt_char(s, i + 1), ZT_PY_ALNUM) &&
                       zt_py_is_of(zt_char(s, i + 2), ZT_PY_ALNUM);
        if (letters)
            return i + 1;
    }
    return i;
}

/* One paragraph of wordwrap: a line takes the chunks that fit, without white space at its end; a
 * word that fits no line is cut or has a line to itself. */
static void wrap(struct zt_env *e, struct zt_val s, size_t width, bool cut, bool hyphens,
                 struct zt_list *lines)
{
    size_t first = lines->n;

    for (size_t at = 0, end, next = 0; at < s.n; at = end) {
        if (lines->n > first && zt_py_is_space(zt_char(s, at)))
            at = chunk_end(s, at, hyphens);
        for (end = at; end < s.n && (next = chunk_end(s, end, hyphens)) - at <= width;)
            end = next;
        bool is_long = end < s.n && next - end > width;
        bool is_full = is_long && cut && end == at + width;
        if (is_long)
            end = cut ? at + width : end == at ? next : end;
        struct zt_val line = zt_sub(s, at, end);
        if (!is_full) /* else Python drops the nothing that it has cut off the word instead */
            line = zt_py_strip(line, ZT_NO_VALUE, ZT_RIGHT);
        zt_step(e, 1);
        if (line.n)
            zt_push(e, lines, line);
    }
}

/* width, break_long_words, wrapstring, break_on_hyphens */
static struct zt_val f_wordwrap(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *paragraphs = zt_py_lines(e, zt_py_need_str(e, a->self), false);
    struct zt_list *lines = zt_list_new(e, 8);

    if (a->v[0].u.i <= 0)
        zt_fail(e, "wordwrap needs a positive width");
    for (size_t i = 0; i < paragraphs->n; i++) {
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

    for (size_t i = 0; i < s.n; i++) {
        bool is = zt_char(s, i) == '_' || zt_py_is_of(zt_char(s, i), ZT_PY_ALNUM);
        words += is && !in_word;
        in_word = is;
    }
    return zt_int(words, false);
}

static struct zt_val f_striptags(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    struct zt_sb b = {.e = e};

    for (size_t at; s.n > 0; s = zt_sub(s, at, s.n)) {
        bool comment = s.n >= 4 && zt_is(zt_sub(s, 0, 4), "<!--");
        struct zt_val close = zt_text(e, comment ? "-->" : ">", true);
        at = zt_char(s, 0) == '<' ? zt_py_find(e, s, close, false) : SIZE_MAX;
        if (at == SIZE_MAX)
            zt_add(&b, zt_sub(s, 0, 1));
        at = at == SIZE_MAX ? 1 : at + close.n;
    }
    return zt_py_joined(e, zt_py_split(e, zt_take(&b), ZT_NO_VALUE, -1, false),
                        zt_text(e, " ", true));
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

    if (a->self.kind <= ZT_STR) {
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

/* autospace */
static struct zt_val f_xmlattr(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_sb b = {.e = e};

    if (a->self.kind != ZT_DICT)
        zt_fail(e, "xmlattr needs a dict, got %s", zt_py_type_name(a->self));
    for (size_t i = 0; i < a->self.u.d->n; i++) {
        struct zt_pair p = a->self.u.d->e[i];
        if (p.v.kind == ZT_NONE || p.v.kind == ZT_UNDEF)
            continue;
        if (b.n || a->v[0].u.b)
            zt_add_ascii(&b, " ", false);
        zt_add(&b, zt_py_escape(e, zt_py_str(e, p.k)));
        zt_add_ascii(&b, "=\"", false);
        zt_add(&b, zt_py_escape(e, zt_py_str(e, p.v)));
        zt_add_ascii(&b, "\"", false);
    }
    return zt_markup(zt_take(&b), e->autoescape);
}

const struct zt_py_fn zt_py_text_filters[] = {
    {"capitalize", "", zt_py_case, ZT_CAPITALIZE},
    {"center", "width:i=80 fillchar:s=_", zt_py_pad, ZT_BOTH},
    {"e", "", f_escape, 0},
    {"escape", "", f_escape, 0},
    {"forceescape", "", f_forceescape, 0},
    {"format", NULL, f_format, 0},
    {"indent", "width? first:b blank:b", f_indent, 0},
    {"lower", "", zt_py_case, ZT_LOWER},
    {"replace", "old:t new:t count:i=-1", f_replace, 0},
    {"safe", "", f_safe, 0},
    {"string", "", f_string, 0},
    {"striptags", "", f_striptags, 0},
    {"title", "", f_title, 0},
    {"trim", "chars:s?", zt_py_m_strip, ZT_BOTH},
    {"truncate", "length:i=255 killwords:b end:s=... leeway:i=5", f_truncate, 0},
    {"upper", "", zt_py_case, ZT_UPPER},
    {"urlencode", "", f_urlencode, 0},
    {"wordcount", "", f_wordcount, 0},
    {"wordwrap", "width:i=79 break_long_words:b=1 wrapstring? break_on_hyphens:b=1", f_wordwrap, 0},
    {"xmlattr", "autospace:b=1", f_xmlattr, 0},
    {0},
};
