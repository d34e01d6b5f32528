/* SPDX-License-Identifier: MIT */
/* Prints a page with its tables made anew from common/zc_wire.def and zs_limits.h: what stands
 * between "begin NAME" and "end NAME" in comments is replaced, the rest is kept. The form follows
 * the page's name: Markdown for docs/protocol.md, mdoc for zorac-protocol.7. `make protocol` writes
 * both, a test compares them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_wire.h"
#include "zoracd/serve/zs_limits.h"

static bool is_man; /* mdoc, not Markdown */

/* ---- the two forms ------------------------------------------------------------------------ */

/* A text; in mdoc a sentence begins a line, and no line is long. */
static void print_text(const char *text)
{
    size_t column = 0;

    for (const char *p = text; *p; p++) {
        bool breaks = is_man && *p == ' ' && (p[-1] == '.' || column + strcspn(p + 1, " ") > 76);
        putchar(breaks ? '\n' : *p);
        column = breaks ? 0 : column + 1;
    }
}

static void begin_section(const char *name, const char *text)
{
    printf(is_man ? ".Ss %s\n" : "\n### %s\n\n", name);
    print_text(text);
}

static void begin_table(const char *what, const char *columns)
{
    if (is_man)
        printf(".Pp\n%s:\n.Bl -tag -width Ds -compact\n", what);
    else
        printf("\n%s", columns);
}

static void end_table(void)
{
    if (is_man)
        puts(".El");
}

/* A key with its type, its range ("" for none) and what it is; has_range is of the whole table. */
static void print_row(const char *key, bool required, const char *type, bool has_range,
                      const char *range, const char *text)
{
    if (!is_man) {
        printf("| `%s`%s | %s | %s%s%s |\n", key, required ? " (required)" : "", type, range,
               has_range ? " | " : "", text);
        return;
    }
    printf(".It Va %s\n(%s%s%s%s)\n", key, type, *range ? ", " : "", range,
           required ? "; required" : "");
    print_text(text);
    putchar('\n');
}

/* ---- the tables --------------------------------------------------------------------------- */

static const char *range_of(const struct zc_wire_param *p)
{
    static char s[96];

    s[0] = '\0';
    if (p->type == ZC_T_NUM)
        snprintf(s, sizeof s, "%g to %g", p->lo, p->hi);
    else if (p->type == ZC_T_INT)
        snprintf(s, sizeof s, "%" PRId64 " to %" PRId64, p->ilo, p->ihi);
    else if (p->ihi && p->type == ZC_T_STR)
        snprintf(s, sizeof s, "%" PRId64 " to %" PRId64 " bytes", p->ilo, p->ihi);
    else if (p->ihi)
        snprintf(s, sizeof s, "up to %" PRId64, p->ihi);
    return s;
}

static void print_params(enum zc_method m)
{
    int n = 0;

    for (int i = 0; i < ZC_N_PARAMS; i++) {
        const struct zc_wire_param *p = &zc_wire_params[i];
        if (p->method != m)
            continue;
        if (n++ == 0)
            begin_table("Parameters", "| parameter | type | range | |\n|---|---|---|---|\n");
        print_row(p->key, p->required, zc_wire_type_name(p->type), true, range_of(p), p->text);
    }
    if (n)
        end_table();
    else
        printf("%sNo parameters.\n", is_man ? "" : "\n");
}

/* What the daemon sends is always the array. */
static const char *sent_type(enum zc_wire_type type)
{
    return type == ZC_T_STRS ? "array of strings" : zc_wire_type_name(type);
}

static void print_results(enum zc_method m)
{
    begin_table("Results", "| result | type | |\n|---|---|---|\n");
    for (size_t i = 0; i < zc_wire_n_results; i++)
        if (zc_wire_results[i].method == m)
            print_row(zc_wire_results[i].key, false, sent_type(zc_wire_results[i].type), false, "",
                      zc_wire_results[i].text);
    end_table();
}

static void print_methods(void)
{
    const char *gap = is_man ? "\n" : " ";

    for (int m = 0; m < ZC_N_METHODS; m++) {
        const struct zc_wire_method *w = &zc_wire_methods[m];
        begin_section(w->name, w->text);
        if (w->when == ZC_WHEN_READY)
            printf("%sWaits for the model while it loads.", gap);
        if (w->who == ZC_WHO_OWNER)
            printf("%sFor root and the daemon's own user.", gap);
        putchar('\n');
        print_params((enum zc_method)m);
        print_results((enum zc_method)m);
    }
    if (!is_man)
        putchar('\n');
}

static void print_events(void)
{
    bool open = false;

    for (size_t i = 0; i < zc_wire_n_fields; i++) {
        const struct zc_wire_field *f = &zc_wire_fields[i];
        if (f->key) {
            print_row(f->key, false, sent_type(f->type), false, "", f->text);
            continue;
        }
        if (open)
            end_table();
        open = true;
        begin_section(f->event, f->text);
        putchar('\n');
        begin_table("Keys", "| key | type | |\n|---|---|---|\n");
        print_row("id", false, "integer", false, "", "the request");
    }
    end_table();
    if (!is_man)
        putchar('\n');
}

static void print_limit(const char *name, unsigned long long dflt, const char *text)
{
    char number[32];

    snprintf(number, sizeof number, "%llu", dflt);
    print_row(name, false, number, false, "", text);
}

static void print_limits(void)
{
    begin_table("Limits and their defaults", "| limit | default | |\n|---|---|---|\n");
#define ZS_LIMIT(field, name, dflt, lo, hi, text) print_limit(#field, dflt, text);
    ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
#define ZS_FIXED(name, value, text) print_limit(#name, value, text);
    ZS_FIXED_LIMITS(ZS_FIXED)
#undef ZS_FIXED
    end_table();
    if (!is_man)
        putchar('\n');
}

static const struct {
    const char *name;
    void (*print)(void);
} tables[] = {{"methods", print_methods}, {"events", print_events}, {"limits", print_limits}};

int main(int argc, char **argv)
{
    char *line = NULL, name[32];
    size_t cap = 0;
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    int skipping = 0;

    if (!f) {
        fprintf(stderr, "usage: mkprotocol docs/protocol.md | docs/man/zorac-protocol.7\n");
        return 2;
    }
    const char *suffix = strrchr(argv[1], '.');
    is_man = suffix && strcmp(suffix, ".7") == 0;
    while (getline(&line, &cap, f) > 0) {
        if (sscanf(line, "<!-- end %31s -->", name) == 1 ||
            sscanf(line, ".\\\" end %31s", name) == 1)
            skipping = 0;
        if (!skipping)
            fputs(line, stdout);
        if (sscanf(line, "<!-- begin %31s -->", name) != 1 &&
            sscanf(line, ".\\\" begin %31s", name) != 1)
            continue;
        skipping = 1;
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
            if (strcmp(tables[i].name, name) == 0)
                tables[i].print();
    }
    free(line);
    fclose(f);
    return 0;
}
