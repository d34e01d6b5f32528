/* SPDX-License-Identifier: MIT */
/* Which names have no value at the begin of a scope, whatever the context has: jinja2 looks each
 * name up once, when a frame of variables begins, unless the first that the frame does to it is to
 * set it. Inside loops and macros that run before that, it is undefined. */
#include "zoracd/text/zt_tmpl_internal.h"

struct zt_list *zt_frame_open(struct zt_frames *fs, bool sees_around)
{
    struct zt_frame *f = zt_alloc(fs->e, 1, sizeof *f);

    *f = (struct zt_frame){
        .around = sees_around ? fs->now : NULL, .before = fs->now, .next = fs->all};
    f->seen = zt_dict_new(fs->e);
    f->hides = zt_list_new(fs->e, 0);
    fs->all = fs->now = f;
    return f->hides;
}

void zt_frame_close(struct zt_frames *fs)
{
    fs->now = fs->now->before;
}

void zt_frame_see(struct zt_frames *fs, int id, bool sets)
{
    struct zt_val k = zt_int(id, true);

    if (!zt_dict_get(fs->e, fs->now->seen, k))
        zt_dict_set(fs->e, fs->now->seen, k, zt_bool(sets && fs->now->ifs == 0));
}

void zt_frame_see_targets(struct zt_frames *fs, const struct zt_node *target, bool sets)
{
    if (target->type != ZT_N_TUPLE)
        zt_frame_see(fs, target->id, sets && target->type == ZT_N_NAME);
    else
        for (const struct zt_node *t = target->a; t; t = t->next)
            zt_frame_see_targets(fs, t, sets);
}

/* Whether a frame around f knows the name, which then is read from there. */
static bool is_known_around(const struct zt_frames *fs, const struct zt_frame *f, struct zt_val id)
{
    for (f = f->around; f; f = f->around)
        if (zt_dict_get(fs->e, f->seen, id))
            return true;
    return false;
}

void zt_frames_end(struct zt_frames *fs)
{
    for (const struct zt_frame *f = fs->all; f; f = f->next)
        for (size_t i = 0; i < f->seen->n; i++)
            if (f->seen->e[i].v.u.b && !is_known_around(fs, f, f->seen->e[i].k))
                zt_push(fs->e, f->hides, f->seen->e[i].k);
}
