/* SPDX-License-Identifier: MIT */
/* The part of CUDA's runtime that the back-end calls: one device (or as many as CUDASIM_DEVICES
 * says) whose memory is the host's, poisoned with NaN when it is taken. Everything has happened
 * when a call returns; with CUDASIM_LATE set, when somebody waits for it, as late as a device may.
 * CUDASIM_FAIL makes it fail as devices do. */
#include "sim_internal.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace sim
{
static std::mutex mu; /* of all below */
static std::string error_text;
static cudaError_t last = cudaSuccess;
static bool is_dead; /* a fault stays, as it does on a device */
static std::vector<std::pair<void *, size_t>> taken;
static size_t taken_bytes;

static bool fails(const char *how)
{
    const char *s = getenv("CUDASIM_FAIL");
    return s && !strncmp(s, how, strlen(how));
}

bool launch_is_lost()
{
    static std::atomic<long> n{0};
    static const long limit = fails("lost:") ? strtol(getenv("CUDASIM_FAIL") + 5, nullptr, 0) : -1;
    return limit >= 0 && n++ >= limit;
}

cudaError_t set_error(cudaError_t e, const std::string &text)
{
    std::lock_guard<std::mutex> g(mu);
    if (e == cudaErrorLaunchFailure)
        is_dead = true;
    error_text = text;
    if (getenv("CUDASIM_VERBOSE"))
        fprintf(stderr, "cudasim: %s\n", text.c_str());
    return last = e;
}

/* The stream that this thread records; what must not be called meanwhile breaks the recording. */
static thread_local cudaStream_t recording;
static bool breaks_recording()
{
    if (recording)
        recording->capture->is_broken = true;
    return recording;
}

static cudaError_t state()
{
    if (breaks_recording())
        return set_error(cudaErrorStreamCaptureUnsupported, "not while a stream is recorded");
    std::lock_guard<std::mutex> g(mu);
    return is_dead ? cudaErrorLaunchFailure : cudaSuccess;
}

/* CUDASIM_CC=N,...: of the devices in CUDA's order; the last is that of all after it, too. */
static int capability(int device)
{
    const char *s = getenv("CUDASIM_CC");
    for (const char *next; s && device-- > 0 && (next = strchr(s, ',')) != nullptr;)
        s = next + 1;
    return s ? atoi(s) : 90;
}

/* CUDASIM_PROHIBITED=N: the device that no program may use. */
static bool is_prohibited(int device)
{
    const char *s = getenv("CUDASIM_PROHIBITED");
    return s && atoi(s) == device;
}

/* CUDASIM_FAIL=memory:N: from the Nth on, nothing is given any more. */
static bool memory_is_gone()
{
    static std::atomic<long> n{0};
    return fails("memory:") && ++n >= strtol(getenv("CUDASIM_FAIL") + 7, nullptr, 0);
}

/* CUDASIM_FAIL=frozen: nothing is given any more, and no code loaded, from now on. */
static bool is_frozen()
{
    return fails("frozen");
}

/* CUDASIM_FAIL=pinned:N: host memory is not to be had the Nth time. */
static bool pins_no_more()
{
    static std::atomic<long> n{0};
    return fails("pinned:") && ++n == strtol(getenv("CUDASIM_FAIL") + 7, nullptr, 0);
}

static size_t memory()
{
    static const char *s = getenv("CUDASIM_MEMORY");
    return (size_t)(s ? strtol(s, nullptr, 0) : 4096) << 20;
}

/* The driver's own: of a kernel when it is first launched, and of a graph's nodes. mu is held. */
#define KERNEL_BYTES ((size_t)64 << 10)
#define NODE_BYTES   ((size_t)64 << 10)

static bool take_own(size_t n)
{
    if (is_frozen() || n > memory() - taken_bytes)
        return false;
    taken_bytes += n;
    return true;
}

cudaError_t load_code(const char *name, const void *kernel)
{
    static std::vector<const void *> loaded;
    {
        std::lock_guard<std::mutex> g(mu);
        if (std::find(loaded.begin(), loaded.end(), kernel) != loaded.end())
            return cudaSuccess;
        if (take_own(KERNEL_BYTES)) {
            loaded.push_back(kernel);
            return cudaSuccess;
        }
    }
    return set_error(cudaErrorMemoryAllocation, std::string("no memory for the code of ") + name);
}

void copy_bytes(void *dst, const void *src, int value, size_t n)
{
    if (src)
        memmove(dst, src, n);
    else
        memset(dst, value, n);
    note_host_write(dst, n);
}

static std::vector<std::pair<const char *, size_t>> pinned;

static bool is_pinned(const void *p)
{
    std::lock_guard<std::mutex> g(mu);
    for (auto &r : pinned)
        if ((const char *)p >= r.first && (const char *)p < r.first + r.second)
            return true;
    return false;
}

static void set_pinned(const void *p, size_t n)
{
    std::lock_guard<std::mutex> g(mu);
    if (n > 0)
        pinned.push_back({(const char *)p, n});
    else
        std::erase_if(pinned, [&](auto &r) { return r.first == (const char *)p; });
}

static bool is_device(const void *p)
{
    std::lock_guard<std::mutex> g(mu);
    for (auto &r : taken)
        if ((const char *)p >= (const char *)r.first &&
            (const char *)p < (const char *)r.first + r.second)
            return true;
    return false;
}

static std::vector<cudaStream_t> streams;

static cudaError_t run_all()
{
    std::vector<cudaStream_t> all;
    {
        std::lock_guard<std::mutex> g(mu);
        all = streams;
    }
    for (cudaStream_t s : all)
        queue_run(s, (size_t)-1);
    return cudaSuccess;
}

static cudaError_t copy(void *dst, const void *src, int value, size_t n, cudaStream_t s)
{
    if (s && s->capture) {
        if (n > 0 && src && !is_pinned(src) && !is_device(src))
            return state(); /* the host's memory would be read at once */
        sim_graph::Node node;
        node.dst = dst, node.src = src, node.value = value, node.bytes = n;
        s->capture->nodes.push_back(node);
        return cudaSuccess;
    }
    if (s && s->is_late && n > 0) {
        sim_graph::Node node;
        node.dst = dst, node.src = src, node.value = value, node.bytes = n;
        if (src && !is_pinned(src) && !is_device(src)) /* a device reads it before it returns */
            node.own.assign((const char *)src, (const char *)src + n);
        queue_add(s, std::move(node));
        return state();
    }
    if (recording) /* of another stream, and waits for it */
        return state();
    if (n > 0)
        copy_bytes(dst, src, value, n);
    return state();
}

/* What a device refuses while this thread records, because it may have to wait for everything. */
static bool is_refused(cudaError_t *ret_e)
{
    if (!breaks_recording())
        return false;
    *ret_e = state();
    return true;
}

#ifndef CUDASIM_RACE
void note_alloc(void *, size_t, bool)
{
}
void note_free(void *)
{
}
void note_host_write(void *, size_t)
{
}
void note_all_done()
{
}
void check_nc(Worker *, const void *, size_t, Site)
{
}
#endif
} /* namespace sim */

struct sim_event {
    std::chrono::steady_clock::time_point t;
    cudaStream_t stream = nullptr; /* and how much had been asked of it */
    size_t at = 0;
};

/* ---- devices ----------------------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *n)
{
    const char *s = getenv("CUDASIM_DEVICES");
    *n = 0;
    if (sim::fails("no-driver"))
        return cudaErrorNoDevice;
    if (sim::fails("old-driver"))
        return cudaErrorInsufficientDriver;
    *n = s ? abs(atoi(s)) : 1;
    return *n > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device)
{
    *p = cudaDeviceProp{};
    const char *name = getenv("CUDASIM_NAME");
    snprintf(p->name, sizeof p->name, "%s %d", name ? name : "Simulated GPU", device);
    for (int i = 0; i < 16; i++)
        p->uuid.bytes[i] = (char)(i * 17 + device);
    p->totalGlobalMem = sim::memory() + ((size_t)device << 20);
    p->major = sim::capability(device) / 10;
    p->minor = sim::capability(device) % 10;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int device)
{
    *v = a == cudaDevAttrMultiProcessorCount            ? 4
         : a == cudaDevAttrComputeCapabilityMajor       ? sim::capability(device) / 10
         : a == cudaDevAttrComputeCapabilityMinor       ? sim::capability(device) % 10
         : a == cudaDevAttrMaxSharedMemoryPerBlockOptin ? (int)sim::config().smem
         : a == cudaDevAttrL2CacheSize                  ? 1 << 20
         : a == cudaDevAttrComputeMode && sim::is_prohibited(device)
             ? (int)cudaComputeModeProhibited
             : 0;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *v)
{
    *v = sim::fails("no-driver") ? 0 : sim::fails("old-driver") ? 11080 : 12040;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *v)
{
    *v = 12040;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int)
{
    return sim::fails("busy") ? cudaErrorDevicesUnavailable : cudaSuccess;
}
cudaError_t cudaSetDeviceFlags(unsigned)
{
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize()
{
    sim::run_all();
    sim::note_all_done();
    return sim::state();
}
cudaError_t cudaGetLastError()
{
    std::lock_guard<std::mutex> g(sim::mu);
    cudaError_t e = sim::last;
    sim::last = cudaSuccess;
    return e;
}
cudaError_t cudaPeekAtLastError()
{
    std::lock_guard<std::mutex> g(sim::mu);
    return sim::last;
}
const char *cudaGetErrorString(cudaError_t e)
{
    static const struct {
        cudaError_t e;
        const char *text;
    } names[] = {
        {cudaSuccess, "no error"},
        {cudaErrorMemoryAllocation, "out of memory"},
        {cudaErrorInsufficientDriver, "the driver is too old for this runtime"},
        {cudaErrorDevicesUnavailable, "the device is busy or unavailable"},
        {cudaErrorNoDevice, "no device was found"},
        {cudaErrorNoKernelImageForDevice, "no kernel image is available for the device"},
    };
    for (const auto &n : names)
        if (n.e == e)
            return n.text;
    return sim::error_text.c_str();
}

/* ---- memory ------------------------------------------------------------------------------ */

/* CUDASIM_FAIL=no-memory-info: it does not say. */
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    if (sim::fails("no-memory-info"))
        return sim::set_error(cudaErrorUnknown, "nothing is known of the memory");
    std::lock_guard<std::mutex> g(sim::mu);
    *total = sim::memory();
    *free_bytes = *total - sim::taken_bytes;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t n)
{
    if (sim::breaks_recording())
        return sim::state();
    {
        std::lock_guard<std::mutex> g(sim::mu);
        if (n > sim::memory() - sim::taken_bytes || sim::memory_is_gone() || sim::is_frozen())
            return sim::last = cudaErrorMemoryAllocation;
        if (posix_memalign(p, 256, n ? n : 1))
            return sim::last = cudaErrorMemoryAllocation;
        sim::taken.push_back({*p, n});
        sim::taken_bytes += n;
    }
    memset(*p, 0xff, n);
    sim::note_alloc(*p, n, false);
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    if (sim::breaks_recording())
        return sim::state();
    sim::run_all();
    std::lock_guard<std::mutex> g(sim::mu);
    for (auto &t : sim::taken)
        if (p && t.first == p) {
            sim::taken_bytes -= t.second;
            t = sim::taken.back();
            sim::taken.pop_back();
            sim::note_free(p);
            free(p);
            break;
        }
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **p, size_t n, unsigned)
{
    cudaError_t e;
    if (sim::is_refused(&e))
        return e;
    if (sim::pins_no_more() || sim::is_frozen() || posix_memalign(p, 4096, n ? n : 1))
        return cudaErrorMemoryAllocation;
    sim::set_pinned(*p, n);
    sim::note_alloc(*p, n, true);
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p)
{
    cudaError_t e;
    if (sim::is_refused(&e))
        return e;
    sim::run_all();
    sim::set_pinned(p, 0);
    sim::note_free(p);
    free(p);
    return cudaSuccess;
}
cudaError_t cudaHostRegister(void *p, size_t n, unsigned)
{
    cudaError_t e;
    if (sim::is_refused(&e))
        return e;
    sim::set_pinned(p, n);
    sim::note_alloc(p, n, true);
    return cudaSuccess;
}
cudaError_t cudaHostUnregister(void *p)
{
    cudaError_t e;
    if (sim::is_refused(&e))
        return e;
    sim::set_pinned(p, 0);
    sim::note_free(p);
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void *d, const void *s, size_t n, cudaMemcpyKind)
{
    return sim::copy(d, s, 0, n, nullptr);
}
cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, cudaMemcpyKind, cudaStream_t st)
{
    return sim::copy(d, s, 0, n, st);
}
cudaError_t cudaMemset(void *d, int v, size_t n)
{
    return sim::copy(d, nullptr, v, n, nullptr);
}
cudaError_t cudaMemsetAsync(void *d, int v, size_t n, cudaStream_t st)
{
    return sim::copy(d, nullptr, v, n, st);
}

/* ---- streams, events, graphs ------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = new sim_stream;
    (*s)->is_late = getenv("CUDASIM_LATE");
    std::lock_guard<std::mutex> g(sim::mu);
    sim::streams.push_back(*s);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    sim::queue_run(s, (size_t)-1);
    {
        std::lock_guard<std::mutex> g(sim::mu);
        std::erase(sim::streams, s);
    }
    delete s;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    cudaError_t e = sim::queue_run(s, (size_t)-1);
    sim::note_all_done();
    return e == cudaSuccess ? sim::state() : e;
}
cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device)
{
    /* CUDASIM_DEVICES=-N: N devices, in the reverse of the order that CUDA has them in */
    const char *s = getenv("CUDASIM_DEVICES");
    const int n = s ? atoi(s) : 1;
    snprintf(text, (size_t)size, "0000:%02x:00.0", n < 0 ? 32 - device : device + 1);
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = new sim_event{};
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    if (s && s->is_late) {
        std::lock_guard<std::mutex> g(s->mu);
        e->stream = s, e->at = s->asked;
    }
    e->t = std::chrono::steady_clock::now();
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    cudaError_t r = sim::queue_run(e->stream, e->at);
    sim::note_all_done();
    return r == cudaSuccess ? sim::state() : r;
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b)
{
    *ms = std::chrono::duration<float, std::milli>(b->t - a->t).count();
    return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
    if (sim::recording)
        return sim::state();
    s->capture = new sim_graph;
    sim::recording = s;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    sim_graph *made = s->capture;
    sim::note_all_done();
    sim::recording = nullptr;
    s->capture = nullptr;
    *g = nullptr;
    if (!made)
        return sim::set_error(cudaErrorInvalidValue, "the stream is not recorded");
    if (made->is_broken || sim::fails("capture")) {
        delete made;
        return sim::set_error(cudaErrorStreamCaptureInvalidated, "the recording was broken");
    }
    *g = made;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long)
{
    {
        std::lock_guard<std::mutex> l(sim::mu);
        if (!sim::take_own(g->nodes.size() * NODE_BYTES))
            return sim::last = cudaErrorMemoryAllocation;
    }
    *e = new sim_graph(*g);
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s)
{
    if (s && s->is_late) {
        for (sim_graph::Node n : e->nodes)
            sim::queue_add(s, std::move(n));
        return cudaSuccess;
    }
    return sim::graph_run(e);
}
cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    delete g;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e)
{
    {
        std::lock_guard<std::mutex> l(sim::mu);
        sim::taken_bytes -= e->nodes.size() * NODE_BYTES;
    }
    delete e;
    return cudaSuccess;
}
