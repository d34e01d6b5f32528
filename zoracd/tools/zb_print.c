/* SPDX-License-Identifier: MIT */
/* The lines of zorac-bench, as text and as JSON, each with the bound beside the figure. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "zoracd/tools/zb.h"

static double bound(const struct zb_result *r)
{
    const struct zb_rates *p = &r->rates;
    double read = r->cost.bytes / p->bytes, compute = r->cost.flops / p->flops;
    double tokens = r->is_prefill ? r->tokens : r->batch;
    return tokens / (read > compute ? read : compute);
}

/* Of a label like "cpu avx2, 2 threads". */
static int threads_of(const char *device)
{
    const char *comma = strrchr(device, ',');
    int n = 1;
    return comma && sscanf(comma, ", %d", &n) == 1 ? n : 1;
}

static const char *backend_of(const char *device)
{
    return strncmp(device, "cuda", 4) == 0 ? "cuda" : "cpu";
}

static void print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
}

static void print_result_json(const struct zb_result *r, const char *shape, const char *device)
{
    double b = bound(r);

    print_json(json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:i, s:o}", "kind",
        r->is_prefill ? "prefill" : "decode", "backend", backend_of(device), "shape", shape,
        "batch", r->batch, "depth", r->depth, "tokens", r->tokens, "tokens_per_s", r->tokens_per_s,
        "bytes_per_step", r->cost.bytes, "flops_per_step", r->cost.flops, "bound_tokens_per_s", b,
        "fraction", r->tokens_per_s / b, "device", device, "threads", threads_of(device),
        "joules_per_token", r->joules > 0 ? json_real(r->joules) : json_null()));
}

static void print_rates_json(const struct zb_rates *p, const char *shape, const char *device)
{
    print_json(json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:n, s:f, s:f, s:n, s:n, s:s, s:i}",
                         "kind", "probe", "backend", backend_of(device), "shape", shape, "batch", 0,
                         "depth", 0, "tokens", 0, "tokens_per_s", "bytes_per_step", p->bytes,
                         "flops_per_step", p->flops, "bound_tokens_per_s", "fraction", "device",
                         device, "threads", threads_of(device)));
}

static void print_result_text(const struct zb_result *r)
{
    double b = bound(r);

    if (r->is_prefill)
        printf("prefill  %6d tokens                %10.2f tokens/s", r->tokens, r->tokens_per_s);
    else
        printf("decode   batch %4d  depth %6d     %10.2f tokens/s", r->batch, r->depth,
               r->tokens_per_s);
    if (r->joules > 0)
        printf("   %.2f J", r->joules);
    printf(
        "   %5.1f %% of %.2f   (%.1f MB, %.2f Gop a step; %.1f GB/s, at best %.1f, %.0f Gop/s)\n",
        100 * r->tokens_per_s / b, b, r->cost.bytes / 1e6, r->cost.flops / 1e9,
        r->rates.bytes / 1e9, r->best / 1e9, r->rates.flops / 1e9);
}

void zb_print_rates(const struct zb_rates *r, const char *shape, const char *device, bool json)
{
    if (json)
        print_rates_json(r, shape, device);
    else
        printf("%s, %s\nprobe    %.2f GB/s read, %.1f Gop/s\n", shape, device, r->bytes / 1e9,
               r->flops / 1e9);
}

void zb_print_bits(int batch, uint64_t hash, const char *shape, const char *device, bool json)
{
    char text[20];

    snprintf(text, sizeof text, "%016" PRIx64, hash);
    if (json)
        print_json(json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "kind", "check", "backend",
                             backend_of(device), "shape", shape, "batch", batch, "device", device,
                             "logits_hash", text));
    else
        printf("check    batch %4d  logits are those of each alone, hash %s\n", batch, text);
    fflush(stdout);
}

void zb_print_result(const struct zb_result *r, const char *shape, const char *device, bool json)
{
    if (json)
        print_result_json(r, shape, device);
    else
        print_result_text(r);
    fflush(stdout);
}
