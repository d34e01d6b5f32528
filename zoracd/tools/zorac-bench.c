/* SPDX-License-Identifier: MIT */
/* Tokens per second of a model, or of a shape with made-up weights, each figure beside what the
 * machine could do at most: its own read bandwidth and multiply-add rate, measured in the same run.
 * One program, one thread beside the kernels' pool.
 *
 * Where the memory bus is shared with others, what it gives changes from one millisecond to the
 * next. So decoding and reading take turns: after each step some memory is read, and the bound of
 * the line is the rate of all those readings together. Nothing comes between the steps of a
 * prefill, which is one: its bound is measured before and after, the higher counting. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/tools/zb_profile.h"

#define MAX_LIST    32
#define MAX_RESULTS (2 * MAX_LIST * MAX_LIST)
#define PROBE_MIB   512           /* of memory for readings: many times what caches hold */
#define SLICE_MIN   (32ull << 20) /* of one reading between two steps */

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
    bool json, profile;
    const char *kv_type;
};

struct probe {
    double bytes_per_s, flops_per_s;
};

/* Memory that is read, a slice at a time, round and round. */
struct reader {
    struct zk_dev *dev;
    uint8_t *p;
    size_t size, at;
    double bytes, seconds; /* of the readings since reader_start */
};

struct result {
    bool is_prefill;
    int batch, depth, tokens;
    double tokens_per_s;
    struct ze_cost cost; /* of one step; of the whole prompt */
    struct probe probe;  /* while it ran, or just before and after it */
    double best;         /* bytes per second, the best reading of them */
    double joules;       /* per token; 0: the device does not say */
};

static struct zc_diag dg;

/* ---- options ------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) _Noreturn static void wrong_usage(const char *fmt, ...)
{
    va_list ap;

    fputs("zorac-bench: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\nTry 'zorac-bench --help'.\n", stderr);
    exit(2);
}

/* Ends the program; what was printed must have gone out for status 0 to be true. */
_Noreturn static void finish(void)
{
    if (zc_file_flush_out(&dg) == ZC_OK)
        exit(0);
    fprintf(stderr, "zorac-bench: %s\n", dg.text);
    exit(1);
}

static int parse_int(const char *option, const char *text, char **end, int min, int max)
{
    errno = 0;
    long n = strtol(text, end, 10);
    if (*end == text || errno || n < min || n > max)
        wrong_usage("%s takes numbers from %d to %d, not '%s'", option, min, max, text);
    return (int)n;
}

static int parse_number(const char *option, const char *text, int min, int max)
{
    char *end;
    int n = parse_int(option, text, &end, min, max);
    if (*end)
        wrong_usage("%s takes a number, not '%s'", option, text);
    return n;
}

static void parse_list(const char *option, const char *text, int min, int max, struct list *ret)
{
    char *at = (char *)(uintptr_t)text;

    for (ret->n = 0;; at++) {
        if (ret->n == MAX_LIST)
            wrong_usage("%s takes at most %d numbers", option, MAX_LIST);
        ret->v[ret->n++] = parse_int(option, at, &at, min, max);
        if (!*at)
            return;
        if (*at != ',')
            wrong_usage("%s takes numbers with commas, not '%s'", option, text);
    }
}

enum {
    OPT_SHAPE = 256,
    OPT_PREFILL,
    OPT_DECODE,
    OPT_BATCH,
    OPT_DEPTH,
    OPT_KV,
    OPT_HEAD,
    OPT_EXACT,
    OPT_THREADS,
    OPT_CAPS,
    OPT_PROBE,
    OPT_PROFILE,
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
    {"kv-type", required_argument, NULL, OPT_KV},
    {"lm-head", required_argument, NULL, OPT_HEAD},
    {"exact", no_argument, NULL, OPT_EXACT},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"caps", required_argument, NULL, OPT_CAPS},
    {"probe", required_argument, NULL, OPT_PROBE},
    {"profile", no_argument, NULL, OPT_PROFILE},
    {"json", no_argument, NULL, OPT_JSON},
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
            wrong_usage("one -m or one --shape");
        e->dir = optarg;
        e->random_weights = c == OPT_SHAPE;
        break;
    case 'b':
        e->backend = optarg;
        break;
    case OPT_PREFILL:
        parse_list("--prefill", optarg, 0, 1 << 20, &o->prefill);
        break;
    case OPT_DECODE:
        o->decode = parse_number("--decode", optarg, 0, 1 << 16);
        break;
    case OPT_BATCH:
        parse_list("--batch", optarg, 1, 1024, &o->batch);
        break;
    case OPT_DEPTH:
        parse_list("--depth", optarg, 0, 1 << 20, &o->depth);
        break;
    case OPT_KV:
        if (strcmp(optarg, "f16") != 0 && strcmp(optarg, "fp8") != 0)
            wrong_usage("--kv-type is f16 or fp8, not '%s'", optarg);
        o->kv_type = optarg;
        e->kv_f8 = strcmp(optarg, "fp8") == 0;
        break;
    case OPT_HEAD:
        e->head_bits = parse_number("--lm-head", optarg, 8, 16);
        if (e->head_bits != 8 && e->head_bits != 16)
            wrong_usage("--lm-head is 8 or 16, not '%s'", optarg);
        break;
    case OPT_EXACT:
        e->exact = true;
        break;
    case OPT_THREADS:
        e->threads = parse_number("--threads", optarg, 1, 1024);
        break;
    case OPT_CAPS:
        if (zk_caps_parse(optarg, &e->caps, &dg) < 0)
            wrong_usage("--caps: %s", dg.text);
        break;
    case OPT_PROBE:
        o->probe_mib = parse_number("--probe", optarg, 1, 65536);
        break;
    case OPT_PROFILE:
        o->profile = true;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        finish();
    case OPT_VERSION:
        puts("zorac-bench " PACKAGE_VERSION);
        finish();
    default: /* getopt has said what is wrong */
        fputs("Try 'zorac-bench --help'.\n", stderr);
        exit(2);
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
        wrong_usage("what is '%s'?", argv[optind]);
    if (o->kv_type && o->engine.exact)
        wrong_usage("--exact keeps keys and values in fp32, which contradicts --kv-type %s",
                    o->kv_type);
    if (!o->engine.dir)
        wrong_usage("a model (-m) or a shape (--shape) is needed");

    int decode = o->decode > 0 ? max_of(&o->depth) + o->decode + 3 : 0;
    int prefill = max_of(&o->prefill) + 1;
    o->engine.context = decode > prefill ? decode : prefill;
    o->engine.max_seqs = max_of(&o->batch);
}

/* ---- measuring ----------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

_Noreturn static void fail(int r, const char *what)
{
    fprintf(stderr, "zorac-bench: %s: %s\n", what, dg.text[0] ? dg.text : zc_err_name(r));
    exit(r == ZC_ELIMIT ? 4 : 1);
}

static void reader_init(struct reader *r, struct ze_engine *e, int mib)
{
    void *p;

    *r = (struct reader){.dev = ze_engine_zk_dev(e), .size = (size_t)mib << 20};
    int status = r->dev->ops->alloc(r->dev, &p, r->size, &dg);
    if (status == ZC_OK)
        status = r->dev->ops->fill(r->dev, p, 0x11, r->size);
    if (status < 0)
        fail(status, "no memory to measure the bandwidth with");
    r->p = p;
}

static void reader_release(struct reader *r)
{
    r->dev->ops->free(r->dev, r->p, r->size);
}

static void reader_start(struct reader *r)
{
    r->bytes = r->seconds = 0;
}

/* Reads so many bytes; returns its rate. */
static double reader_turn(struct reader *r, size_t bytes)
{
    if (r->at + bytes > r->size)
        r->at = 0;
    double rate = r->dev->ops->probe_read(r->dev, r->p + r->at, bytes);
    r->at += bytes;
    if (rate > 0) {
        r->bytes += (double)bytes;
        r->seconds += (double)bytes / rate;
    }
    return rate;
}

static double reader_rate(const struct reader *r)
{
    return r->seconds > 0 ? r->bytes / r->seconds : 0;
}

static void measure_probe(struct reader *reader, struct probe *ret)
{
    struct zk_dev *dev = reader->dev;
    /* 16-bit types are equally fast where they are multiplied as such */
    const struct zk_mat_desc weights = {
        .form = ZK_W4A, .n = 64, .k = 128, .group = 128, .type = ZK_BF16};

    ret->bytes_per_s = 0;
    for (int i = 0; i < 5; i++) {
        double rate = reader_turn(reader, reader->size);
        ret->bytes_per_s = rate > ret->bytes_per_s ? rate : ret->bytes_per_s;
    }
    ret->flops_per_s = 2 * dev->ops->probe_peak(dev, dev->ops->act_kind(dev, &weights), 200);
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

/* Each has a root of its own, so that nothing is found in the cache. */
static struct ze_seq *new_sequence(struct ze_engine *e, int n, int reserve)
{
    static uint32_t root;
    const int V = ze_engine_config(e)->V;
    int32_t *ids = zc_xcalloc((size_t)n, sizeof *ids);
    struct ze_seq *s;

    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(((uint32_t)i * 2654435761u + root * 40503u) % (uint32_t)V);
    int r = ze_seq_new(&s, e, root++, ids, (size_t)n, (size_t)reserve, &dg);
    zc_free(ids);
    if (r < 0)
        fail(r, "no room for that many sequences of that depth");
    return s;
}

static void step(struct ze_engine *e, struct ze_work *works, int n)
{
    int r = ze_step(e, works, n, &dg);
    if (r < 0)
        fail(r, "a step failed");
}

/* The best of two: the first also touches memory for the first time. */
static void measure_prefill(struct ze_engine *e, int tokens, struct result *res)
{
    double best = 1e30;

    for (int run = 0; run < 2; run++) {
        struct ze_seq *s = new_sequence(e, tokens, 0);
        struct ze_work w = {.seq = s, .n_rows = tokens, .want_logits = true};
        double t = now();
        step(e, &w, 1);
        t = now() - t;
        best = t < best ? t : best;
        ze_seq_free(s);
    }
    *res = (struct result){
        .is_prefill = true,
        .batch = 1,
        .tokens = tokens,
        .tokens_per_s = tokens / best,
        .cost = ze_engine_cost(e, 1, tokens, 0),
    };
}

/* Sequences of one row each, with so many tokens behind them. */
static struct ze_work *new_batch(struct ze_engine *e, int batch, int depth, int reserve)
{
    struct ze_work *works = zc_xcalloc((size_t)batch, sizeof *works);

    for (int i = 0; i < batch; i++) {
        struct ze_seq *s = new_sequence(e, depth + 1, reserve);
        if (depth > 0 && ze_seq_pretend(s, (size_t)depth) < 0)
            fail(ZC_EINTERNAL, "pages could not be filled");
        works[i] = (struct ze_work){.seq = s, .n_rows = 1, .want_logits = true};
    }
    return works;
}

static void free_batch(struct ze_work *works, int batch)
{
    for (int i = 0; i < batch; i++)
        ze_seq_free(works[i].seq);
    zc_free(works);
}

/* Half of what a step reads: a third of a line's time goes to readings, so that what disturbs the
 * machine for a moment falls on both. */
static size_t slice_of(const struct reader *r, const struct ze_cost *cost)
{
    double bytes = cost->bytes / 2;
    bytes = bytes < (double)SLICE_MIN ? (double)SLICE_MIN : bytes;
    return bytes > (double)r->size ? r->size : (size_t)bytes / 4096 * 4096;
}

static void measure_decode(struct ze_engine *e, int batch, int depth, int tokens,
                           struct reader *reader, struct result *res)
{
    const int warm = 2, V = ze_engine_config(e)->V;
    struct ze_work *works = new_batch(e, batch, depth, warm + tokens);
    double seconds = 0;

    *res = (struct result){
        .batch = batch,
        .depth = depth,
        .tokens = tokens,
        .cost = ze_engine_cost(e, batch, 1, depth + warm + tokens / 2),
    };
    reader_start(reader);
    for (int t = 0; t < warm + tokens; t++) {
        double begin = now();
        step(e, works, batch);
        for (int i = 0; i < batch; i++)
            ze_seq_append(works[i].seq, (t * 7 + i) % V);
        if (t < warm)
            continue;
        seconds += now() - begin;
        double rate = reader_turn(reader, slice_of(reader, &res->cost));
        res->best = rate > res->best ? rate : res->best;
    }
    free_batch(works, batch);
    res->tokens_per_s = (double)batch * tokens / seconds;
    res->probe.bytes_per_s = reader_rate(reader);
}

static bool counts_joules(struct ze_engine *e)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    return dev->ops->joules && dev->ops->joules(dev) >= 0;
}

/* Joules of a token in steps without readings between them, over a second or more, since the device
 * counts them a few times a second. 0: it does not say. */
static double measure_joules(struct ze_engine *e, int batch, int depth, int tokens)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    double seconds = 0, joules = 0;
    long steps = 0;

    if (!counts_joules(e))
        return 0;
    while (seconds < 1) {
        struct ze_work *works = new_batch(e, batch, depth, tokens);
        double begin = now(), before = dev->ops->joules(dev);
        for (int t = 0; t < tokens; t++, steps++) {
            step(e, works, batch);
            for (int i = 0; i < batch; i++)
                ze_seq_append(works[i].seq, t % ze_engine_config(e)->V);
        }
        joules += dev->ops->joules(dev) - before;
        seconds += now() - begin;
        free_batch(works, batch);
    }
    return joules / ((double)steps * batch);
}

/* The steps of a profile: a whole prefill, or some of decode. */
static void profile_steps(struct ze_engine *e, const struct result *r)
{
    const int n = r->is_prefill ? 1 : r->tokens < 5 ? r->tokens : 5;
    const int V = ze_engine_config(e)->V, rest = r->is_prefill ? r->tokens - 1 : 0;
    struct ze_work *works = new_batch(e, r->batch, r->depth, rest + n - 1);

    for (int i = 0; i < rest; i++)
        ze_seq_append(works[0].seq, i * 31 % V);
    works[0].n_rows += rest;
    for (int t = 0; t < n; t++) {
        double begin = now();
        step(e, works, r->batch);
        zb_profile_step(ze_engine_zk_dev(e), now() - begin);
        for (int i = 0; i < r->batch; i++)
            ze_seq_append(works[i].seq, (t * 7 + i) % V);
    }
    free_batch(works, r->batch);
}

/* Once for nothing, since the first time also makes what the device marks with. */
static void profile(struct ze_engine *e, const struct result *r, bool json)
{
    struct zk_dev *dev = ze_engine_zk_dev(e);
    const struct zb_rates rates = {r->probe.bytes_per_s, r->probe.flops_per_s};
    char what[80];

    snprintf(what, sizeof what, "%s batch %d depth %d tokens %d",
             r->is_prefill ? "prefill" : "decode", r->batch, r->depth, r->tokens);
    for (int warm = 1; warm >= 0; warm--) {
        zb_profile_start(dev);
        profile_steps(e, r);
        zb_profile_stop(dev, warm ? NULL : what, &rates, json);
    }
}

/* ---- printing ------------------------------------------------------------------------------ */

static double bound(const struct result *r)
{
    const struct probe *p = &r->probe;
    double read = r->cost.bytes / p->bytes_per_s, compute = r->cost.flops / p->flops_per_s;
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

static void print_result_json(const struct result *r, const struct options *o, const char *device)
{
    double b = bound(r);

    print_json(json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:i, s:o}", "kind",
        r->is_prefill ? "prefill" : "decode", "backend", backend_of(device), "shape", o->engine.dir,
        "batch", r->batch, "depth", r->depth, "tokens", r->tokens, "tokens_per_s", r->tokens_per_s,
        "bytes_per_step", r->cost.bytes, "flops_per_step", r->cost.flops, "bound_tokens_per_s", b,
        "fraction", r->tokens_per_s / b, "device", device, "threads", threads_of(device),
        "joules_per_token", r->joules > 0 ? json_real(r->joules) : json_null()));
}

static void print_probe_json(const struct probe *p, const struct options *o, const char *device)
{
    print_json(json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:n, s:f, s:f, s:n, s:n, s:s, s:i}",
                         "kind", "probe", "backend", backend_of(device), "shape", o->engine.dir,
                         "batch", 0, "depth", 0, "tokens", 0, "tokens_per_s", "bytes_per_step",
                         p->bytes_per_s, "flops_per_step", p->flops_per_s, "bound_tokens_per_s",
                         "fraction", "device", device, "threads", threads_of(device)));
}

static void print_result(const struct result *r)
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
        r->probe.bytes_per_s / 1e9, r->best / 1e9, r->probe.flops_per_s / 1e9);
}

/* One line, with a bound of its own. */
static void report(struct reader *reader, const struct options *o, const char *device,
                   struct result *r, struct probe *last)
{
    struct probe before = *last;

    measure_probe(reader, last);
    r->probe.flops_per_s = higher(before.flops_per_s, last->flops_per_s);
    if (r->is_prefill)
        r->best = r->probe.bytes_per_s = higher(before.bytes_per_s, last->bytes_per_s);
    if (o->json)
        print_result_json(r, o, device);
    else
        print_result(r);
    fflush(stdout);
}

static void measure(struct ze_engine *e, const struct options *o, struct reader *reader,
                    struct probe *probe)
{
    const char *device = ze_engine_device(e);
    struct result r;

    for (int i = 0; i < o->prefill.n; i++)
        if (o->prefill.v[i] > 0) {
            measure_prefill(e, o->prefill.v[i], &r);
            report(reader, o, device, &r, probe);
            if (o->profile)
                profile(e, &r, o->json);
        }
    for (int d = 0; d < o->depth.n && o->decode > 0; d++)
        for (int b = 0; b < o->batch.n; b++) {
            measure_decode(e, o->batch.v[b], o->depth.v[d], o->decode, reader, &r);
            r.joules = measure_joules(e, r.batch, r.depth, r.tokens);
            report(reader, o, device, &r, probe);
            if (o->profile)
                profile(e, &r, o->json);
        }
}

int main(int argc, char **argv)
{
    struct options o;
    struct ze_engine *e;
    struct reader reader;
    struct probe probe;

    parse_options(&o, argc, argv);
    int r = ze_engine_open(&e, &o.engine, NULL, NULL, NULL, &dg);
    if (r < 0)
        fail(r, o.engine.dir);
    reader_init(&reader, e, o.probe_mib);
    measure_probe(&reader, &probe);
    const char *device = ze_engine_device(e);
    if (o.json)
        print_probe_json(&probe, &o, device);
    else
        printf("%s, %s\nprobe    %.2f GB/s read, %.1f Gop/s\n", o.engine.dir, device,
               probe.bytes_per_s / 1e9, probe.flops_per_s / 1e9);
    if (!o.json && !counts_joules(e))
        puts("energy   the device does not say");
    measure(e, &o, &reader, &probe);
    reader_release(&reader);
    ze_engine_free(e);
    finish();
}
