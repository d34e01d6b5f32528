/* SPDX-License-Identifier: MIT */
/* The chat: a line from the user, a streamed reply, again. Line editing and history by readline or
 * libedit where the build has one of them and standard input is a terminal. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined HAVE_READLINE
#include <readline/history.h>
#include <readline/readline.h>
#elif defined HAVE_LIBEDIT
#include <editline/readline.h>
#endif

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"
#include "zorac-cli/zcli_conn.h"
#include "zorac-cli/zcli_input.h"
#include "zorac-cli/zcli_reply.h"
#include "zorac-cli/zcli_term.h"
#include "zorac-cli/zcli_turn.h"

#define HISTORY_LINES 1000
#define LAST_BYTES    200 /* of the last message, shown when a chat goes on */

static bool editing; /* a person at a terminal */

/* A line of standard input without its end, to be freed, and its bytes; NULL at the end of input.
 */
static char *plain_line(size_t *ret_n)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, stdin);

    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n')
        line[--n] = '\0';
    *ret_n = (size_t)n;
    return line;
}

#if defined HAVE_READLINE || defined HAVE_LIBEDIT
static char *history_path;

static void load_history(void)
{
    if (zcli_store_path("history", &history_path, NULL) < 0)
        return;
    using_history();
    read_history(history_path);
    stifle_history(HISTORY_LINES);
}

/* At once: a terminal may be closed at any time, and another chat adds its own lines. */
static void remember_line(const char *line)
{
    add_history(line);
    int fd = history_path ? open(history_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    close(fd);
    append_history(1, history_path);
}

static void end_history(void)
{
    if (history_path)
        history_truncate_file(history_path, HISTORY_LINES);
    zc_free(history_path);
    history_path = NULL;
}

#ifdef HAVE_READLINE
/* Ctrl-C at the prompt gives a fresh line, as a shell does. */
static int fresh_line(void)
{
    if (zcli_conn_has_interrupt()) {
        rl_replace_line("", 0);
        rl_crlf();
        rl_on_new_line();
        rl_redisplay();
    }
    return 0;
}
#endif

static char *edit_line(size_t *ret_n)
{
    char prompt[64];

    /* \001 and \002 tell the library which bytes have no width. */
    snprintf(prompt, sizeof prompt, "\001%s\002> \001%s\002", zcli_term_bold(), zcli_term_reset());
#ifdef HAVE_READLINE
    rl_signal_event_hook = fresh_line;
#endif
    zcli_conn_release_interrupt();
    char *line = readline(prompt);
    zcli_conn_catch_interrupt();
    if (line && *line)
        remember_line(line);
    *ret_n = line ? strlen(line) : 0;
    return line;
}
#else
static void load_history(void)
{
}

static void end_history(void)
{
}

static char *edit_line(size_t *ret_n)
{
    fputs("> ", stdout);
    fflush(stdout);
    return plain_line(ret_n);
}
#endif

/* The next line, to be freed, and its bytes; NULL at the end of input. */
static char *read_line(size_t *ret_n)
{
    char *line;

    if (editing) {
        line = edit_line(ret_n);
        zcli_conn_has_interrupt(); /* one at the prompt was for the line */
    } else {
        zcli_conn_default_interrupt();
        line = plain_line(ret_n);
        zcli_conn_catch_interrupt();
    }
    return line;
}

static int cmd_help(struct zcli_turns *t, const char *arg, struct zc_diag *dg);

static int cmd_new(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    int r = zcli_turns_new(t, arg, dg);
    if (r == ZC_OK)
        printf("a new conversation: %s\n", zcli_turns_name(t));
    return r;
}

static int cmd_list(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    json_t *list, *c;
    size_t i;
    int r = zcli_store_list(zcli_turns_store(t), &list, dg);

    (void)arg;
    if (r < 0)
        return r;
    json_array_foreach (list, i, c) {
        const char *name = json_string_value(json_object_get(c, "name"));
        printf("%c %s (%lld messages)\n", strcmp(name, zcli_turns_name(t)) == 0 ? '*' : ' ', name,
               (long long)json_integer_value(json_object_get(c, "messages")));
    }
    json_decref(list);
    return ZC_OK;
}

static int cmd_open(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    if (!arg)
        return zc_diag(dg, ZC_EINVAL, "/open takes a conversation's name; /list shows them");
    int r = zcli_turns_switch(t, arg, dg);
    if (r == ZC_OK)
        printf("now in: %s\n", zcli_turns_name(t));
    return r;
}

static int cmd_trim(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    int64_t turns = -1;
    size_t all, left_out;
    int r = arg ? zcli_input_turns(arg, &turns, dg) : ZC_OK;

    if (r == ZC_OK)
        r = zcli_turns_trim(t, turns, dg);
    if (r == ZC_OK && (r = zcli_turns_count(t, &all, &left_out, dg)) == ZC_OK)
        printf("%zu of %zu messages are left out of what the model gets; they stay stored\n",
               left_out, all);
    return r;
}

static int cmd_exit(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    (void)t, (void)arg, (void)dg;
    return 1; /* positive: the chat ends */
}

static const struct command {
    const char *name, *arg, *text;
    int (*run)(struct zcli_turns *t, const char *arg, struct zc_diag *dg);
} commands[] = {
    {"/help", "", "what can be typed here", cmd_help},
    {"/new", "[NAME]", "begin a new conversation", cmd_new},
    {"/list", "", "the stored conversations", cmd_list},
    {"/open", "NAME", "go on in another conversation", cmd_open},
    {"/trim", "[TURNS]", "leave out the oldest turns (half of them; 0: none)", cmd_trim},
    {"/exit", "", "leave (so does Ctrl-D)", cmd_exit},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static int cmd_help(struct zcli_turns *t, const char *arg, struct zc_diag *dg)
{
    (void)t, (void)arg, (void)dg;
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-6s %-8s %s\n", commands[i].name, commands[i].arg, commands[i].text);
    printf("  %-15s %s\n", "Ctrl-C", "stop the reply; what has come is kept");
    puts("  a line that begins with // is sent with one slash");
    return ZC_OK;
}

/* A line that begins with a slash. Positive: the chat ends. */
static int run_command(struct zcli_turns *t, char *line, struct zc_diag *dg)
{
    char *arg = strpbrk(line, " \t");

    if (arg) {
        *arg++ = '\0';
        arg += strspn(arg, " \t");
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(line, commands[i].name) == 0)
            return commands[i].run(t, arg && *arg ? arg : NULL, dg);
    return zc_diag(dg, ZC_EINVAL, "%s is not a command; /help lists them", line);
}

/* What is not as it was asked for, once in a chat. */
static void tell_notice(const struct zcli_turns *t)
{
    static bool told;
    const char *notice = zcli_turns_notice(t);

    if (!notice || told || !editing)
        return;
    fputs(zcli_term_dim(), stdout);
    zcli_term_text(notice, strlen(notice), NULL);
    printf("%s\n", zcli_term_reset());
    told = true;
}

/* One prompt. Errors are told and do not end the chat; the status of the last one is kept for a
 * chat that is fed from a pipe. */
static enum zcli_exit run_turn(struct zcli_turns *t, const char *line)
{
    struct zcli_outcome out = {0};
    struct zc_diag dg = {0};
    int r = zcli_turns_run(t, line, &out, &dg);

    tell_notice(t);
    if (r < 0 && r != ZC_ECANCELED)
        zcli_term_error("%s", dg.text);
    else if (out.code[0] && !out.interrupted)
        zcli_term_error("%s", dg.text);
    if (out.interrupted && editing)
        printf("%s(stopped)%s\n", zcli_term_dim(), zcli_term_reset());
    else if (strcmp(out.finish, "length") == 0)
        zcli_term_error("the reply ends here: the %s",
                        out.too_long ? "context is full" : "token limit is reached");
    if (out.too_long)
        zcli_term_error("the conversation is too long for the model: /trim leaves the oldest half "
                        "of it out, /new begins another");
    if (r < 0)
        return zcli_exit_of_error(r);
    if (out.interrupted)
        return ZCLI_INTERRUPTED;
    return out.code[0] ? zcli_exit_of_code(out.code) : ZCLI_DONE;
}

/* Where a conversation stood: the beginning of its last message. */
static void show_last(const json_t *messages)
{
    size_t n = json_array_size(messages);
    const json_t *m = n ? json_array_get(messages, n - 1) : NULL;
    const char *role = json_string_value(json_object_get(m, "role"));
    const char *text = json_string_value(json_object_get(m, "content"));

    if (!role || !text)
        return;
    size_t len = strcspn(text, "\n"), shown = len < LAST_BYTES ? len : LAST_BYTES;
    shown -= zc_utf8_tail(text, shown);
    printf("%s%s: ", zcli_term_dim(), role);
    fflush(stdout);
    zcli_term_text(text, shown, NULL);
    printf("%s%s\n", text[shown] ? " ..." : "", zcli_term_reset());
}

static void greet(struct zcli_turns *t)
{
    json_t *messages;
    size_t n, left_out;

    if (!editing || zcli_turns_count(t, &n, &left_out, NULL) < 0 ||
        zcli_turns_messages(t, &messages, NULL) < 0)
        return;
    printf("%s%s%s (", zcli_term_dim(),
           n ? "going on in: " : "a new conversation: ", zcli_turns_name(t));
    if (n)
        printf("%zu message%s", n, n == 1 ? "" : "s");
    if (left_out)
        printf(", the oldest %zu left out", left_out);
    printf("%s/help, Ctrl-D to leave)%s\n", n ? "; " : "", zcli_term_reset());
    show_last(messages);
    json_decref(messages);
}

/* A command, a prompt or nothing. Positive: the chat ends. */
static int take_line(struct zcli_turns *t, char *line, size_t n, enum zcli_exit *status)
{
    struct zc_diag dg = {0};
    int r = ZC_OK;

    if (memchr(line, '\0', n)) {
        zcli_term_error("the line is not UTF-8 text");
        *status = ZCLI_FAILED;
    } else if (line[0] == '/' && line[1] != '/') {
        if ((r = run_command(t, line, &dg)) < 0)
            zcli_term_error("%s", dg.text);
    } else if (line[strspn(line, " \t")] != '\0') {
        *status = run_turn(t, line[0] == '/' ? line + 1 : line);
    }
    return r;
}

enum zcli_exit zcli_chat(const struct zcli_opts *o)
{
    struct zcli_turns *t;
    struct zc_diag dg = {0};
    enum zcli_exit status = ZCLI_DONE;
    int r = zcli_turns_open(&t, o, &dg);

    if (r < 0) {
        zcli_term_error("%s", dg.text);
        return zcli_exit_of_error(r);
    }
    editing = isatty(STDIN_FILENO) && zcli_term_is_tty();
    if (editing)
        load_history();
    greet(t);
    for (;;) {
        size_t n;
        char *line = read_line(&n);
        if (!line)
            break;
        r = take_line(t, line, n, &status);
        free(line);
        fflush(stdout);
        if (r > 0 || (status == ZCLI_INTERRUPTED && !editing) || zcli_term_has_lost_reader())
            break;
    }
    if (editing) {
        if (r <= 0)
            putchar('\n');
        end_history();
        status = ZCLI_DONE;
    }
    zcli_turns_close(t);
    return status;
}
