/* SPDX-License-Identifier: MIT */
/* Prints docs/protocol.md with its tables made anew from common/zc_wire.def and zs_limits.h: what
 * stands between <!-- begin NAME --> and <!-- end NAME --> is replaced, the rest is kept. `make
 * protocol` writes the file, a test compares it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_wire.h"
#include "zoracd/serve/zs_limits.h"

static void print_range(const struct zc_wire_param *p)
{
    if (p->type == ZC_T_NUM)
        printf("%g to %g", p->lo, p->hi);
    else if (p->type == ZC_T_INT)
        printf("%" PRId64 " to %" PRId64, p->ilo, p->ihi);
    else if (p->ihi && p->type == ZC_T_STR)
        printf("%" PRId64 " to %" PRId64 " bytes", p->ilo, p->ihi);
    else if (p->ihi)
        printf("up to %" PRId64, p->ihi);
}

static void print_params(enum zc_method m)
{
    int n = 0;

    for (int i = 0; i < ZC_N_PARAMS; i++) {
        const struct zc_wire_param *p = &zc_wire_params[i];
        if (p->method != m)
            continue;
        if (n++ == 0)
            printf("\n| parameter | type | range | |\n|---|---|---|---|\n");
        printf("| `%s`%s | %s | ", p->key, p->required ? " (required)" : "",
               zc_wire_type_name(p->type));
        print_range(p);
        printf(" | %s |\n", p->text);
    }
    if (n == 0)
        printf("\nNo parameters.\n");
}

/* What the daemon sends is always the array. */
static const char *sent_type(enum zc_wire_type type)
{
    return type == ZC_T_STRS ? "array of strings" : zc_wire_type_name(type);
}

static void print_results(enum zc_method m)
{
    printf("\n| result | type | |\n|---|---|---|\n");
    for (size_t i = 0; i < zc_wire_n_results; i++)
        if (zc_wire_results[i].method == m)
            printf("| `%s` | %s | %s |\n", zc_wire_results[i].key,
                   sent_type(zc_wire_results[i].type), zc_wire_results[i].text);
}

static void print_methods(void)
{
    for (int m = 0; m < ZC_N_METHODS; m++) {
        const struct zc_wire_method *w = &zc_wire_methods[m];
        printf("\n### %s\n\n%s", w->name, w->text);
        if (w->when == ZC_WHEN_READY)
            printf(" Waits for the model while it loads.");
        if (w->who == ZC_WHO_OWNER)
            printf(" For root and the daemon's own user.");
        putchar('\n');
        print_params((enum zc_method)m);
        print_results((enum zc_method)m);
    }
    putchar('\n');
}

static void print_events(void)
{
    for (size_t i = 0; i < zc_wire_n_fields; i++) {
        const struct zc_wire_field *f = &zc_wire_fields[i];
        if (!f->key)
            printf("\n### %s\n\n%s\n\n| key | type | |\n|---|---|---|\n"
                   "| `id` | integer | the request |\n",
                   f->event, f->text);
        else
            printf("| `%s` | %s | %s |\n", f->key, sent_type(f->type), f->text);
    }
    putchar('\n');
}

static void print_limits(void)
{
    printf("\n| limit | default | |\n|---|---|---|\n");
#define ZS_LIMIT(field, dflt, lo, hi, text) \
    printf("| `%s` | %llu | %s |\n", #field, (unsigned long long)(dflt), text);
    ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
    printf("| `message_depth` | 32 | arrays and maps inside each other |\n"
           "| `requests` | %d | requests at once of all users |\n\n",
           ZS_MAX_JOBS);
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
        fprintf(stderr, "usage: mkprotocol docs/protocol.md\n");
        return 2;
    }
    while (getline(&line, &cap, f) > 0) {
        if (sscanf(line, "<!-- end %31s -->", name) == 1)
            skipping = 0;
        if (!skipping)
            fputs(line, stdout);
        if (sscanf(line, "<!-- begin %31s -->", name) != 1)
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
