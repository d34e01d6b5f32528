/* SPDX-License-Identifier: MIT */
/* The part of NVML that the back-end uses, for the simulator: its first device takes 100 watts. */
#include <string.h>
#include <time.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);

static int users;

int nvmlInit_v2(void)
{
    users++;
    return 0;
}

int nvmlShutdown(void)
{
    return --users < 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device)
{
    *device = &users;
    return users < 1 || strcmp(address, "0000:01:00.0") != 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    *millijoules = 100000ull * (unsigned long long)t.tv_sec + (unsigned long long)t.tv_nsec / 10000;
    return device != &users;
}
