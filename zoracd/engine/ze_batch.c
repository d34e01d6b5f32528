/* SPDX-License-Identifier: MIT */
/* One block holds everything that a pass must be told, fixed arrays first, page numbers last, so
 * that one upload of its used front does. Pointers inside it are the device's. */
#include "zoracd/engine/ze_batch.h"

#include "common/zc_err.h"
#include "kernels/zk_draw.h"
#include "zoracd/engine/ze_sample.h"

/* Offsets of the arrays in the block. What varies in length comes last: the list of tokens to
 * penalize is rare, and sent by itself. */
struct layout {
    size_t ids, pos, out_rows, seqs, draws, seen, pages, end;
};

static struct layout lay_out(const struct ze_limits *max)
{
    struct layout o = {0};
    const size_t word = sizeof(int32_t);

    o.seqs = 0; /* holds pointers: first */
    o.draws = o.seqs + (size_t)max->seqs * sizeof(struct zk_seq);
    o.ids = o.draws + (size_t)max->logit_rows * sizeof(struct zk_draw);
    o.pos = o.ids + (size_t)max->rows * word;
    o.out_rows = o.pos + (size_t)max->rows * word;
    o.pages = o.out_rows + (size_t)max->logit_rows * word;
    o.seen = o.pages + (size_t)max->seqs * (size_t)max->seq_pages * word;
    o.end = o.seen + (size_t)max->seen * sizeof(struct zk_seen);
    return o;
}

uint64_t ze_batch_bytes(const struct ze_limits *max)
{
    return lay_out(max).end;
}

void ze_batch_init(struct ze_batch *b, const struct ze_limits *max, char *host, char *meta)
{
    struct layout o = lay_out(max);

    *b = (struct ze_batch){.max = *max, .host = host, .meta = meta};
    b->seqs = (struct zk_seq *)(void *)(host + o.seqs);
    b->ids = (int32_t *)(void *)(host + o.ids);
    b->pos = (int32_t *)(void *)(host + o.pos);
    b->out_rows = (int32_t *)(void *)(host + o.out_rows);
    b->draws = (struct zk_draw *)(void *)(host + o.draws);
    b->pages = (int32_t *)(void *)(host + o.pages);
    b->seen = (struct zk_seen *)(void *)(host + o.seen);
}

void ze_batch_clear(struct ze_batch *b)
{
    b->n_rows = b->n_seqs = b->n_out = b->n_pages = b->n_seen = b->last_pos = 0;
}

void ze_batch_add(struct ze_batch *b, const int32_t *ids, const int32_t *pages, int first, int n,
                  int out_first)
{
    int n_pages = (first + n + ZK_PAGE - 1) / ZK_PAGE;
    const char *pages_at = b->meta + lay_out(&b->max).pages;

    ZC_BUG_ON(b->n_rows + n > b->max.rows || b->n_seqs == b->max.seqs ||
              b->n_out + n - out_first > b->max.logit_rows || n_pages > b->max.seq_pages);
    b->seqs[b->n_seqs++] = (struct zk_seq){
        .pages = (const int32_t *)(const void *)pages_at + b->n_pages,
        .first_row = b->n_rows,
        .n_rows = n,
        .pos0 = first,
    };
    if (first + n - 1 > b->last_pos)
        b->last_pos = first + n - 1;
    for (int i = 0; i < n_pages; i++)
        b->pages[b->n_pages++] = pages[i];
    for (int i = out_first; i < n; i++) {
        b->draws[b->n_out] = (struct zk_draw){0};
        b->out_rows[b->n_out++] = b->n_rows + i;
    }
    for (int i = 0; i < n; i++) {
        b->ids[b->n_rows] = ids[first + i];
        b->pos[b->n_rows++] = first + i;
    }
}

void ze_batch_draw(struct ze_batch *b, const struct ze_sampler *s, uint64_t index)
{
    struct zk_draw *d = &b->draws[b->n_out - 1];

    if (ze_sampler_ask(s, index, d, b->seen + b->n_seen, b->max.seen - b->n_seen) < 0)
        return;
    d->first_seen = b->n_seen;
    b->n_seen += d->n_seen;
}

void ze_batch_pad(struct ze_batch *b, int rows)
{
    ZC_BUG_ON(rows > b->max.rows || rows > b->max.seqs || rows > b->max.logit_rows);
    while (b->n_rows < rows) {
        b->seqs[b->n_seqs++] = (struct zk_seq){.first_row = b->n_rows};
        b->draws[b->n_out] = (struct zk_draw){0};
        b->out_rows[b->n_out++] = b->n_rows;
        b->ids[b->n_rows] = ZK_PADDING;
        b->pos[b->n_rows++] = 0;
    }
    b->last_pos = b->max.seq_pages * ZK_PAGE - 1;
}

int ze_batch_send(struct ze_batch *b, struct zk_dev *dev, struct ze_pass *ret_p)
{
    struct layout o = lay_out(&b->max);
    size_t used = o.pages + (size_t)b->n_pages * sizeof *b->pages;
    const char *meta = b->meta;
    int r = dev->ops->send(dev, b->meta, b->host, used);

    if (r == ZC_OK && b->n_seen > 0)
        r = dev->ops->send(dev, b->meta + o.seen, b->seen, (size_t)b->n_seen * sizeof *b->seen);
    if (r < 0)
        return r;
    *ret_p = (struct ze_pass){
        .batch =
            {
                .rows = b->n_rows,
                .n_seqs = b->n_seqs,
                .last_pos = b->last_pos,
                .pos = (const int32_t *)(const void *)(meta + o.pos),
                .seqs = (const struct zk_seq *)(const void *)(meta + o.seqs),
            },
        .ids = (const int32_t *)(const void *)(meta + o.ids),
        .out_rows = (const int32_t *)(const void *)(meta + o.out_rows),
        .n_out = b->n_out,
        .draws = (const struct zk_draw *)(const void *)(meta + o.draws),
        .seen = (const struct zk_seen *)(const void *)(meta + o.seen),
    };
    return ZC_OK;
}
