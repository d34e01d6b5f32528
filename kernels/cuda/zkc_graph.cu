/* SPDX-License-Identifier: MIT */
/* Passes, and those that are always the same as CUDA graphs: a decode step is some three hundred
 * launches, which one launch of a graph replaces. What differs from step to step (tokens,
 * positions, page tables, which rows are padding) lies in device memory, so a graph is made once
 * and never changed.
 *
 * A pass is captured from the stream: its operations are the same calls whether they are kept or
 * run, and know nothing of it. */
#include "kernels/cuda/zkc.cuh"

int zkc_begin(struct zk_dev *dev, enum zk_phase phase, int record, bool *ret_done)
{
    struct zkc_dev *d = zkc_of(dev);
    if (record < 0 || record > ZK_MAX_RECORD || d->recording || d->replaying)
        return ZC_EINVAL;
    zkc_enter(d);
    zkc_ring_close(d); /* of loading, which is over */
    d->is_loaded = true;
    d->is_prefill = phase != ZK_DECODE && dev->prefill_alone;
    d->is_unit = phase == ZK_UNIT && dev->prefill_alone;
    *ret_done = record > 0 && d->graph[record] != NULL;
    if (*ret_done) {
        d->replaying = record;
        return ZC_OK;
    }
    if (record == 0)
        return ZC_OK;
    d->refused = cudaSuccess;
    cudaError_t e = cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal);
    if (e == cudaSuccess)
        d->recording = record;
    return zkc_check(d, e);
}

/* What was captured, ready to run. r: of the operations. What the driver refuses to record (the
 * same operations have run unrecorded) is no failure of the pass. */
static int finish_recording(struct zkc_dev *d, int r, struct zc_diag *dg)
{
    const int record = d->recording;
    cudaGraph_t graph = NULL;
    cudaError_t e = cudaStreamEndCapture(d->stream, &graph);
    d->recording = 0;
    if (d->refused != cudaSuccess)
        e = d->refused;
    if (e == cudaSuccess && r == ZC_OK)
        e = cudaGraphInstantiate(&d->graph[record], graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (e == cudaSuccess)
        return r;
    cudaGetLastError();
    d->graph[record] = NULL;
    return zc_diag(dg, ZC_EUNSUPPORTED, "the GPU's steps can't be recorded: %s",
                   cudaGetErrorString(e));
}

int zkc_end(struct zk_dev *dev, int r, struct zc_diag *dg)
{
    struct zkc_dev *d = zkc_of(dev);
    const int record = d->recording ? d->recording : d->replaying;
    d->is_prefill = d->is_unit = false;
    d->replaying = 0;
    if (d->recording)
        r = finish_recording(d, r, dg);
    if (r < 0 || record == 0)
        return r;
    r = zkc_check(d, cudaGraphLaunch(d->graph[record], d->stream));
    return r < 0 ? zc_diag(dg, r, "a recorded step could not be started") : r;
}

void zkc_graphs_free(struct zkc_dev *d)
{
    for (int i = 1; i <= ZK_MAX_RECORD; i++)
        if (d->graph[i])
            cudaGraphExecDestroy(d->graph[i]);
}
