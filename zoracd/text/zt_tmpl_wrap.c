/* SPDX-License-Identifier: MIT */
/* jinja2's filters that lay text out or dress it for a page: prompts rarely need them. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

struct zt_val zt_f_truncate(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = a->self, none = zt_none();
    const struct zt_str *end = zt_arg_str(e, a, 2, "...");
    int64_t len = zt_arg_int(e, a, 0, 255), leeway = zt_arg_int(e, a, 3, 5);

    if (len < (int64_t)end->chars || leeway < 0)
        zt_fail(e, "truncate to less than its end");
    if ((int64_t)zt_length(e, s) <= len + leeway)
        return s;
    zt_need_str(e, s);
    s = zt_get_slice(e, s, none, zt_int(len - (int64_t)end->chars, true), none);
    if (!zt_is_true(a->v[1])) {
        const char *space = memrchr(s.u.s->p, ' ', s.u.s->len);
        if (space)
            s = zt_of_str(zt_str_sub(e, s.u.s, 0, (size_t)(space - s.u.s->p)));
    }
    return zt_binary(e, '+', s, zt_of_str(end));
}

/* The end of the chunk at byte i: white space, or a word, or its part up to a hyphen between
 * letters. */
static size_t chunk_end(const struct zt_str *s, size_t i, bool hyphens)
{
    size_t n, start = i;
    bool space = zt_char_is_space(zt_char_at(s->p + i, s->len - i, &n));

    for (; i < s->len; i += n) {
        if (space != zt_char_is_space(zt_char_at(s->p + i, s->len - i, &n)))
            break;
        bool between = hyphens && s->p[i] == '-' && i > start + 1 && i + 2 < s->len;
        if (between && isalpha((unsigned char)s->p[i - 1]) && isalnum((unsigned char)s->p[i - 2]) &&
            isalnum((unsigned char)s->p[i + 1]) && isalpha((unsigned char)s->p[i + 2]))
            return i + 1;
    }
    return i;
}

/* One paragraph of wordwrap: a line takes the chunks that fit, without white space at its end; a
 * word that fits no line is cut or has a line to itself. */
static void wrap(struct zt_env *e, const struct zt_str *s, size_t width, bool cut, bool hyphens,
                 struct zt_list *lines)
{
    size_t first = lines->n, n;

    for (size_t at = 0, end, next = 0; at < s->len; at = end) {
        if (lines->n > first && zt_char_is_space(zt_char_at(s->p + at, s->len - at, &n)))
            at = chunk_end(s, at, hyphens);
        size_t used = 0, chars = 0;
        for (end = at; end < s->len; end = next, used += chars) {
            next = chunk_end(s, end, hyphens);
            chars = zt_count_chars(s->p + end, next - end);
            if (used + chars > width)
                break;
        }
        if (end < s->len && chars > width && cut)
            end += zt_str_offset(zt_str_sub(e, s, end, next - end), width - used);
        else if (end < s->len && chars > width && used == 0)
            end = next;
        struct zt_args line = {.self = zt_of_str(zt_str_sub(e, s, at, end - at)),
                               .v = (struct zt_val[]){{0}}};
        line.self = zt_m_rstrip(e, &line);
        if (line.self.u.s->len)
            zt_list_add(e, lines, line.self);
    }
}

struct zt_val zt_f_wordwrap(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *paragraphs = zt_split_lines(e, zt_need_str(e, a->self), false);
    struct zt_list *lines = zt_list_new(e, 8);
    int64_t width = zt_arg_int(e, a, 0, 79);

    if (width <= 0)
        zt_fail(e, "wordwrap needs a positive width");
    for (size_t i = 0; i < paragraphs->n; i++) {
        size_t before = lines->n;
        wrap(e, paragraphs->v[i].u.s, (size_t)width,
             a->v[1].kind == ZT_UNSET || zt_is_true(a->v[1]),
             a->v[3].kind == ZT_UNSET || zt_is_true(a->v[3]), lines);
        if (lines->n == before)
            zt_list_add(e, lines, zt_text_of(e, "", true));
    }
    struct zt_args join = {.self = zt_of_list(ZT_LIST, lines), .v = (struct zt_val[]){{0}, {0}}};
    join.v[0] = zt_of_str(zt_arg_str(e, a, 2, "\n"));
    return zt_f_join(e, &join);
}

struct zt_val zt_f_wordcount(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = zt_to_str(e, a->self);
    bool in_word = false;
    int64_t words = 0;

    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        bool is = c == '_' || zt_char_is_alnum(c);
        words += is && !in_word;
        in_word = is;
    }
    return zt_int(words, false);
}

struct zt_val zt_f_striptags(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = zt_to_str(e, a->self);
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0; i < s->len;) {
        bool comment = s->len - i >= 4 && memcmp(s->p + i, "<!--", 4) == 0;
        const char *end = s->p[i] != '<' ? NULL
                          : comment      ? memmem(s->p + i, s->len - i, "-->", 3)
                                         : memchr(s->p + i, '>', s->len - i);
        if (end)
            i = (size_t)(end - s->p) + (comment ? 3 : 1);
        else
            zt_sb_add_sub(&b, s, i++, 1);
    }
    struct zt_args words = {.self = zt_sb_take_val(&b), .v = (struct zt_val[]){{0}, {0}}};
    words.self = zt_m_split(e, &words);
    words.v[0] = zt_text_of(e, " ", true);
    return zt_f_join(e, &words);
}

/* plus: as in a query string, where a space is '+' and '/' is no separator. */
static void add_url(struct zt_sb *b, const struct zt_str *s, bool plus)
{
    for (size_t i = 0; i < s->len; i++) {
        unsigned char c = (unsigned char)s->p[i];
        if ((c < 0x80 && isalnum(c)) || (c && strchr(plus ? "_.-~" : "_.-~/", c)))
            zt_sb_add_sub(b, s, i, 1);
        else if (plus && c == ' ')
            zt_sb_adds(b, "+", zt_str_is_trusted_at(s, i));
        else
            zt_sb_addf(b, zt_str_is_trusted_at(s, i), "%%%02X", c);
    }
}

struct zt_val zt_f_urlencode(struct zt_env *e, const struct zt_args *a)
{
    struct zt_sb b;

    zt_sb_init(&b, e);
    if (a->self.kind != ZT_DICT)
        add_url(&b, zt_to_str(e, a->self), false);
    for (size_t i = 0; a->self.kind == ZT_DICT && i < a->self.u.d->n; i++) {
        zt_sb_adds(&b, i ? "&" : "", false);
        add_url(&b, zt_to_str(e, a->self.u.d->e[i].k), true);
        zt_sb_adds(&b, "=", false);
        add_url(&b, zt_to_str(e, a->self.u.d->e[i].v), true);
    }
    return zt_sb_take_val(&b);
}

struct zt_val zt_f_xmlattr(struct zt_env *e, const struct zt_args *a)
{
    struct zt_sb b;

    if (a->self.kind != ZT_DICT)
        zt_fail(e, "xmlattr needs a dict, got %s", zt_type_name(a->self));
    zt_sb_init(&b, e);
    for (size_t i = 0; i < a->self.u.d->n; i++) {
        struct zt_pair p = a->self.u.d->e[i];
        if (p.v.kind == ZT_NONE || p.v.kind == ZT_UNDEF)
            continue;
        if (b.len || a->v[0].kind == ZT_UNSET || zt_is_true(a->v[0]))
            zt_sb_adds(&b, " ", false);
        zt_sb_add_str(&b, zt_str_escape(e, zt_to_str(e, p.k)));
        zt_sb_adds(&b, "=\"", false);
        zt_sb_add_str(&b, zt_str_escape(e, zt_to_str(e, p.v)));
        zt_sb_adds(&b, "\"", false);
    }
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), e->autoescape));
}

struct zt_val zt_f_filesizeformat(struct zt_env *e, const struct zt_args *a)
{
    static const char units[] = "kMGTPEZY";
    bool binary = zt_is_true(a->v[0]);
    double f, base = binary ? 1024 : 1000, unit = base;
    struct zt_sb b;
    int i = -1;

    if (!zt_parse_float(e, a->self, &f))
        zt_fail(e, "filesizeformat needs a number");
    zt_sb_init(&b, e);
    if (f < base)
        zt_sb_addf(&b, a->self.trusted, "%.0f Byte%s", trunc(f), f == 1 ? "" : "s");
    else {
        do {
            i++;
            unit *= base;
        } while (f >= unit && i < 7);
        zt_sb_addf(&b, a->self.trusted, "%.1f %c%sB", base * f / unit,
                   binary && i == 0 ? 'K' : units[i], binary ? "i" : "");
    }
    return zt_sb_take_val(&b);
}
