/* SPDX-License-Identifier: MIT */
/* zorac, the thin client: options, and which command runs. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_core.h"
#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"
#include "zorac-cli/zcli_cmd.h"
#include "zorac-cli/zcli_input.h"
#include "zorac-cli/zcli_reply.h"
#include "zorac-cli/zcli_term.h"

/* As the daemon has it: a mistake that it would find is wrong usage, and is told as such. */
#define MAX_TOKENS 16777216

static void print_help(void)
{
    puts("Usage: zorac [OPTIONS] [PROMPT...]\n"
         "       zorac [OPTIONS] COMMAND\n"
         "A prompt, or piped standard input, or both: one answer, then exit. Neither: chat.\n"
         "Standard input that is a pipe or a file is read to its end before anything is asked.\n"
         "\n"
         "  -S SOCKET        the daemon's socket (default: $ZORAC_SOCKET, the user's, the "
         "system's)\n"
         "  -s NAME          in the stored conversation NAME, made if there is none\n"
         "  --system TEXT    the system message of a new conversation or a single prompt\n"
         "  -t TEMPERATURE   0 always takes the likeliest token\n"
         "  -n MAX_TOKENS    the reply's longest length\n"
         "  --seed N         the same seed gives the same reply\n"
         "  --json           one JSON object per line: every event, then the result\n"
         "  --no-stream      print the reply when it is whole\n"
         "  --plain          no colours\n"
         "  --help, --version\n"
         "  --               what follows is a prompt, whatever it looks like\n"
         "\n"
         "Commands (a first word that is one of these):");
    for (const struct zcli_cmd *c = zcli_cmds; c->name; c++)
        printf("  %s%s%s\n      %s\n", c->name, *c->args ? " " : "", c->args, c->text);
    puts("\n"
         "Exit status: 0 done; 1 failed; 2 wrong usage; 3 no daemon; 4 refused (limit, busy,\n"
         "permission); 130 interrupted. Conversations: $XDG_DATA_HOME/zorac/conversations.db.");
}

enum { OPT_SYSTEM = 256, OPT_SEED, OPT_JSON, OPT_NO_STREAM, OPT_PLAIN, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
    {"system", required_argument, NULL, OPT_SYSTEM},
    {"seed", required_argument, NULL, OPT_SEED},
    {"json", no_argument, NULL, OPT_JSON},
    {"no-stream", no_argument, NULL, OPT_NO_STREAM},
    {"plain", no_argument, NULL, OPT_PLAIN},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int set_int(struct zcli_opts *o, const char *key, const char *what, const char *text,
                   long long min, long long max)
{
    char *end;

    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end || end == text || v < min || v > max) {
        zcli_term_error("%s takes a whole number from %lld to %lld, not '%s'", what, min, max,
                        text);
        return ZC_EINVAL;
    }
    json_object_set_new(o->sampling, key, json_integer(v));
    return ZC_OK;
}

static int set_temperature(struct zcli_opts *o, const char *text)
{
    char *end;
    double v = strtod(text, &end);

    if (*end || end == text || !(v >= 0 && v <= 100)) {
        zcli_term_error("-t takes a number from 0 to 100, not '%s'", text);
        return ZC_EINVAL;
    }
    json_object_set_new(o->sampling, "temperature", json_real(v));
    return ZC_OK;
}

static int set_text(const char **dst, const char *what, const char *text)
{
    if (!zc_utf8_is_valid(text, strlen(text))) {
        zcli_term_error("the text of %s is not UTF-8", what);
        return ZC_EINVAL;
    }
    *dst = text;
    return ZC_OK;
}

/* Positive: the program ends with status 0 (--help, --version). */
static int take_option(struct zcli_opts *o, int c)
{
    switch (c) {
    case 'S':
        o->socket = optarg;
        return ZC_OK;
    case 's':
        return set_text(&o->session, "-s", optarg);
    case 't':
        return set_temperature(o, optarg);
    case 'n':
        return set_int(o, "max_tokens", "-n", optarg, 1, MAX_TOKENS);
    case OPT_SYSTEM:
        return set_text(&o->system, "--system", optarg);
    case OPT_SEED:
        return set_int(o, "seed", "--seed", optarg, 0, LLONG_MAX);
    case OPT_JSON:
        o->json = true;
        return ZC_OK;
    case OPT_NO_STREAM:
        o->no_stream = true;
        return ZC_OK;
    case OPT_PLAIN:
        o->plain = true;
        return ZC_OK;
    case OPT_HELP:
        print_help();
        return 1;
    case OPT_VERSION:
        puts("zorac " PACKAGE_VERSION);
        return 1;
    default:
        fputs("Try: zorac --help\n", stderr);
        return ZC_EINVAL;
    }
}

/* A first word that names a command is one, unless -- stood before it. */
static const struct zcli_cmd *find_command(int argc, char **argv)
{
    if (optind >= argc || strcmp(argv[optind - 1], "--") == 0)
        return NULL;
    for (const struct zcli_cmd *c = zcli_cmds; c->name; c++)
        if (strcmp(c->name, argv[optind]) == 0)
            return c;
    return NULL;
}

/* A lone word that is nearly a command was perhaps meant as one. */
static void hint(const char *word)
{
    for (const struct zcli_cmd *c = zcli_cmds; c->name; c++) {
        size_t n = strlen(word) < strlen(c->name) ? strlen(word) : strlen(c->name);
        if (n > 2 && strncmp(word, c->name, n) == 0) {
            zcli_term_error("'%s' was taken as a prompt; there is a command: zorac %s", word,
                            c->name);
            return;
        }
    }
}

static enum zcli_exit run(const struct zcli_opts *o, int argc, char **argv)
{
    const struct zcli_cmd *cmd = find_command(argc, argv);
    bool is_word = argc == optind + 1 && strcmp(argv[optind - 1], "--") != 0;
    struct zc_diag dg = {0};
    char *prompt;

    if (cmd)
        return cmd->run(o, argc - optind - 1, argv + optind + 1);
    if (is_word && strcmp(argv[optind], "help") == 0) {
        print_help();
        return ZCLI_DONE;
    }
    int r = zcli_input_read(argc - optind, argv + optind, &prompt, &dg);
    if (r < 0) {
        zcli_term_error("%s", dg.text);
        return r == ZC_ELIMIT ? ZCLI_REFUSED : ZCLI_FAILED;
    }
    if (!prompt) {
        if (isatty(STDIN_FILENO))
            return zcli_chat(o);
        zcli_term_error("no prompt: none on the command line, and standard input is empty");
        return ZCLI_USAGE;
    }
    enum zcli_exit status = ZCLI_USAGE;
    if (prompt[strspn(prompt, " \t\r\n")] != '\0')
        status = zcli_ask(o, prompt);
    else
        zcli_term_error("the prompt is empty");
    if (is_word)
        hint(argv[optind]);
    zc_free(prompt);
    return status;
}

int main(int argc, char **argv)
{
    struct zcli_opts o = {.sampling = json_object()};
    static char name[] = "zorac";
    struct zc_diag dg;
    int c, r = ZC_OK;

    zc_core_forbid();
    zc_file_guard_std();
    if (argc > 0)
        argv[0] = name; /* what getopt's messages begin with */
    /* "+": a prompt may hold words that look like options. */
    while (r == ZC_OK && (c = getopt_long(argc, argv, "+S:s:t:n:", long_options, NULL)) != -1)
        r = take_option(&o, c);
    enum zcli_exit status = r < 0 ? ZCLI_USAGE : ZCLI_DONE;
    if (r == ZC_OK) {
        zcli_term_init(o.plain);
        status = run(&o, argc, argv);
    }
    if (zc_file_flush_out(&dg) < 0 && status == ZCLI_DONE) {
        zcli_term_error("%s", dg.text);
        status = ZCLI_FAILED;
    }
    json_decref(o.sampling);
    if (zcli_term_has_lost_reader()) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return status;
}
