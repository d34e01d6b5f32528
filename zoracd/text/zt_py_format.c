/* SPDX-License-Identifier: MIT */
/* "%" and "{}" formatting of strings, and the formats of numbers that both have. What a value
 * becomes is as trusted as the value, the text around it as the format. */
#include "zoracd/text/zt_py_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- format specifications ------------------------------------------------------------------ */

/* What "%-08.3f" and "{:<8.3f}" have in common, and where in the format we are. */
struct spec {
    struct zt_val fmt;
    size_t at;
    uint32_t fill;
    uint32_t align;       /* '<', '>', '^', '=' (between sign and digits); 0: as the type has it */
    uint32_t sign;        /* '+', ' ', '-' or 0 */
    uint32_t group;       /* ',' or '_' between digits, or 0 */
    bool alternate, zero; /* '#', a '0' before the width */
    int64_t width, precision; /* precision -1: not given */
    uint32_t type;            /* 0: none */
};

/* The next character, 0 at the end. */
static uint32_t peek(const struct spec *sp)
{
    return sp->at < sp->fmt.n ? zt_char(sp->fmt, sp->at) : 0;
}

/* The next character if it is one of the set, taken; else 0. */
static uint32_t took(struct spec *sp, const char *set)
{
    uint32_t c = peek(sp);

    if (!zt_is_one_of(c, set))
        return 0;
    sp->at++;
    return c;
}

enum { MAX_WIDTH = 100000 };

static int64_t take_number(struct zt_env *e, struct spec *sp)
{
    int64_t n = 0;

    for (uint32_t c; (c = took(sp, "0123456789"));)
        if ((n = n * 10 + (c - '0')) > MAX_WIDTH)
            zt_fail(e, "a format that is too wide");
    return n;
}

/* Text with the fill around it; lead: how much of it a '=' leaves in front of the fill. */
static void add_padded(struct zt_sb *b, const struct spec *sp, struct zt_val s, size_t lead,
                       uint32_t align)
{
    int64_t pad = sp->width - s.n;
    int64_t left = pad < 0 || align == '<' ? 0 : align == '^' ? pad / 2 : pad;
    struct zt_val fill = zt_sub(s, 0, 1);

    lead = align == '=' ? lead : 0;
    fill.u.s = &sp->fill;
    zt_add(b, zt_sub(s, 0, lead));
    zt_py_add_times(b, fill, left);
    zt_add(b, zt_sub(s, lead, s.n));
    zt_py_add_times(b, fill, pad - left);
}

/* The digits of an integer without its sign, at least so many as precision says. */
static char *int_digits(struct zt_env *e, struct zt_val v, uint32_t type, int64_t precision)
{
    uint32_t base = type == 'b' ? 2 : type == 'o' ? 8 : zt_is_one_of(type, "xX") ? 16 : 10;
    const char *digits = zt_py_big_digits(e, v, base);
    int64_t n = (int64_t)strlen(digits), zeros = precision > n ? precision - n : 0;
    char *text = zt_alloc(e, (size_t)(zeros + n + 1), 1);

    memset(text, '0', (size_t)zeros);
    memcpy(text + zeros, digits, (size_t)n);
    for (char *p = text; type == 'X' && *p; p++)
        *p = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
    return text;
}

/* With an exponent and without zeros at the end of the fraction. */
static void write_exponent(char *text, size_t cap, double f, int decimals)
{
    snprintf(text, cap, "%.*e", decimals, f);
    char *exp = strchr(text, 'e'), *end = exp;

    while (decimals > 0 && end[-1] == '0')
        end--;
    end -= decimals > 0 && end[-1] == '.';
    memmove(end, exp, strlen(exp) + 1);
}

/* The digits of a float that is not negative. */
static void write_fixed(char *text, size_t cap, double f, const struct spec *sp)
{
    bool percent = sp->type == '%', plain = !sp->type;
    int precision = (int)(sp->precision < 0 ? 6 : sp->precision);
    char fmt[8] = {'%', '.', '*', plain ? 'g' : percent ? 'f' : (char)sp->type, '\0'};

    if (plain && sp->precision < 0) {
        zt_py_write_float(text, cap - 1, f);
        char *exp = strchr(text, 'e');
        if (sp->alternate && exp && !strchr(text, '.')) { /* '#' wants a point */
            memmove(exp + 1, exp, strlen(exp) + 1);
            *exp = '.';
        }
        return;
    }
    if (sp->alternate)
        memcpy(fmt, (char[]){'%', '#', '.', '*', fmt[3]}, 5);
    snprintf(text, cap - 3, fmt, precision, percent ? f * 100 : f);
    if (plain && !strpbrk(text, ".en")) { /* it must have a point or an exponent */
        if (precision < 1 || strlen(text) == (size_t)precision)
            write_exponent(text, cap, f, precision > 1 ? precision - 1 : 0);
        else
            strcat(text, ".0");
    }
    if (percent)
        strcat(text, "%");
}

/* A number as its type wants it. */
static void add_number(struct zt_sb *b, const struct spec *sp, struct zt_val v)
{
    char fixed[800], *text = fixed;
    struct zt_sb out = {.e = b->e};
    uint32_t type = sp->type;
    bool negative = v.kind == ZT_FLOAT ? signbit(v.u.f) && !isnan(v.u.f)
                    : v.kind == ZT_BIG ? zt_char(v, 0) == '-'
                                       : v.u.i < 0;

    if (sp->precision > 300)
        zt_fail(b->e, "a format with too many digits");
    if (v.kind == ZT_FLOAT)
        write_fixed(text, sizeof fixed, fabs(v.u.f), sp);
    else
        text = int_digits(b->e, v, type, sp->precision);
    char sign[] = {negative ? '-' : sp->sign == '-' ? '\0' : (char)sp->sign, '\0'};
    zt_add_ascii(&out, sign, v.trusted);
    if (sp->alternate && zt_is_one_of(type, "xXob"))
        zt_addf(&out, v.trusted, "0%c", (char)type);
    size_t lead = out.n, len = strlen(text), every = zt_is_one_of(type, "xXob") ? 4 : 3;
    size_t whole = v.kind == ZT_FLOAT ? strcspn(text, ".eE%") : len;
    size_t zeros = 0; /* that are grouped too */
    bool grouped_fill = sp->group && sp->fill == '0' && sp->align == '=';
    while (grouped_fill && lead + len + zeros + (whole + zeros - 1) / every < (size_t)sp->width)
        zeros++;
    for (size_t i = 0; i < zeros + len; i++) {
        if (sp->group && i && i < zeros + whole && (zeros + whole - i) % every == 0)
            zt_add_ascii(&out, (char[]){(char)sp->group, '\0'}, v.trusted);
        zt_add_ascii(&out, (char[]){i < zeros ? '0' : text[i - zeros], '\0'}, v.trusted);
    }
    add_padded(b, sp, zt_take(&out), lead, sp->align ? sp->align : '>');
}

/* A value as the type of the format wants it, cut and padded. */
static void add_formatted(struct zt_sb *b, const struct spec *sp, struct zt_val v)
{
    struct zt_env *e = b->e;

    zt_step(e, 8);
    if (zt_is_one_of(sp->type, "eEfFgG%"))
        v = zt_float(zt_py_to_float(e, v), v.trusted);
    else if (zt_is_one_of(sp->type, "dxXobc") || (!sp->type && v.kind == ZT_BOOL))
        v = v.kind == ZT_BIG ? v : zt_int(zt_py_need_int(e, v), v.trusted);
    else if (sp->type && sp->type != 's')
        zt_fail(e, "unknown format '%c'", sp->type < 0x80 ? (char)sp->type : '?');
    bool is_char = sp->type == 'c';
    if (is_char &&
        (v.kind == ZT_BIG || v.u.i < 0 || v.u.i > 0x10ffff || (v.u.i >= 0xd800 && v.u.i < 0xe000)))
        zt_fail(e, "a number that is no character");
    if (is_char) {
        struct zt_sb one = {.e = e};
        zt_add_char(&one, (uint32_t)v.u.i | (v.trusted ? ZT_TRUSTED : 0));
        v = zt_take(&one);
    } else if (sp->type != 's' && v.kind >= ZT_INT && v.kind <= ZT_FLOAT) {
        add_number(b, sp, v);
        return;
    }
    v = zt_py_str(e, v);
    if (sp->precision >= 0 && sp->precision < v.n)
        v = zt_sub(v, 0, (size_t)sp->precision);
    if (is_char)
        add_padded(b, sp, v, 0, sp->align ? sp->align : '>');
    else
        add_padded(b, sp, v, 0, sp->align && sp->align != '=' ? sp->align : '<');
}

/* ---- "%" ------------------------------------------------------------------------------------ */

struct percent {
    struct zt_val args;
    bool tuple, markup;
    size_t used;
};

static struct zt_val percent_arg(struct zt_env *e, struct percent *f)
{
    if (f->used >= (f->tuple ? f->args.u.l->n : 1))
        zt_fail(e, "not enough arguments for the format");
    f->used++;
    return f->tuple ? f->args.u.l->v[f->used - 1] : f->args;
}

/* After "%(": the named argument. */
static struct zt_val percent_named(struct zt_env *e, struct percent *f, struct spec *sp)
{
    struct zt_val rest = zt_sub(sp->fmt, sp->at, sp->fmt.n);
    size_t close = zt_py_find(e, rest, zt_text(e, ")", true), false);
    const struct zt_val *v = NULL;

    if (close != SIZE_MAX && f->args.kind == ZT_DICT)
        v = zt_dict_get(e, f->args.u.d, zt_sub(rest, 0, close));
    if (!v)
        zt_fail(e, "the format has a name that the arguments lack");
    f->used = 1;
    sp->at += close + 1;
    return *v;
}

/* '*' or a number. */
static int64_t percent_number(struct zt_env *e, struct percent *f, struct spec *sp)
{
    if (!took(sp, "*"))
        return take_number(e, sp);
    int64_t n = zt_py_need_int(e, percent_arg(e, f));
    if (n > MAX_WIDTH || n < -MAX_WIDTH)
        zt_fail(e, "a format that is too wide");
    return n;
}

/* "[flags][width][.precision][h|l|L]"; whether it asks for zeros before the digits. */
static bool percent_spec(struct zt_env *e, struct percent *f, struct spec *sp)
{
    bool left = false, zero = false;

    for (uint32_t c; (c = took(sp, "-+ 0#"));) {
        left |= c == '-';
        zero |= c == '0';
        sp->alternate |= c == '#';
        sp->sign = c == '+' || (c == ' ' && !sp->sign) ? c : sp->sign;
    }
    sp->width = percent_number(e, f, sp);
    left |= sp->width < 0;
    sp->width = sp->width < 0 ? -sp->width : sp->width;
    sp->align = left ? '<' : '>';
    if (took(sp, ".")) {
        int64_t n = percent_number(e, f, sp);
        sp->precision = n < 0 ? 0 : n;
    }
    took(sp, "hlL");
    return zero && !left;
}

/* The argument as its type wants it, which becomes one that "{}" has too. */
static struct zt_val percent_convert(struct zt_env *e, bool markup, struct spec *sp,
                                     struct zt_val v)
{
    bool is_char = sp->type == 'c';

    if (is_char && v.kind == ZT_STR && v.n != 1)
        zt_fail(e, "%%c needs one character");
    sp->precision = is_char ? -1 : sp->precision;
    if (zt_is_one_of(sp->type, "diu")) {
        sp->type = 'd';
        if (v.kind == ZT_FLOAT && isfinite(v.u.f))
            v = zt_py_truncated(e, v.u.f, v.trusted);
    } else if (zt_is_one_of(sp->type, "sra") || (is_char && v.kind == ZT_STR)) {
        bool repr = sp->type == 'r' || sp->type == 'a';
        v = repr ? zt_py_repr(e, v, sp->type == 'a') : zt_py_str(e, v);
        v = markup ? zt_py_escape(e, v) : v;
        sp->type = 's';
    }
    return v;
}

/* After '%': one conversion. */
static void percent_one(struct zt_sb *b, struct percent *f, struct spec *sp)
{
    struct zt_val v = took(sp, "(") ? percent_named(b->e, f, sp) : ZT_NO_VALUE;
    bool zero = percent_spec(b->e, f, sp);

    sp->type = took(sp, "srdiuxXoeEfFgGca");
    if (!sp->type)
        zt_fail(b->e, "unknown format '%%%s'",
                zt_utf8(b->e, zt_sub(sp->fmt, sp->at, sp->at + (sp->at < sp->fmt.n))));
    v = ZT_IS_GIVEN(v) ? v : percent_arg(b->e, f);
    v = percent_convert(b->e, f->markup, sp, v);
    zero = zero && !zt_is_one_of(sp->type, "sc");
    sp->fill = zero ? '0' : ' ';
    sp->align = zero ? '=' : sp->align;
    add_formatted(b, sp, v);
}

struct zt_val zt_py_percent(struct zt_env *e, struct zt_val fmt, struct zt_val args)
{
    struct percent f = {.args = args, .tuple = args.kind == ZT_TUPLE, .markup = fmt.markup};
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < fmt.n;) {
        if (zt_char(fmt, i) != '%') {
            zt_add_char(&b, fmt.u.s[i++]);
            continue;
        }
        struct spec sp = {.fmt = fmt, .at = i + 1, .precision = -1};
        if (took(&sp, "%"))
            zt_add_char(&b, fmt.u.s[i]);
        else
            percent_one(&b, &f, &sp);
        i = sp.at;
    }
    bool container = args.kind == ZT_UNDEF || args.kind > ZT_STR;
    if (f.tuple ? f.used < args.u.l->n : f.used == 0 && !container)
        zt_fail(e, "not all arguments are used by the format");
    return zt_markup(zt_take(&b), fmt.markup);
}

/* ---- "{}" ----------------------------------------------------------------------------------- */

/* "[[fill]align][sign][#][0][width][grouping][.precision][type]" */
static struct spec parse_spec(struct zt_env *e, struct zt_val text)
{
    static const char aligns[] = "<>=^";
    struct spec sp = {.fmt = text, .fill = ' ', .precision = -1};

    bool fills = text.n > 1 && zt_is_one_of(zt_char(text, 1), aligns);

    if (fills)
        sp.fill = zt_char(text, sp.at++);
    sp.align = took(&sp, aligns);
    sp.sign = took(&sp, "+- ");
    sp.alternate = took(&sp, "#");
    sp.zero = peek(&sp) == '0' && !sp.align;
    if (peek(&sp) == '0') {
        sp.fill = fills ? sp.fill : '0';
        sp.align = sp.align ? sp.align : '=';
    }
    sp.width = take_number(e, &sp);
    sp.group = took(&sp, ",_");
    if (took(&sp, "."))
        sp.precision = take_number(e, &sp);
    sp.type = peek(&sp);
    if (sp.at + 1 < text.n)
        zt_fail(e, "a bad format specification");
    return sp;
}

/* Arguments of str.format, and how many of those without a name are used. */
struct braces {
    const struct zt_py_args *a;
    int64_t next; /* -1: fields say their number */
    int depth;
    bool map; /* format_map: there are names only */
};

static bool is_digits(struct zt_val s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!zt_is_one_of(zt_char(s, i), "0123456789"))
            return false;
    return true;
}

/* The end of the name at i: before one of ".[", or in brackets before ']'. */
static size_t name_end(struct zt_val s, size_t i, const char *ends)
{
    while (i < s.n && !zt_is_one_of(zt_char(s, i), ends))
        i++;
    return i;
}

/* The argument that a field's name means: "", "0" or "name", then ".attribute"s and "[item]"s. */
static struct zt_val field_value(struct zt_env *e, struct braces *f, struct zt_val name)
{
    size_t end = name_end(name, 0, ".["), i;
    struct spec digits = {.fmt = zt_sub(name, 0, end)};
    const struct zt_val *v = NULL;

    if (!f->map && is_digits(digits.fmt) && (end || name.n == 0)) {
        bool counts = end == name.n; /* as Python: a number with a path counts as neither */
        if (counts && (end ? f->next > 0 : f->next < 0))
            zt_fail(e, "a format with fields with and without a number");
        int64_t at = end ? take_number(e, &digits) : f->next;
        if (counts)
            f->next = end ? -1 : at + 1;
        v = at < f->a->n ? &f->a->v[at] : NULL;
    } else {
        v = zt_dict_get(e, f->a->kw, digits.fmt);
    }
    if (!v)
        zt_fail(e, "the format has no argument '%.40s'", zt_utf8(e, digits.fmt));
    struct zt_val value = *v;
    for (i = end; i < name.n; i = end) {
        bool item = zt_char(name, i) == '[';
        end = name_end(name, i + 1, item ? "]" : ".[");
        digits = (struct spec){.fmt = zt_sub(name, i + 1, end)};
        if (!item)
            value = zt_get_attr(e, value, digits.fmt, true);
        else if (is_digits(digits.fmt))
            value = zt_py_item(e, value, zt_int(take_number(e, &digits), true));
        else
            value = zt_py_item(e, value, digits.fmt);
        end += item;
    }
    return value;
}

static struct zt_val format_braces(struct zt_env *e, struct braces *f, struct zt_val fmt);

/* Whether Python takes what the specification has beside its type for this value. */
static bool is_spec_for(const struct spec *sp, struct zt_val v)
{
    bool numeric = sp->sign || sp->alternate || sp->group || (sp->align == '=' && !sp->zero);

    if (v.kind == ZT_STR)
        return !numeric;
    if (sp->type == 'c' && (sp->sign || sp->alternate || sp->group))
        return false;
    if ((sp->group && sp->type == 'n') || (sp->group == ',' && zt_is_one_of(sp->type, "xXbo")))
        return false;
    bool is_int = v.kind != ZT_FLOAT && !zt_is_one_of(sp->type, "eEfFgG%");
    return sp->type != 's' && !(is_int && sp->precision >= 0);
}

/* "name!r:spec"; the specification may have fields of its own. */
static void add_field(struct zt_sb *b, struct braces *f, struct zt_val field, bool markup)
{
    struct zt_env *e = b->e;
    size_t colon = name_end(field, 0, ":"), end = name_end(zt_sub(field, 0, colon), 0, "!");
    struct zt_val spec = zt_sub(field, colon + (colon < field.n), field.n);
    struct zt_val v = field_value(e, f, zt_sub(field, 0, end));

    if (end < colon) {
        uint32_t how = colon == end + 2 ? zt_char(field, end + 1) : 0;
        if (!zt_is_one_of(how, "rsa"))
            zt_fail(e, "a format with a conversion that is none of !r, !s and !a");
        v = how == 's' ? zt_py_str(e, v) : zt_py_repr(e, v, how == 'a');
    }
    if (markup)
        v = zt_py_escape(e, zt_py_str(e, v));
    if (spec.n == 0) {
        zt_add(b, zt_py_str(e, v));
        return;
    }
    if (v.kind > ZT_STR || v.kind <= ZT_NONE)
        zt_fail(e, "%s has no format", zt_py_type_name(v));
    struct spec sp = parse_spec(e, format_braces(e, f, spec));
    if (!is_spec_for(&sp, v))
        zt_fail(e, "a bad format specification");
    if (sp.type == 'n') /* as the C locale has it: without a separator */
        sp.type = v.kind == ZT_FLOAT ? 'g' : 'd';
    add_formatted(b, &sp, v);
}

static struct zt_val format_braces(struct zt_env *e, struct braces *f, struct zt_val fmt)
{
    struct zt_sb b = {.e = e};

    if (++f->depth > 2)
        zt_fail(e, "a format nested too deep");
    for (size_t i = 0, end; i < fmt.n; i = end + 1) {
        uint32_t c = zt_char(fmt, i);
        int open = 1;
        end = i + 1;
        if (c != '{' && c != '}') {
            zt_add_char(&b, fmt.u.s[i]);
            end = i;
        } else if (end < fmt.n && zt_char(fmt, end) == c) {
            zt_add_char(&b, fmt.u.s[i]); /* doubled */
        } else {
            for (; c == '{' && end < fmt.n; end++) {
                open += (zt_char(fmt, end) == '{') - (zt_char(fmt, end) == '}');
                if (open == 0)
                    break;
            }
            if (open)
                zt_fail(e, "a format with a single '%c'", (char)c);
            add_field(&b, f, zt_sub(fmt, i + 1, end), fmt.markup);
        }
    }
    f->depth--;
    return zt_markup(zt_take(&b), fmt.markup);
}

struct zt_val zt_py_braces(struct zt_env *e, const struct zt_py_args *a)
{
    struct braces f = {.a = a};

    return format_braces(e, &f, a->self);
}

struct zt_val zt_py_format_map(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->v[0].kind != ZT_DICT)
        zt_fail(e, "format_map needs a dict, got %s", zt_py_type_name(a->v[0]));
    struct zt_py_args named = {.kw = a->v[0].u.d};
    struct braces f = {.a = &named, .map = true};

    return format_braces(e, &f, a->self);
}
