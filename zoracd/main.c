/* SPDX-License-Identifier: MIT */
/* zoracd: options, configuration, socket, then the front thread until the end. */
#include "config.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_core.h"
#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_log.h"
#include "common/zc_mem.h"
#include "common/zc_sock.h"
#include "zoracd/serve/zs_front.h"
#include "zoracd/serve/zs_listen.h"
#include "zoracd/serve/zs_sd.h"

static void print_help(void)
{
    struct zc_buf b;

    zc_buf_init(&b, 65536);
    zc_buf_adds(&b, "Usage: zoracd [options]\n"
                    "Keeps a language model in memory and serves it at a Unix socket.\n\n"
                    "  -c, --config FILE                      the configuration file\n"
                    "  --check                                validate the model, print the plan, "
                    "exit\n");
    zs_config_help(&b);
    zc_buf_adds(
        &b, "  -h, --help                             this text\n"
            "  --version                              the version\n\n"
            "Every option is a key of the configuration file too: model = /path. SIGHUP rereads\n"
            "the file and changes what is marked (*). SIGTERM lets running requests finish, a\n"
            "second one cancels them.\n\n"
            "Exit status: 0 ended as asked; 1 failed; 2 wrong option or configuration;\n"
            "3 another daemon is running at the socket; 4 the device was lost.\n");
    fputs(zc_buf_str(&b), stdout);
    zc_buf_release(&b);
}

/* ---- configuration ------------------------------------------------------------------------ */

struct command {
    int argc;
    char **argv;
    struct zs_cmdline line;
};

/* Defaults, file, options: in this order. A file that -c names must exist. */
static int read_config(struct zs_config *ret_c, void *arg, struct zc_diag *dg)
{
    struct command *cmd = arg;
    char *path = cmd->line.file ? zc_xstrdup(cmd->line.file) : zs_config_default_path();
    struct zs_cmdline again;
    int r = ZC_OK;

    zs_config_init(ret_c);
    if (path)
        r = zs_config_read(ret_c, path, dg);
    if (r == ZC_ENOTFOUND && !cmd->line.file)
        r = ZC_OK;
    if (r == ZC_OK)
        r = zs_config_options(ret_c, &again, cmd->argc, cmd->argv, dg);
    if (r == ZC_OK)
        r = zs_config_check(ret_c, dg);
    if (r < 0)
        zs_config_release(ret_c);
    zc_free(path);
    return r;
}

/* The demo model: named by the environment (tests), beside the program in the build tree, or
 * installed. */
static char *demo_path(void)
{
    char exe[PATH_MAX];
    const char *env = getenv("ZORAC_DEMO_MODEL");
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    if (env && *env)
        return zc_xstrdup(env);
    if (n > 0) {
        exe[n] = '\0';
        *strrchr(exe, '/') = '\0';
        char *beside = zc_xasprintf("%s/demo/model", exe);
        if (access(beside, R_OK) == 0)
            return beside;
        zc_free(beside);
    }
    return zc_xstrdup(ZS_DEMO_DIR);
}

static int make_model_opts(struct zs_model_opts *ret, const struct zs_config *c, struct zc_diag *dg)
{
    *ret = (struct zs_model_opts){
        .is_demo = !c->model,
        .engine = {.dir = c->model ? c->model : demo_path(),
                   .backend = c->backend,
                   .device = c->device,
                   .caps = ZK_CAP_ALL,
                   .threads = (int)c->threads,
                   .exact = c->exact,
                   .strict = c->strict,
                   .kv_f8 = c->kv_type && strcmp(c->kv_type, "fp8") == 0,
                   .head_bits = (int)c->lm_head,
                   .context = (int)c->context,
                   .max_seqs = (int)c->max_sequences,
                   .memory_limit = c->memory_limit},
    };
    return c->caps ? zk_caps_parse(c->caps, &ret->engine.caps, dg) : ZC_OK;
}

/* ---- what is asked ------------------------------------------------------------------------ */

static int fail(int status, const struct zc_diag *dg)
{
    fprintf(stderr, "zoracd: %s\n", dg->text);
    return status;
}

/* The status of what only prints. */
static int end_output(void)
{
    struct zc_diag dg;

    return zc_file_flush_out(&dg) < 0 ? fail(ZS_EXIT_FAILED, &dg) : ZS_EXIT_OK;
}

static int check(const struct zs_model_opts *opts)
{
    struct zc_buf report;
    struct zc_diag dg;

    zc_buf_init(&report, 65536);
    int r = zs_model_check(opts, &report, &dg);
    fputs(zc_buf_str(&report), stdout);
    zc_buf_release(&report);
    if (r < 0)
        return fail(ZS_EXIT_FAILED, &dg);
    puts("the model can be served (its weights themselves are read and checked when it loads)");
    return end_output();
}

/* Systemd's socket, or our own. */
static int open_socket(struct zs_listen *l, const struct zs_config *c, struct zc_diag *dg)
{
    char path[ZC_SOCK_MAX];

    int r = zs_sd_listen_fd(&l->fd, dg);
    if (r != 0)
        return r < 0 ? r : ZC_OK;
    r = zc_sock_daemon_path(path, c->socket, dg);
    return r < 0 ? r : zs_listen_open(l, path, (mode_t)c->socket_mode, dg);
}

static int serve(struct zs_config *c, const struct zs_model_opts *model, struct command *cmd)
{
    struct zs_listen l = {.fd = -1, .lock_fd = -1};
    struct zc_diag dg;

    int r = open_socket(&l, c, &dg);
    if (r < 0)
        return fail(r == ZC_EBUSY ? ZS_EXIT_RUNNING : ZS_EXIT_FAILED, &dg);
    zc_log(ZC_LOG_INFO, "listening at %s", l.path ? l.path : "systemd's socket");
    if (model->is_demo)
        zc_log(ZC_LOG_NOTICE, "no model is configured: serving the demo model at %s",
               model->engine.dir);
    struct zs_front_opts opts = {
        .config = c, .model = model, .listen_fd = l.fd, .reread = read_config, .reread_arg = cmd};
    bool hangs;
    int status = zs_front_run(&hangs, &opts);
    zs_listen_close(&l);
    if (hangs)
        _exit(status);
    return status;
}

int main(int argc, char **argv)
{
    struct command cmd = {.argc = argc, .argv = argv};
    struct zs_model_opts model;
    struct zs_config config;
    struct zc_diag dg;

    zs_front_hold_signals(true);
    zc_file_guard_std();
    signal(SIGPIPE, SIG_IGN);
    umask(0077);
    zc_core_forbid();
    json_object_seed(0);
    int r = zs_config_options(NULL, &cmd.line, argc, argv, &dg);
    if (r < 0 || cmd.line.help || cmd.line.version || cmd.line.check)
        zs_front_hold_signals(false);
    if (r == ZC_OK && cmd.line.help) {
        print_help();
        return end_output();
    }
    if (r == ZC_OK && cmd.line.version) {
        puts("zoracd " PACKAGE_VERSION);
        return end_output();
    }
    if (r == ZC_OK)
        r = read_config(&config, &cmd, &dg);
    if (r < 0) {
        fail(ZS_EXIT_USAGE, &dg);
        fputs("zoracd: see zoracd --help\n", stderr);
        return ZS_EXIT_USAGE;
    }
    zc_log_set_level((enum zc_log_level)config.log_level);
    zc_log_prefix(zs_sd_is_journal());
    if (zs_sd_is_journal())
        (void)zc_log_to_journal("/run/systemd/journal/socket"); /* else it reads standard error */
    r = make_model_opts(&model, &config, &dg);
    int status = r < 0            ? fail(ZS_EXIT_USAGE, &dg)
                 : cmd.line.check ? check(&model)
                                  : serve(&config, &model, &cmd);
    if (model.is_demo)
        zc_free((void *)(uintptr_t)model.engine.dir);
    zs_config_release(&config);
    return status;
}
