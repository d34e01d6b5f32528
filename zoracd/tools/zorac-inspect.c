/* SPDX-License-Identifier: MIT */
/* A model's insides without a daemon: the command line, and the table of verbs. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/zc_size.h"
#include "zoracd/tools/zi.h"

const char zo_program[] = "zorac-inspect";

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
    "  --shape                  plan: MODEL is a config.json, without weights\n"
    "  -b, --backend auto|cuda|cpu, --context N, --memory-limit SIZE, --max-sequences N,\n"
    "  --kv-type f16|fp8, --lm-head 8|16, --exact, --threads N, --caps LIST\n"
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
    /* clang-format off */
    {"plan", zi_plan, 1, 1},
    {"tensors", zi_tensors, 1, 1},
    {"tokenize", zi_tokenize, 1, 1},
    {"detokenize", zi_detokenize, 1, 1},
    {"render", zi_render, 0, 1},
    {"speed", zi_speed, 2, 2},
    {"logits", zi_logits, 1, 1},
    {"perplexity", zi_perplexity, 2, 2},
    {"doctor", zi_doctor, 0, 1},
    /* clang-format on */
};
#define N_VERBS (sizeof verbs / sizeof *verbs)

static int64_t parse_time(const char *text)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end || *end)
        zo_wrong_usage("--now takes a time like 2026-01-15T12:34:56, not '%s'", text);
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
    OPT_SHAPE,
    OPT_CONTEXT,
    OPT_MEMORY,
    OPT_SEQS,
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
    {"shape", no_argument, NULL, OPT_SHAPE},
    {"backend", required_argument, NULL, 'b'},
    {"context", required_argument, NULL, OPT_CONTEXT},
    {"memory-limit", required_argument, NULL, OPT_MEMORY},
    {"max-sequences", required_argument, NULL, OPT_SEQS},
    ZO_ENGINE_OPTIONS,
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

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
        o->window = (int)zo_number("--window", optarg, 1, 1 << 24, NULL);
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_SHAPE:
        o->engine.random_weights = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        zo_finish(ZO_OK);
    case OPT_VERSION:
        puts("zorac-inspect " PACKAGE_VERSION);
        zo_finish(ZO_OK);
    case OPT_CONTEXT:
        o->engine.context = (int)zo_number("--context", optarg, 1, 1 << 24, NULL);
        break;
    case OPT_MEMORY:
        if (zc_size_parse(optarg, &o->engine.memory_limit) < 0 || o->engine.memory_limit == 0)
            zo_wrong_usage("--memory-limit is a size as 6GiB, not '%s'", optarg);
        break;
    case OPT_SEQS:
        o->engine.max_seqs = (int)zo_number("--max-sequences", optarg, 1, 4096, NULL);
        break;
    default:
        zo_engine_option(&o->engine, c);
    }
}

/* The verb of the first operand, its number of operands checked. */
static size_t find_verb(const struct zi_options *o, int argc, char **argv)
{
    if (optind == argc)
        zo_wrong_usage("a verb is needed");
    int n = argc - optind - 1;
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(argv[optind], verbs[i].name) != 0)
            continue;
        if (n < verbs[i].min_operands || n > verbs[i].max_operands)
            zo_wrong_usage("%s takes %d operand%s, not %d", verbs[i].name, verbs[i].max_operands,
                           verbs[i].max_operands > 1 ? "s" : "", n);
        if (verbs[i].run == zi_render && (n == 1) == (o->template_file != NULL))
            zo_wrong_usage("render takes a model or a --template");
        if (o->engine.random_weights && verbs[i].run != zi_plan)
            zo_wrong_usage("--shape goes with plan");
        return i;
    }
    zo_wrong_usage("there is no verb '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
    struct zi_options o = {
        .engine = {.caps = ZK_CAP_ALL, .head_bits = 8},
        .now = time(NULL),
    };
    int c;

    while ((c = getopt_long(argc, argv, "b:", long_options, NULL)) != -1)
        parse_one(&o, c);
    zo_engine_options_end(&o.engine);
    size_t verb = find_verb(&o, argc, argv);
    o.model = optind + 1 < argc ? argv[optind + 1] : NULL;
    o.file = optind + 2 < argc ? argv[optind + 2] : NULL;
    zo_finish(verbs[verb].run(&o));
}
