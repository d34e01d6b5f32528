/* SPDX-License-Identifier: MIT */
/* The GPU as a device: choosing one, opening and closing it, its memory, waiting for it, and the
 * table of operations that the plug-in hands out. */
#include "config.h"

#include "kernels/cuda/zkc_dev.cuh"
#include "kernels/cuda/zkc_blas.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

extern "C" {
#include "common/zc_mem.h"
#include "kernels/zk_plugin.h"
}

/* ---- errors -------------------------------------------------------------------------------- */

int zkc_err(cudaError_t e)
{
    switch (e) {
    case cudaSuccess:
        return ZC_OK;
    case cudaErrorMemoryAllocation:
        return ZC_EDEVMEM;
    case cudaErrorDevicesUnavailable:
        return ZC_EBUSY;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
        return ZC_EINTERNAL;
    default:
        return ZC_EDEVICE;
    }
}

int zkc_check(struct zkc_dev *d, cudaError_t e)
{
    cudaError_t *first = d->recording ? &d->refused : &d->error, none = cudaSuccess;
    if (e != cudaSuccess) /* of several threads, while a model is loaded */
        __atomic_compare_exchange_n(first, &none, e, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return zkc_err(e);
}

static int fail(struct zc_diag *dg, cudaError_t e, const char *what)
{
    return zc_diag(dg, zkc_err(e), "%s: %s", what, cudaGetErrorString(e));
}

/* ---- choosing ------------------------------------------------------------------------------ */

/* "GPU-8 4 4 4 12 hexadecimal digits", as nvidia-smi prints it. */
static void uuid_text(char (&text)[48], const cudaUUID_t *uuid)
{
    char *at = text + sprintf(text, "GPU");
    for (int i = 0; i < 16; i++)
        at += sprintf(at, "%s%02x", i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                      (unsigned char)uuid->bytes[i]);
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return false;
}

/* A device among those there are. number: its place in the order of PCI addresses, which is how
 * nvidia-smi counts; CUDA puts what it takes for the fastest first. */
struct candidate {
    int ordinal, number;
    cudaDeviceProp prop;
    char address[32];
    bool serves; /* new enough, and open to programs */
};

#define MAX_GPUS 64

static int driver_error(cudaError_t e, struct zc_diag *dg)
{
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (e == cudaErrorInsufficientDriver && driver > 0)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "the NVIDIA driver is too old: it serves CUDA %d.%d, this build needs one "
                       "for CUDA %d (driver %s or later)",
                       driver / 1000, driver % 1000 / 10, runtime / 1000,
                       runtime >= 13000 ? "580.65" : "525.60");
    if (e == cudaErrorNoDevice && driver > 0)
        return zc_diag(dg, ZC_ENOTFOUND, "there is no GPU that the NVIDIA driver can use");
    if (e == cudaErrorInsufficientDriver || e == cudaErrorNoDevice)
        return zc_diag(dg, ZC_ENOTFOUND, "there is no NVIDIA driver");
    return zc_diag(dg, ZC_EDEVICE, "the GPUs can't be counted: %s", cudaGetErrorString(e));
}

static int ask(struct candidate *c, int ordinal, struct zc_diag *dg)
{
    int mode = 0;
    cudaError_t e = cudaGetDeviceProperties(&c->prop, ordinal);
    if (e == cudaSuccess)
        e = cudaDeviceGetPCIBusId(c->address, sizeof c->address, ordinal);
    if (e == cudaSuccess)
        e = cudaDeviceGetAttribute(&mode, cudaDevAttrComputeMode, ordinal);
    if (e != cudaSuccess)
        return fail(dg, e, "a GPU can't be asked for its properties");
    c->ordinal = ordinal;
    c->serves = c->prop.major >= 8 && mode != cudaComputeModeProhibited;
    return ZC_OK;
}

/* All there are, by their number. Addresses are of one length: text has their order. */
static int list(struct candidate *all, int *ret_n, struct zc_diag *dg)
{
    int n = 0, r;
    cudaError_t e = cudaGetDeviceCount(&n);
    if (e != cudaSuccess)
        return driver_error(e, dg);
    n = n < MAX_GPUS ? n : MAX_GPUS;
    for (int i = 0; i < n; i++) {
        struct candidate c = {};
        int at = i;
        if ((r = ask(&c, i, dg)) < 0)
            return r;
        for (; at > 0 && strcasecmp(all[at - 1].address, c.address) > 0; at--)
            all[at] = all[at - 1];
        all[at] = c;
    }
    for (int i = 0; i < n; i++)
        all[i].number = i;
    *ret_n = n;
    return ZC_OK;
}

/* The first of those with most memory among those that serve; if none does, of all. */
static int largest(const struct candidate *all, int n)
{
    int found = 0;
    for (int i = 1; i < n; i++)
        if (all[i].serves != all[found].serves
                ? all[i].serves
                : all[i].prop.totalGlobalMem > all[found].prop.totalGlobalMem)
            found = i;
    return found;
}

/* How a device is named by a person: its index, its UUID (or the beginning), or part of its name,
 * which may be a number, too. -1: none is meant. */
static int named(const char *want, const struct candidate *all, int n)
{
    char uuid[48], *end;
    long index = strtol(want, &end, 10);
    if (*end == '\0' && index >= 0 && index < n)
        return (int)index;
    for (int i = 0; i < n; i++) {
        uuid_text(uuid, &all[i].prop.uuid);
        if (strncasecmp(uuid, want, strlen(want)) == 0 || has_word(all[i].prop.name, want))
            return i;
    }
    return -1;
}

static int choose(const char *want, struct candidate *ret, struct zc_diag *dg)
{
    void *p;
    int n = 0, r;
    if (zc_try_calloc(&p, MAX_GPUS, sizeof(struct candidate), SIZE_MAX) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the CUDA back-end");
    struct candidate *all = (struct candidate *)p;
    if ((r = list(all, &n, dg)) == ZC_OK) {
        int i = want && *want ? named(want, all, n) : largest(all, n);
        if (i >= 0)
            *ret = all[i];
        else
            r = zc_diag(dg, ZC_ENOTFOUND,
                        "none of the %d GPUs is \"%.60s\": give an index, a UUID or "
                        "part of a name",
                        n, want);
    }
    zc_free(all);
    return r;
}

/* ---- memory -------------------------------------------------------------------------------- */

void zkc_enter(const struct zkc_dev *d)
{
    cudaSetDevice(d->ordinal);
}

static int cuda_alloc(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg)
{
    struct zkc_dev *d = zkc_of(dev);
    size_t free_bytes = 0, total = 0;
    void *p;
    zkc_enter(d);
    cudaError_t e = cudaMalloc(&p, bytes);
    if (e != cudaSuccess) {
        cudaGetLastError();
        if (e != cudaErrorMemoryAllocation)
            return fail(dg, e, "the GPU gives no memory");
        cudaMemGetInfo(&free_bytes, &total);
        return zc_diag(dg, zkc_err(e),
                       "the GPU has no %.1f MiB left: %.1f of %.1f MiB are free (%s)",
                       (double)bytes / 1048576, (double)free_bytes / 1048576,
                       (double)total / 1048576, cudaGetErrorString(e));
    }
    if ((e = cudaMemsetAsync(p, 0, bytes, d->stream)) != cudaSuccess ||
        (e = cudaStreamSynchronize(d->stream)) != cudaSuccess) {
        cudaFree(p);
        return fail(dg, e, "the GPU's memory can't be cleared");
    }
    *ret_p = p;
    return ZC_OK;
}

static void cuda_free(struct zk_dev *dev, void *p, size_t bytes)
{
    zkc_enter(zkc_of(dev));
    cudaFree(p);
}

int zkc_put(struct zkc_dev *d, void *dst, const void *src, size_t bytes)
{
    zkc_enter(d);
    cudaError_t e = cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, d->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(d->stream);
    return zkc_check(d, e);
}

int zkc_get(struct zkc_dev *d, void *dst, const void *src, size_t bytes)
{
    zkc_enter(d);
    cudaError_t e = cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, d->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(d->stream);
    return zkc_check(d, e);
}

static int cuda_upload(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    struct zkc_dev *d = zkc_of(dev);
    zkc_enter(d);
    return d->is_loaded ? zkc_put(d, dst, src, bytes) : zkc_ring_put(d, dst, src, bytes);
}

static int cuda_download(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    return zkc_get(zkc_of(dev), dst, src, bytes);
}

static int cuda_send(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    struct zkc_dev *d = zkc_of(dev);
    zkc_enter(d);
    return zkc_check(d, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, d->stream));
}

static int cuda_host_alloc(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg)
{
    void *p;
    zkc_enter(zkc_of(dev));
    cudaError_t e = cudaHostAlloc(&p, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
    if (e != cudaSuccess) {
        cudaGetLastError();
        return zc_diag(dg, ZC_ENOMEM, "%.1f MiB of host memory can't be pinned: %s",
                       (double)bytes / 1048576, cudaGetErrorString(e));
    }
    memset(p, 0, bytes);
    *ret_p = p;
    return ZC_OK;
}

static void cuda_host_free(struct zk_dev *dev, void *p, size_t bytes)
{
    zkc_enter(zkc_of(dev));
    cudaFreeHost(p);
}

static int cuda_pin(struct zk_dev *dev, void *p, size_t bytes, struct zc_diag *dg)
{
    zkc_enter(zkc_of(dev));
    cudaError_t e = cudaHostRegister(p, bytes, cudaHostRegisterPortable | cudaHostRegisterMapped);
    if (e == cudaSuccess)
        return ZC_OK;
    cudaGetLastError();
    return fail(dg, e, "host memory can't be pinned");
}

static void cuda_unpin(struct zk_dev *dev, void *p)
{
    zkc_enter(zkc_of(dev));
    cudaHostUnregister(p);
}

static void cuda_memory(struct zk_dev *dev, uint64_t *ret_free, uint64_t *ret_total)
{
    size_t free_bytes = 0, total = 0;
    zkc_enter(zkc_of(dev));
    if (cudaMemGetInfo(&free_bytes, &total) != cudaSuccess)
        free_bytes = total = 0;
    *ret_free = free_bytes;
    *ret_total = total;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int report(struct zkc_dev *d, struct zc_diag *dg)
{
    const uint32_t *s = d->status_host;
    if (!s[ZKC_STATUS_KV] && !s[ZKC_STATUS_ACT] && !s[ZKC_STATUS_ID])
        return ZC_OK;
    cudaError_t e = cudaMemsetAsync(d->status, 0, ZKC_N_STATUS * sizeof *d->status, d->stream);
    if (e != cudaSuccess)
        return fail(dg, e, "the GPU is lost");
    if (s[ZKC_STATUS_ID])
        return zc_diag(dg, ZC_EINVAL, "a token id is outside the embedding");
    return zc_diag(dg, ZC_ELIMIT,
                   s[ZKC_STATUS_KV] ? "a key or value does not fit the type of the pages"
                                    : "an activation does not fit fp16");
}

static int cuda_sync(struct zk_dev *dev, struct zc_diag *dg)
{
    struct zkc_dev *d = zkc_of(dev);
    cudaError_t e = __atomic_load_n(&d->error, __ATOMIC_RELAXED);
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(d->status_host, d->status, ZKC_N_STATUS * sizeof *d->status,
                            cudaMemcpyDeviceToHost, d->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(d->stream);
    if (e != cudaSuccess)
        return zc_diag(dg, zkc_err(e) == ZC_EINTERNAL ? ZC_EINTERNAL : ZC_EDEVICE,
                       "the GPU failed: %s", cudaGetErrorString(e));
    return report(d, dg);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void cuda_close(struct zk_dev *dev)
{
    struct zkc_dev *d = zkc_of(dev);
    zkc_enter(d);
    zkc_graphs_free(d);
    zkc_blas_close(d);
    zkc_meter_close(d);
    zkc_ring_close(d);
    cudaFree(d->status);
    cudaFree(d->locks);
    cudaFree(d->work);
    if (d->status_host)
        cudaFreeHost(d->status_host);
    if (d->stream)
        cudaStreamDestroy(d->stream);
    zc_free(d);
}

static const struct zk_ops cuda_ops = {
    .name = "cuda",
    .mat_bytes = zkc_mat_bytes,
    .act_bytes = zkc_act_bytes,
    .kv_page_bytes = zkc_kv_page_bytes,
    .act_kind = zkc_act_kind,
    .mat_pack = zkc_mat_pack,
    .mat_unpack_row = zkc_mat_unpack_row,
    .begin = zkc_begin,
    .end = zkc_end,
    .embed = zkc_embed,
    .rms_norm = zkc_rms_norm,
    .to_act = zkc_to_act,
    .swiglu = zkc_swiglu,
    .matmul = zkc_matmul,
    .matmul_swiglu = zkc_matmul_swiglu,
    .rope_table = zkc_rope_table,
    .rope_store = zkc_rope_store,
    .attn = zkc_attn,
    .gather = zkc_gather,
    .draw = zkc_draw,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .send = cuda_send,
    .host_alloc = cuda_host_alloc,
    .host_free = cuda_host_free,
    .pin = cuda_pin,
    .unpin = cuda_unpin,
    .memory = cuda_memory,
    .fill = zkc_fill,
    .probe_read = zkc_probe_read,
    .probe_peak = zkc_probe_peak,
    .mark = zkc_mark,
    .between = zkc_between,
    .joules = zkc_joules,
    .sync = cuda_sync,
    .close = cuda_close,
};

__global__ void nothing_kernel()
{
}

/* Whether the plug-in has code for the device: a launch says so. */
static int check_code(struct zkc_dev *d, struct zc_diag *dg)
{
    cudaError_t e = zkc_launch(nothing_kernel, dim3(1), dim3(32), 0, d->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(d->stream);
    if (e == cudaSuccess)
        return ZC_OK;
    cudaGetLastError();
    if (e == cudaErrorNoKernelImageForDevice)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "this build has no kernels for a GPU of compute capability %d.%d",
                       d->cc / 10, d->cc % 10);
    return fail(dg, e, "the GPU can't compute");
}

/* What kernels of one model and those of cuBLAS take when they are loaded: at their first use, the
 * driver's default, or all of cuBLAS would come. And a node of a graph: 64 KiB each were seen with
 * drivers for CUDA 11, less since. */
#define CODE_BYTES   ((uint64_t)32 << 20)
#define RECORD_BYTES ((uint64_t)64 << 10)

/* Stream, flags and scratch of a device that answers. */
static int set_up(struct zkc_dev *d, struct zc_diag *dg)
{
    int major = 0, minor = 0, smem = 0;
    void *p;
    int r;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, d->ordinal);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, d->ordinal);
    cudaDeviceGetAttribute(&d->sms, cudaDevAttrMultiProcessorCount, d->ordinal);
    cudaDeviceGetAttribute(&smem, cudaDevAttrMaxSharedMemoryPerBlockOptin, d->ordinal);
    d->cc = major * 10 + minor;
    const char *early = secure_getenv("ZORAC_CUDA_EARLY"); /* for measuring what it gives */
    d->early_cc = early && strcmp(early, "0") == 0 ? 0 : d->cc;
    d->smem_max = (size_t)smem;
    if (d->cc < 80)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "the GPU is of compute capability %d.%d: 8.0 (Ampere) or later is needed",
                       major, minor);
    cudaError_t e = cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking);
    if (e == cudaSuccess)
        e = cudaHostAlloc((void **)&d->status_host, ZKC_N_STATUS * sizeof *d->status_host, 0);
    if (e != cudaSuccess)
        return fail(dg, e, "the GPU can't be used");
    if ((r = check_code(d, dg)) < 0)
        return r;
    if ((r = cuda_alloc(&d->dev, &p, ZKC_N_STATUS * sizeof *d->status, dg)) < 0)
        return r;
    d->status = (uint32_t *)p;
    if ((r = cuda_alloc(&d->dev, &p, ZKC_N_LOCKS * sizeof *d->locks, dg)) < 0)
        return r;
    d->locks = (uint32_t *)p;
    d->work_bytes = zkc_mm_work_bytes(d->sms);
    if ((r = cuda_alloc(&d->dev, &d->work, d->work_bytes, dg)) < 0)
        return r;
    zkc_blas_open(d);
    return ZC_OK;
}

static int cuda_open(struct zk_dev **ret_dev, const struct zk_cuda_opts *opts, struct zc_diag *dg)
{
    struct candidate gpu;
    int driver = 0, r;
    void *p;

    if ((r = choose(opts->device, &gpu, dg)) < 0)
        return r;
    cudaError_t e = cudaSetDevice(gpu.ordinal);
    if (e == cudaSuccess)
        e = cudaFree(NULL); /* makes the context: a busy device says so here */
    if (e != cudaSuccess) {
        cudaGetLastError();
        return zc_diag(dg, zkc_err(e), "GPU %d (%.60s) can't be used: %s", gpu.number,
                       gpu.prop.name, cudaGetErrorString(e));
    }
    if (zc_try_calloc(&p, 1, sizeof(struct zkc_dev), SIZE_MAX) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the CUDA back-end");
    struct zkc_dev *d = (struct zkc_dev *)p;
    d->dev.ops = &cuda_ops;
    d->dev.exact = opts->exact;
    d->dev.prefill_alone = !opts->strict && !opts->exact;
    d->dev.can_record = true;
    d->dev.embeds_from_host = true; /* 10 KiB a token, and a device's memory is dear */
    d->ordinal = gpu.ordinal;
    pthread_mutex_init(&d->pack_lock, NULL);
    pthread_cond_init(&d->pack_free, NULL);
    uint64_t before, after, total;
    cuda_memory(&d->dev, &before, &total);
    if ((r = set_up(d, dg)) < 0) {
        cuda_close(&d->dev);
        return r;
    }
    cuda_memory(&d->dev, &after, &total); /* others may give and take meanwhile */
    const uint64_t least = zkc_mm_work_bytes(d->sms) + ZKC_N_LOCKS * sizeof *d->locks;
    d->dev.own_bytes = before > after + least ? before - after : least;
    d->dev.code_bytes = CODE_BYTES;
    d->dev.record_bytes = RECORD_BYTES;
    cudaDriverGetVersion(&driver);
    snprintf(d->dev.label, sizeof d->dev.label, "cuda %d: %.60s, %d.%d, %.1f GiB, driver for %d.%d",
             gpu.number, gpu.prop.name, d->cc / 10, d->cc % 10,
             (double)gpu.prop.totalGlobalMem / 0x1p30, driver / 1000, driver % 1000 / 10);
    const size_t end = strlen(d->dev.label);
    zkc_blas_label(d, d->dev.label + end, sizeof d->dev.label - end);
    *ret_dev = &d->dev;
    return ZC_OK;
}

extern "C" __attribute__((visibility("default"))) const struct zk_plugin zk_cuda_plugin;
const struct zk_plugin zk_cuda_plugin = {PACKAGE_VERSION, ZK_PLUGIN_SIZES, cuda_open};
