/* SPDX-License-Identifier: MIT */
/* The verb doctor: the machine, then the parts of a model one after another. Each that is missing
 * or broken is a line that says what is wrong and what to do, and the others are looked at all the
 * same. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/zc_sock.h"
#include "zoracd/text/zt_check.h"
#include "zoracd/tools/zi.h"
#include "zoracd/weights/zw_store.h"

/* One line, and whether all is well so far. */
__attribute__((format(printf, 3, 4))) static void finding(int *status, const char *grade,
                                                          const char *fmt, ...)
{
    va_list ap;

    printf("%-5s ", grade);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (strcmp(grade, "FAIL") == 0)
        *status = ZO_FAILED;
}

/* ---- the machine --------------------------------------------------------------------------- */

static void check_processor(int *status)
{
    unsigned caps = zk_caps_detect();
    bool is_fast = caps & (ZK_CAP_AVX2 | ZK_CAP_AVX512);

    finding(status, is_fast ? "ok" : "slow", "processor: kernels %s, %d cores to use%s",
            zk_caps_name(caps), zk_cpu_threads_default(),
            is_fast ? "" : ". With AVX2, or a GPU, replies come several times faster");
}

static void check_bandwidth(const struct zi_options *o, int *status)
{
    const struct zk_cpu_opts opts = {.caps = o->engine.caps, .threads = o->engine.threads};
    struct zc_diag dg;
    struct zk_dev *dev;

    if (zk_cpu_open(&dev, &opts, &dg) < 0) {
        finding(status, "FAIL", "memory: %s. Give fewer --threads, or end other programs", dg.text);
        return;
    }
    double rate = zk_probe_memory(dev, 256u << 20, 3) / 1e9;
    if (rate > 0)
        finding(status, "ok",
                "memory: %.1f GB/s read: a model of 1 GB of weights makes at most %.1f tokens/s",
                rate, rate);
    else
        finding(status, "FAIL",
                "memory: there are no 256 MiB to measure it with. End other programs");
    dev->ops->close(dev);
}

static void check_huge_pages(int *status)
{
    static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[128] = "";
    FILE *f = fopen(file, "re");

    if (f && !fgets(text, sizeof text, f))
        text[0] = '\0';
    if (f)
        fclose(f);
    if (strstr(text, "[always]") || strstr(text, "[madvise]"))
        finding(status, "ok", "huge pages: the system has them");
    else
        finding(status, "slow",
                "huge pages: off, weights are read through more page tables. As root: "
                "echo madvise >%s",
                file);
}

static void check_socket_place(int *status)
{
    char path[ZC_SOCK_MAX];
    struct zc_diag dg;

    if (zc_sock_daemon_path(path, NULL, &dg) < 0)
        finding(status, "note", "socket: %s. Start the daemon with -S FILE", dg.text);
    else
        finding(status, "ok", "socket: %s", path);
}

/* ---- the model ----------------------------------------------------------------------------- */

enum part { CONFIG, WEIGHTS, TOKENIZER, TEMPLATE };

/* What to do about a part that could not be read. */
static const char *advice(enum part part, int err)
{
    static const struct {
        const char *missing, *damaged, *unsupported;
    } all[] = {
        [CONFIG] =
            {"Fetch config.json from the model's repository into the directory",
             "Correct it there, or fetch the file again from the model's repository",
             "Take a model of one of these architectures, whose config.json has no such key"},
        [WEIGHTS] = {"Fetch model.safetensors, or model.safetensors.index.json and the files it "
                     "names, from the model's repository",
                     "It is damaged, cut short or of another model: fetch it again and compare its "
                     "size with the repository's",
                     "Take the same model in another format: compressed-tensors, AWQ, NF4 or FP8"},
        [TOKENIZER] = {"Fetch one of these files from the model's repository",
                       "It is damaged or cut short: fetch it again from the model's repository",
                       "Nothing stands in for it: take a model whose tokenizer is BPE and has no "
                       "such part"},
        [TEMPLATE] = {"Fetch it from the model's repository",
                      "Correct it there, or fetch the file again from the model's repository",
                      "Fetch one of these files from the model's repository; a base model has "
                      "none and cannot be talked with: take its instruct version"},
    };

    switch (err) {
    case ZC_ENOTFOUND:
        return all[part].missing;
    case ZC_EUNSUPPORTED:
        return all[part].unsupported;
    case ZC_ELIMIT:
    case ZC_ENOMEM:
    case ZC_EDEVMEM:
        return part == WEIGHTS ? "Give a smaller --context or fewer --max-sequences, or take a "
                                 "smaller model"
                               : all[part].damaged;
    case ZC_ESYS:
    case ZC_EPERM:
        return "Let this user read the files of the directory";
    case ZC_EDEVICE:
        return "Give -b cpu, or mend the driver";
    default:
        return all[part].damaged;
    }
}

static void fail(int *status, enum part part, int err, const struct zc_diag *dg)
{
    static const char *const names[] = {"config", "weights", "tokenizer", "template"};

    finding(status, "FAIL", "%s: %s. %s", names[part], dg->text, advice(part, err));
}

/* Whether the weights are there and fit: with a config that can be read as they would be loaded,
 * without one whether their files are whole. */
static void check_weights(const struct zi_options *o, bool has_config, int *status)
{
    struct ze_opts opts = o->engine;
    struct zc_diag dg = {""};
    struct ze_plan plan;
    struct zw_store *s;
    int r;

    opts.dir = o->model;
    if (has_config && (r = ze_engine_check(&opts, &plan, &dg)) == ZC_OK) {
        finding(status, "ok", "weights: %s, %.0f MiB in all, context %d", plan.quantization,
                (double)plan.total / (1 << 20), plan.context);
    } else if (!has_config && (r = zw_store_open(&s, o->model, &dg)) == ZC_OK) {
        finding(status, "ok", "weights: %zu tensors in whole files", zw_store_n_tensors(s));
        zw_store_free(s);
    } else {
        fail(status, WEIGHTS, r, &dg);
    }
}

static void on_text_finding(void *arg, enum zt_grade grade, const char *text)
{
    static const char *const grades[] = {[ZT_GOOD] = "ok", [ZT_NOTE] = "note", [ZT_BAD] = "FAIL"};

    finding(arg, grades[grade], "text: %s", text);
}

/* config: NULL if it could not be read. */
static void check_text(const struct zi_options *o, const struct ze_config *config, int *status)
{
    struct zt_check_model model;
    struct zc_diag dg = {""};
    struct zt_chat chat = {0};
    int r;

    if ((r = zt_tok_open(&chat.tok, o->model, &dg)) < 0)
        fail(status, TOKENIZER, r, &dg);
    else
        finding(status, "ok", "tokenizer: %d tokens", zt_tok_vocab_size(chat.tok));
    if ((r = zt_chat_open_template(&chat, o->model, &dg)) < 0)
        fail(status, TEMPLATE, r, &dg);
    else
        finding(status, "ok", "template: %s",
                chat.mistral ? "none, Mistral's own format" : "the model's own");
    if (config)
        model = (struct zt_check_model){config->V, config->eos, (size_t)config->n_eos};
    zt_check(&chat, config ? &model : NULL, on_text_finding, status);
    zt_chat_release(&chat);
}

static void check_model(const struct zi_options *o, int *status)
{
    struct zc_diag dg = {""};
    struct ze_config config;
    struct stat st;

    if (stat(o->model, &st) < 0 || !S_ISDIR(st.st_mode)) {
        finding(status, "FAIL",
                "model: %s is no directory. Give the one that holds config.json, the "
                "*.safetensors files and tokenizer.json",
                o->model);
        return;
    }
    int r = ze_config_read(&config, o->model, NULL, &dg);
    if (r < 0)
        fail(status, CONFIG, r, &dg);
    else
        finding(status, "ok", "config: %s", config.architecture);
    check_weights(o, r == ZC_OK, status);
    check_text(o, r == ZC_OK ? &config : NULL, status);
    if (r == ZC_OK)
        ze_config_release(&config);
}

int zi_doctor(const struct zi_options *o)
{
    int status = ZO_OK;

    check_processor(&status);
    check_bandwidth(o, &status);
    check_huge_pages(&status);
    check_socket_place(&status);
    if (o->model)
        check_model(o, &status);
    return status;
}
