/* SPDX-License-Identifier: MIT */
/* A model's insides without a daemon: the command line, and the table of verbs. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/zc_file.h"
#include "common/zc_size.h"
#include "zoracd/tools/zi.h"

static const char usage[] =
    "Usage: zorac-inspect VERB [options] MODEL ...\n"
    "Looks into a model without a daemon. MODEL is a directory in Hugging Face's form.\n"
    "\n"
    "  plan MODEL               every byte that serving it would take; refuses what does not fit\n"
    "  tensors MODEL            the tensors of its files, one JSON object per line\n"
    "  tokenize DIR|FILE        {\"text\": ...} or {\"hex\": ...} per line to {\"ids\": [...]}\n"
    "  detokenize DIR|FILE      the reverse\n"
    "  render MODEL             a template's variables per line to {\"text\": ..., \"ids\": ...}\n"
    "  render --template FILE   the same with a template by itself\n"
    "  speed DIR|FILE TEXT      processor time of loading the tokenizer and of encoding that file\n"
    "  logits MODEL             {\"ids\": [...]} per line to {\"logits\": [...]} after the last\n"
    "  perplexity MODEL FILE    of a text: {\"tokens\": ..., \"nll\": ..., \"perplexity\": ...}\n"
    "  doctor [MODEL]           whether this machine, and the model, are fit to serve\n"
    "\n"
    "  --add-special            tokenize, speed: with what stands around a text (BOS)\n"
    "  --parse-special          tokenize, speed: special tokens match in the text\n"
    "  --skip-special           detokenize: leaves them out\n"
    "  --template FILE, --now YYYY-MM-DDTHH:MM:SS\n"
    "                           render: the template; the local time it is told (now)\n"
    "  --window N               perplexity: tokens of one context (the model's)\n"
    "  --json                   plan: as an object\n"
    "  --context N, --memory-limit SIZE, --max-sequences N, --kv-type f16|fp8, --lm-head 8|16,\n"
    "  --exact, --threads N, --caps LIST\n"
    "                           how the model is run, as zoracd has them\n"
    "  --help, --version        this text; the version\n"
    "\n"
    "A line that can't be answered gives {\"error\": ...} and the status 1 at the end.\n"
    "Exit status: 0 done; 1 failed; 2 wrong usage; 4 over a limit, as of memory.\n";

static const struct {
    const char *name;
    int (*run)(const struct zi_options *o);
    int min_operands, max_operands;
} verbs[] = {
    {"plan", zi_plan, 1, 1},
    {"tensors", zi_tensors, 1, 1},
    {"tokenize", zi_tokenize, 1, 1},
    {"detokenize", zi_detokenize, 1, 1},
    {"render", zi_render, 0, 1},
    {"speed", zi_speed, 2, 2},
    {"logits", zi_logits, 1, 1},
    {"perplexity", zi_perplexity, 2, 2},
    {"doctor", zi_doctor, 0, 1},
};
#define N_VERBS (sizeof verbs / sizeof *verbs)

__attribute__((format(printf, 1, 2))) _Noreturn static void wrong_usage(const char *fmt, ...)
{
    va_list ap;

    fputs("zorac-inspect: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\nTry 'zorac-inspect --help'.\n", stderr);
    exit(ZI_USAGE);
}

/* Ends the program; what was printed must have gone out for its status to be true. */
_Noreturn static void finish(int status)
{
    struct zc_diag dg;

    if (zc_file_flush_out(&dg) < 0) {
        fprintf(stderr, "zorac-inspect: %s\n", dg.text);
        status = ZI_FAILED;
    }
    exit(status);
}

static long long parse_number(const char *option, const char *text, long long max)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || errno || n < 1 || n > max)
        wrong_usage("%s takes a number from 1 to %lld, not '%s'", option, max, text);
    return n;
}

static int64_t parse_time(const char *text)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end || *end)
        wrong_usage("--now takes a time like 2026-01-15T12:34:56, not '%s'", text);
    return mktime(&tm);
}

enum {
    OPT_ADD = 256,
    OPT_PARSE,
    OPT_SKIP,
    OPT_TEMPLATE,
    OPT_NOW,
    OPT_WINDOW,
    OPT_JSON,
    OPT_CONTEXT,
    OPT_MEMORY,
    OPT_SEQS,
    OPT_KV,
    OPT_HEAD,
    OPT_EXACT,
    OPT_THREADS,
    OPT_CAPS,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"add-special", no_argument, NULL, OPT_ADD},
    {"parse-special", no_argument, NULL, OPT_PARSE},
    {"skip-special", no_argument, NULL, OPT_SKIP},
    {"template", required_argument, NULL, OPT_TEMPLATE},
    {"now", required_argument, NULL, OPT_NOW},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"json", no_argument, NULL, OPT_JSON},
    {"context", required_argument, NULL, OPT_CONTEXT},
    {"memory-limit", required_argument, NULL, OPT_MEMORY},
    {"max-sequences", required_argument, NULL, OPT_SEQS},
    {"kv-type", required_argument, NULL, OPT_KV},
    {"lm-head", required_argument, NULL, OPT_HEAD},
    {"exact", no_argument, NULL, OPT_EXACT},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"caps", required_argument, NULL, OPT_CAPS},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* Options of how the model is run. */
static void parse_engine(struct ze_opts *e, int c)
{
    struct zc_diag dg;
    uint64_t bytes;

    switch (c) {
    case OPT_CONTEXT:
        e->context = (int)parse_number("--context", optarg, 1 << 24);
        break;
    case OPT_MEMORY:
        if (zc_size_parse(optarg, &bytes) < 0 || bytes == 0)
            wrong_usage("--memory-limit is a size as 6GiB, not '%s'", optarg);
        e->memory_limit = bytes;
        break;
    case OPT_SEQS:
        e->max_seqs = (int)parse_number("--max-sequences", optarg, 4096);
        break;
    case OPT_KV:
        e->kv_f8 = strcmp(optarg, "fp8") == 0;
        if (!e->kv_f8 && strcmp(optarg, "f16") != 0)
            wrong_usage("--kv-type is f16 or fp8, not '%s'", optarg);
        break;
    case OPT_HEAD:
        e->head_bits = (int)parse_number("--lm-head", optarg, 16);
        if (e->head_bits != 8 && e->head_bits != 16)
            wrong_usage("--lm-head is 8 or 16, not '%s'", optarg);
        break;
    case OPT_EXACT:
        e->exact = true;
        break;
    case OPT_THREADS:
        e->threads = (int)parse_number("--threads", optarg, 1024);
        break;
    case OPT_CAPS:
        if (zk_caps_parse(optarg, &e->caps, &dg) < 0)
            wrong_usage("--caps: %s", dg.text);
        break;
    default: /* getopt has said what is wrong */
        fputs("Try 'zorac-inspect --help'.\n", stderr);
        exit(ZI_USAGE);
    }
}

static void parse_one(struct zi_options *o, int c)
{
    switch (c) {
    case OPT_ADD:
        o->add_special = true;
        break;
    case OPT_PARSE:
        o->parse_special = true;
        break;
    case OPT_SKIP:
        o->skip_special = true;
        break;
    case OPT_TEMPLATE:
        o->template_file = optarg;
        break;
    case OPT_NOW:
        o->now = parse_time(optarg);
        break;
    case OPT_WINDOW:
        o->window = (int)parse_number("--window", optarg, 1 << 24);
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        finish(ZI_OK);
    case OPT_VERSION:
        puts("zorac-inspect " PACKAGE_VERSION);
        finish(ZI_OK);
    default:
        parse_engine(&o->engine, c);
    }
}

/* The verb of the first operand, its number of operands checked. */
static size_t find_verb(const struct zi_options *o, int argc, char **argv)
{
    if (optind == argc)
        wrong_usage("a verb is needed");
    int n = argc - optind - 1;
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(argv[optind], verbs[i].name) != 0)
            continue;
        if (n < verbs[i].min_operands || n > verbs[i].max_operands)
            wrong_usage("%s takes %d operand%s, not %d", verbs[i].name, verbs[i].max_operands,
                        verbs[i].max_operands > 1 ? "s" : "", n);
        if (verbs[i].run == zi_render && (n == 1) == (o->template_file != NULL))
            wrong_usage("render takes a model or a --template");
        return i;
    }
    wrong_usage("there is no verb '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
    struct zi_options o = {
        .engine = {.caps = ZK_CAP_ALL, .head_bits = 8},
        .now = time(NULL),
    };
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        parse_one(&o, c);
    size_t verb = find_verb(&o, argc, argv);
    o.model = optind + 1 < argc ? argv[optind + 1] : NULL;
    o.file = optind + 2 < argc ? argv[optind + 2] : NULL;
    finish(verbs[verb].run(&o));
}
