/* SPDX-License-Identifier: MIT */
/* How many threads a process may usefully run here: the cores of its affinity, and what its
 * control group lets it have (both hierarchies). */
#include "config.h"

#include "kernels/zk.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First line of a file without its newline; false if there is none. */
static bool read_line(const char *path, char *buf, int size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool ok = fgets(buf, size, f) != NULL;
    fclose(f);
    if (ok)
        buf[strcspn(buf, "\n")] = '\0';
    return ok;
}

/* Whether cpu is the first of its core's hyper-threads in the set. */
static bool is_first_of_core(int cpu, const cpu_set_t *set, size_t size)
{
    char path[128], list[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!read_line(path, list, sizeof list))
        return true;
    for (char *p = list; *p != '\0';) {
        char *end;
        long a = strtol(p, &end, 10), b = a;
        if (end == p)
            break;
        if (*end == '-')
            b = strtol(end + 1, &end, 10);
        for (long c = a; c <= b && c < cpu; c++)
            if (CPU_ISSET_S((size_t)c, size, set))
                return false;
        p = *end == ',' ? end + 1 : end;
    }
    return true;
}

static int affinity_cores(void)
{
    int n = 0, cpus = 8192;
    size_t size = CPU_ALLOC_SIZE(cpus);
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL)
        return 1;
    CPU_ZERO_S(size, set);
    if (sched_getaffinity(0, size, set) == 0)
        for (int c = 0; c < cpus; c++)
            if (CPU_ISSET_S((size_t)c, size, set) && is_first_of_core(c, set, size))
                n++;
    CPU_FREE(set);
    return n > 0 ? n : 1;
}

/* Processors that quota microseconds in each period come to, rounded up. */
static int quota_cpus(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    long long n = (quota + period - 1) / period;
    return n < INT_MAX ? (int)n : INT_MAX;
}

/* The limit in one control group folder. */
static int group_limit(const char *dir)
{
    char path[PATH_MAX + 64], line[128];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (read_line(path, line, sizeof line) && sscanf(line, "%lld %lld", &quota, &period) == 2)
        return quota_cpus(quota, period);
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1)
        return INT_MAX;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1)
        return INT_MAX;
    return quota_cpus(quota, period);
}

/* The least limit of a group and everything above it. */
static int hierarchy_limit(const char *root, const char *group)
{
    char dir[PATH_MAX];
    int least = INT_MAX;
    size_t n = strlen(root);

    if ((size_t)snprintf(dir, sizeof dir, "%s%s", root, group) >= sizeof dir)
        return INT_MAX;
    for (;;) {
        int limit = group_limit(dir);
        least = limit < least ? limit : least;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= n || slash == NULL)
            return least;
        *slash = '\0';
    }
}

static int cgroup_cpus(void)
{
    char line[PATH_MAX];
    int least = INT_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL)
        return least;
    while (fgets(line, sizeof line, f) != NULL) {
        int limit = INT_MAX;
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (names[1] == '\0')
            limit = hierarchy_limit("/sys/fs/cgroup", path);
        else if (strcmp(names + 1, "cpu,cpuacct") == 0 || strcmp(names + 1, "cpu") == 0)
            limit = hierarchy_limit("/sys/fs/cgroup/cpu", path);
        least = limit < least ? limit : least;
    }
    fclose(f);
    return least;
}

int zk_cpu_threads_default(void)
{
    int cores = affinity_cores(), limit = cgroup_cpus();
    return cores < limit ? cores : limit;
}
