/* SPDX-License-Identifier: MIT */
/* Time and energy for zorac-bench: events in the stream, and the device's own count of joules by
 * NVML, which is part of the driver and opened by its soname when somebody first asks. Nothing of
 * this is there until then. */
#include "kernels/cuda/zkc.cuh"

#include <dlfcn.h>

extern "C" {
#include "common/zc_mem.h"
}

struct zkc_meter {
    cudaEvent_t mark[ZK_MAX_MARKS]; /* NULL: not made yet */
    void *nvml, *device;            /* NULL: there is none, or it does not know the device */
    int (*shutdown)(void);
    int (*energy)(void *device, unsigned long long *millijoules);
};

/* The device is the one with our PCI address: NVML counts those that are hidden from us, too. */
static void find_device(struct zkc_meter *m, int ordinal)
{
    char address[32] = "";
    int (*init)(void) = (int (*)(void))dlsym(m->nvml, "nvmlInit_v2");
    int (*by_address)(const char *, void **) =
        (int (*)(const char *, void **))dlsym(m->nvml, "nvmlDeviceGetHandleByPciBusId_v2");
    m->shutdown = (int (*)(void))dlsym(m->nvml, "nvmlShutdown");
    m->energy = (int (*)(void *, unsigned long long *))dlsym(m->nvml,
                                                             "nvmlDeviceGetTotalEnergyConsumption");
    if (!init || !by_address || !m->shutdown || !m->energy || init() != 0)
        return;
    if (cudaDeviceGetPCIBusId(address, sizeof address, ordinal) != cudaSuccess ||
        by_address(address, &m->device) != 0)
        m->device = NULL;
    if (!m->device)
        m->shutdown();
}

static struct zkc_meter *meter_of(struct zkc_dev *d)
{
    void *p;
    if (!d->meter && zc_try_calloc(&p, 1, sizeof *d->meter, SIZE_MAX) == ZC_OK) {
        d->meter = (struct zkc_meter *)p;
        d->meter->nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
        if (d->meter->nvml)
            find_device(d->meter, d->ordinal);
    }
    return d->meter;
}

int zkc_mark(struct zk_dev *dev, int slot)
{
    struct zkc_dev *d = zkc_of(dev);
    struct zkc_meter *m = meter_of(d);
    cudaError_t e = cudaSuccess;
    if (!m || slot < 0 || slot >= ZK_MAX_MARKS)
        return m ? ZC_EINVAL : ZC_ENOMEM;
    if (!m->mark[slot])
        e = cudaEventCreateWithFlags(&m->mark[slot], cudaEventDefault);
    if (e == cudaSuccess)
        e = cudaEventRecord(m->mark[slot], d->stream);
    return zkc_check(d, e);
}

double zkc_between(struct zk_dev *dev, int from, int to)
{
    const struct zkc_meter *m = zkc_of(dev)->meter;
    float ms = 0;
    if (!m || cudaEventElapsedTime(&ms, m->mark[from], m->mark[to]) != cudaSuccess)
        return 0;
    return (double)ms / 1000;
}

double zkc_joules(struct zk_dev *dev)
{
    const struct zkc_meter *m = meter_of(zkc_of(dev));
    unsigned long long millijoules = 0;
    if (!m || !m->device || m->energy(m->device, &millijoules) != 0)
        return -1;
    return (double)millijoules / 1000;
}

void zkc_meter_close(struct zkc_dev *d)
{
    struct zkc_meter *m = d->meter;
    if (!m)
        return;
    for (int i = 0; i < ZK_MAX_MARKS; i++)
        if (m->mark[i])
            cudaEventDestroy(m->mark[i]);
    if (m->device)
        m->shutdown();
    if (m->nvml)
        dlclose(m->nvml);
    zc_free(m);
    d->meter = NULL;
}
