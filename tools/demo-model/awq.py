# SPDX-License-Identifier: MIT
"""AWQ: activation-aware weight quantization to 4 bits, groups of 128, with zero points.

Channels that carry large activations lose most by rounding. So the input channels of some linear
layers are scaled up by s and what feeds them is scaled down by s: the product is the same, but the
rounding error falls where it costs less. s is searched for: mean|x|^r / mean|w|^(1-r), with r on a
grid, with and without the weights' part, by the error of the block's output on calibration text.
What takes 1/s: the norm before q, k, v and before gate, up; the rows of up before down. (v before o
is left out: with grouped queries their widths differ, as in the target.) Then the range of each
group is shrunk where clipping a few large weights makes the output better. Layers are done in turn,
each on the outputs of the quantized ones before it.
"""
import copy

import torch
import torch.nn.functional as F

GROUP = 128
GRID = 20


def quantize(w, clip=None):
    """Codes 0..15 [N][K], zero points [N][G] and bfloat16 scales [N][G]: min-max, asymmetric.

    clip [N][G] is the share of each group's range that is kept."""
    groups = w.float().unflatten(1, (-1, GROUP))
    low, high = groups.amin(-1).clamp(max=0), groups.amax(-1).clamp(min=0)
    if clip is not None:
        low, high = low * clip, high * clip
    scale = ((high - low) / 15).bfloat16()
    scale = torch.where(scale == 0, torch.finfo(torch.bfloat16).eps, scale)
    zero = torch.round(-low / scale.float()).clamp(0, 15)
    code = torch.round(groups / scale.float()[..., None] + zero[..., None]).clamp(0, 15)
    return code.flatten(1).to(torch.uint8), zero.to(torch.uint8), scale


def dequantize(code, zero, scale):
    """(code - zero) * scale in float32."""
    groups = code.float().unflatten(1, (-1, GROUP))
    return ((groups - zero.float()[..., None]) * scale.float()[..., None]).flatten(1)


def rounded(w, clip=None):
    return dequantize(*quantize(w, clip))


def search_scale(linears, x, run):
    """The channel scales for linears, which all read x; run() gives the block's output."""
    original = [m.weight.data.clone() for m in linears]
    wanted = run()
    x_mean = x.abs().flatten(0, -2).mean(0)
    w = torch.cat(original).abs().unflatten(1, (-1, GROUP))
    w_mean = (w / w.amax(-1, keepdim=True).clamp(min=1e-12)).flatten(1).mean(0)
    best, best_error = None, float("inf")
    for duo in (False, True):
        for r in (i / GRID for i in range(GRID)):
            s = x_mean.pow(r) / (w_mean.pow(1 - r) + 1e-4 if duo else 1)
            s = s.clamp(min=1e-4)
            s = s / (s.max() * s.min()).sqrt()
            for m, w in zip(linears, original):
                m.weight.data = rounded(w * s) / s
            error = F.mse_loss(run(), wanted).item()
            if error < best_error:
                best, best_error = s, error
    for m, w in zip(linears, original):
        m.weight.data = w
    return best, best_error


def fold_into_norm(norm, linears, s):
    """The norm gives 1/s, the linears take s. The norm is rounded to the file's bfloat16 here,
    and the linears take what that left, so that its rounding costs nothing."""
    new = (norm.weight.data / s).bfloat16().float()
    s = norm.weight.data / new
    norm.weight.data = new
    for m in linears:
        m.weight.data = m.weight.data * s


def search_clip(w, x):
    """The share of each group's range to keep, by the error of the group's part of the output."""
    x = x.flatten(0, -2)
    x = x[:: max(1, len(x) // 512)].unflatten(1, (-1, GROUP))
    groups = w.unflatten(1, (-1, GROUP))
    wanted = torch.einsum("tgk,ngk->ntg", x, groups)
    best = torch.ones(groups.shape[:2])
    best_error = torch.full_like(best, float("inf"))
    for share in (1 - 0.5 * i / GRID for i in range(GRID)):
        q = rounded(w, torch.full_like(best, share)).unflatten(1, (-1, GROUP))
        error = (torch.einsum("tgk,ngk->ntg", x, q) - wanted).pow(2).mean(1)
        best = torch.where(error < best_error, share, best)
        best_error = torch.minimum(error, best_error)
    return best


@torch.no_grad()
def inputs_of(layer, x, table, names):
    """What the linears called names read when the layer runs on x."""
    seen, hooks = {}, []
    for name in names:
        keep = lambda module, args, name=name: seen.__setitem__(name, args[0])
        hooks.append(layer.get_submodule(name).register_forward_pre_hook(keep))
    layer(x, table, None)
    for h in hooks:
        h.remove()
    return seen


@torch.no_grad()
def awq(model, ids):
    """Quantizes a copy of the model on the calibration ids [rows, length].

    Returns the copy, its linears replaced by what the codes stand for, and the codes by module."""
    model = copy.deepcopy(model).float()
    for p in (model.model.embed_tokens.weight, model.lm_head.weight, model.model.norm.weight):
        p.data = p.data.bfloat16().float()
    table = tuple(t[:ids.shape[1]] for t in model.table)
    x = model.model.embed_tokens(ids)
    codes = {}
    for number, layer in enumerate(model.model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        qkv = [attention.q_proj, attention.k_proj, attention.v_proj]
        gate_up = [mlp.gate_proj, mlp.up_proj]

        h = layer.input_layernorm(x)
        s, error1 = search_scale(qkv, h, lambda: attention(h, table, None))
        fold_into_norm(layer.input_layernorm, qkv, s)
        h2 = layer.post_attention_layernorm(x + attention(layer.input_layernorm(x), table, None))
        s, error2 = search_scale(gate_up, h2, lambda: mlp(h2))
        fold_into_norm(layer.post_attention_layernorm, gate_up, s)
        h3 = inputs_of(layer, x, table, ["mlp.down_proj"])["mlp.down_proj"]
        s, error3 = search_scale([mlp.down_proj], h3, lambda: mlp.down_proj(h3))
        mlp.up_proj.weight.data = mlp.up_proj.weight.data / s[:, None]
        mlp.down_proj.weight.data = mlp.down_proj.weight.data * s

        names = [n for n, m in layer.named_modules() if isinstance(m, torch.nn.Linear)]
        seen = inputs_of(layer, x, table, names)
        for name in names:
            m = layer.get_submodule(name)
            # Clipping q and k is known to hurt: their product, not each by itself, is what counts.
            product = name.endswith(("q_proj", "k_proj"))
            clip = None if product else search_clip(m.weight.data, seen[name])
            codes[f"model.layers.{number}.{name}"] = parts = quantize(m.weight.data, clip)
            m.weight.data = dequantize(*parts)
        x = layer(x, table, None)
        print(f"layer {number}: error {error1:.2e} {error2:.2e} {error3:.2e}", flush=True)
    return model, codes
