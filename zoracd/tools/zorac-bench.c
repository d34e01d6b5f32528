/* SPDX-License-Identifier: MIT */
/* Tokens per second of a model, or of a shape with made-up weights, each figure beside what the
 * machine could do at most: its own read bandwidth and multiply-add rate, measured in the same run.
 * This file: the command line, and the order of the figures. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "kernels/zk.h"
#include "zoracd/tools/zb.h"
#include "zoracd/tools/zo.h"

#define MAX_LIST  32
#define PROBE_MIB 512 /* of memory for readings: many times what caches hold */

const char zo_program[] = "zorac-bench";

static const char usage[] =
    "Usage: zorac-bench (-m MODEL | --shape CONFIG.JSON) [options]\n"
    "Measures tokens per second, and how near they come to what the machine allows.\n"
    "\n"
    "  -m MODEL               a model's directory\n"
    "  --shape CONFIG.JSON    that shape, with weights made up in place: no download\n"
    "  -b auto|cpu|cuda       back-end (auto)\n"
    "  --prefill LIST         prompts of so many tokens (512)\n"
    "  --decode N             tokens per sequence that a decode figure is taken over (32)\n"
    "  --batch LIST           sequences that decode at once (1)\n"
    "  --depth LIST           tokens that each has behind it (0)\n"
    "  --kv-type f16|fp8      keys and values (f16)\n"
    "  --lm-head 8|16         bits of an unquantized head (8)\n"
    "  --exact                float activations, fp32 keys and values\n"
    "  --threads N            default: the cores this process may use\n"
    "  --caps LIST            none, portable, avx2, avx512\n"
    "  --probe MIB            memory that the bandwidth is measured with (512)\n"
    "  --profile              after each figure, the time of each operation\n"
    "  --check                a batch's logits, bit by bit, against those of each alone\n"
    "  --json                 one object per line\n"
    "  --help, --version      this text; the version\n"
    "\n"
    "LIST: numbers with commas; 0 as a prefill or decode length leaves that part out.\n"
    "bound: for a decode step, its bytes at the read bandwidth; for prefill, its operations at "
    "the\n"
    "multiply-add rate; whichever takes longer. Bytes are the least that any program must read:\n"
    "weights at their format's own bits, keys and values as typed. In --json a line of kind "
    "\"probe\"\n"
    "says what the machine does in one second: bytes_per_step, flops_per_step.\n"
    "Exit status: 0 measured; 1 failed; 2 wrong usage; 4 does not fit into memory.\n";

struct list {
    int v[MAX_LIST];
    int n;
};

struct options {
    struct ze_opts engine;
    struct list prefill, batch, depth;
    int decode;
    int probe_mib;
    bool json, profile, check;
};

static void parse_list(const char *option, const char *text, int min, int max, struct list *ret)
{
    const char *at = text;

    for (ret->n = 0;; at++) {
        if (ret->n == MAX_LIST)
            zo_wrong_usage("%s takes at most %d numbers", option, MAX_LIST);
        ret->v[ret->n++] = (int)zo_number(option, at, min, max, &at);
        if (!*at)
            return;
        if (*at != ',')
            zo_wrong_usage("%s takes numbers with commas, not '%s'", option, text);
    }
}

enum {
    OPT_SHAPE = 256,
    OPT_PREFILL,
    OPT_DECODE,
    OPT_BATCH,
    OPT_DEPTH,
    OPT_PROBE,
    OPT_PROFILE,
    OPT_CHECK,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"shape", required_argument, NULL, OPT_SHAPE},
    {"prefill", required_argument, NULL, OPT_PREFILL},
    {"decode", required_argument, NULL, OPT_DECODE},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"depth", required_argument, NULL, OPT_DEPTH},
    {"probe", required_argument, NULL, OPT_PROBE},
    {"profile", no_argument, NULL, OPT_PROFILE},
    {"check", no_argument, NULL, OPT_CHECK},
    {"json", no_argument, NULL, OPT_JSON},
    ZO_ENGINE_OPTIONS,
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static void parse_one(struct options *o, int c)
{
    struct ze_opts *e = &o->engine;

    switch (c) {
    case 'm':
    case OPT_SHAPE:
        if (e->dir)
            zo_wrong_usage("one -m or one --shape");
        e->dir = optarg;
        e->random_weights = c == OPT_SHAPE;
        break;
    case OPT_PREFILL:
        parse_list("--prefill", optarg, 0, 1 << 20, &o->prefill);
        break;
    case OPT_DECODE:
        o->decode = (int)zo_number("--decode", optarg, 0, 1 << 16, NULL);
        break;
    case OPT_BATCH:
        parse_list("--batch", optarg, 1, 1024, &o->batch);
        break;
    case OPT_DEPTH:
        parse_list("--depth", optarg, 0, 1 << 20, &o->depth);
        break;
    case OPT_PROBE:
        o->probe_mib = (int)zo_number("--probe", optarg, 1, 65536, NULL);
        break;
    case OPT_PROFILE:
        o->profile = true;
        break;
    case OPT_CHECK:
        o->check = true;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        zo_finish(ZO_OK);
    case OPT_VERSION:
        puts("zorac-bench " PACKAGE_VERSION);
        zo_finish(ZO_OK);
    default:
        zo_engine_option(e, c);
    }
}

static int max_of(const struct list *l)
{
    int max = 0;
    for (int i = 0; i < l->n; i++)
        max = l->v[i] > max ? l->v[i] : max;
    return max;
}

static void parse_options(struct options *o, int argc, char **argv)
{
    int c;

    *o = (struct options){
        .engine = {.caps = ZK_CAP_ALL, .head_bits = 8},
        .prefill = {{512}, 1},
        .batch = {{1}, 1},
        .depth = {{0}, 1},
        .decode = 32,
        .probe_mib = PROBE_MIB,
    };
    while ((c = getopt_long(argc, argv, "m:b:", long_options, NULL)) != -1)
        parse_one(o, c);
    if (optind < argc)
        zo_wrong_usage("what is '%s'?", argv[optind]);
    zo_engine_options_end(&o->engine);
    if (!o->engine.dir)
        zo_wrong_usage("a model (-m) or a shape (--shape) is needed");

    int decode = o->decode > 0 ? max_of(&o->depth) + o->decode + 3 : 0;
    int prefill = max_of(&o->prefill) + 1;
    o->engine.context = decode > prefill ? decode : prefill;
    if (o->check && o->engine.context < ZB_CHECK_CONTEXT)
        o->engine.context = ZB_CHECK_CONTEXT;
    o->engine.max_seqs = max_of(&o->batch);
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

/* What a figure is measured with. */
struct bench {
    const struct options *o;
    struct ze_engine *e;
    struct zb_reader reader;
    struct zb_rates now; /* at the last measurement of them */
};

/* One line, with a bound of its own. */
static void report(struct bench *b, struct zb_result *r)
{
    const struct zb_rates before = b->now;

    zb_measure_rates(&b->reader, &b->now);
    r->rates.flops = higher(before.flops, b->now.flops);
    if (r->is_prefill)
        r->best = r->rates.bytes = higher(before.bytes, b->now.bytes);
    zb_print_result(r, b->o->engine.dir, ze_engine_device(b->e), b->o->json);
    if (b->o->profile)
        zb_measure_profile(b->e, r, b->o->json);
}

static void measure_prefills(struct bench *b)
{
    struct zb_result r;

    for (int i = 0; i < b->o->prefill.n; i++)
        if (b->o->prefill.v[i] > 0) {
            zb_measure_prefill(b->e, b->o->prefill.v[i], &r);
            report(b, &r);
        }
}

static void measure_decodes(struct bench *b)
{
    const struct options *o = b->o;
    struct zb_result r;

    for (int d = 0; d < o->depth.n && o->decode > 0; d++)
        for (int i = 0; i < o->batch.n; i++) {
            zb_measure_decode(b->e, o->batch.v[i], o->depth.v[d], o->decode, &b->reader, &r);
            r.joules = zb_measure_joules(b->e, r.batch, r.depth, r.tokens);
            report(b, &r);
        }
}

int main(int argc, char **argv)
{
    struct zc_diag dg = {0};
    struct options o;
    struct bench b = {.o = &o};

    parse_options(&o, argc, argv);
    int r = ze_engine_open(&b.e, &o.engine, NULL, NULL, NULL, &dg);
    if (r < 0)
        zo_finish(zo_fail(r, o.engine.dir, &dg));
    zb_reader_init(&b.reader, b.e, o.probe_mib);
    zb_measure_rates(&b.reader, &b.now);
    zb_print_rates(&b.now, o.engine.dir, ze_engine_device(b.e), o.json);
    if (!o.json && !zb_has_joules(b.e))
        puts("energy   the device does not say");
    measure_prefills(&b);
    measure_decodes(&b);
    for (int i = 0; i < o.batch.n && o.check; i++)
        zb_print_bits(o.batch.v[i], zb_check_bits(b.e, o.batch.v[i]), o.engine.dir,
                      ze_engine_device(b.e), o.json);
    zb_reader_release(&b.reader);
    ze_engine_free(b.e);
    zo_finish(ZO_OK);
}
