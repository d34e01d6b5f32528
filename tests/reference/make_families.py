#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/golden/families: tiny models of random weights and the logits that the reference
implementation computes from them. Not part of the build: run by hand when a case is added, and the
result is committed, so that `make check` needs no Python.

    python3 tests/reference/make_families.py tests/golden/families

Needs PyPI's torch, transformers, compressed-tensors, bitsandbytes, safetensors, numpy. The forward pass is
transformers' own, in float32 on the CPU; compressed-tensors and bitsandbytes files are written and read back by
those libraries' own packers; fp8 is torch's. AutoAWQ can no longer be installed: its layouts are packed here, from their
definition. Activation order (weight_g_idx) is no longer written by the library: the same here.
Directories of compressed-tensors with one scheme are also read back by transformers itself.

families/<weights>/           config.json, model.safetensors (or shards)
families/manifest.json        the cases: weights, keys that replace those of config.json, token ids,
                              where the logits lie, the reference's greedy ids and their margins
families/logits.f32           rows of vocab floats, little-endian
"""
import json
import pathlib
import sys

import bitsandbytes.functional as bnb
import numpy as np
import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, CompressedTensorsConfig
from transformers.models.mistral import modeling_mistral

VOCAB, TOKENS = 256, 40
# Rows of logits that are kept: the first, those around page borders (16), the last.
ROWS = [0, 1, 15, 16, 17, 31, 32, 33, TOKENS - 1]
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


# ---- models -----------------------------------------------------------------------------------


def config(model_type, architecture, dtype, **more):
    c = {
        "architectures": [architecture],
        "model_type": model_type,
        "torch_dtype": dtype,
        "hidden_size": 64,
        "intermediate_size": 112,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCAB,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    c.update(more)
    return c


def reference_model(conf, state):
    """transformers' model with these float32 weights."""
    conf = {k: v for k, v in conf.items() if k not in ("quantization_config", "torch_dtype")}
    model_type = conf.pop("model_type")
    c = AutoConfig.for_model(model_type, **conf)
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager").float().eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = {"lm_head.weight"} if conf["tie_word_embeddings"] else set()
    assert set(missing) <= tied and not unexpected, (missing, unexpected)
    model.tie_weights()
    return model


def random_state(conf, seed, gain=1.5):
    """Weights that make attention sharp and logits spread, so that a mistake anywhere shows."""
    torch.manual_seed(seed)
    names = {k: v for k, v in conf.items() if k not in ("torch_dtype",)}
    model_type = names.pop("model_type")
    skeleton = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **names))
    state = {}
    for name, p in skeleton.state_dict().items():
        if name == "lm_head.weight" and conf["tie_word_embeddings"]:
            continue
        if name.endswith("norm.weight"):
            v = 1 + 0.3 * torch.randn(p.shape)
        elif name.endswith("bias"):
            v = 0.5 * torch.randn(p.shape)
        elif "embed_tokens" in name:
            v = 0.5 * torch.randn(p.shape)
        else:
            v = gain * torch.randn(p.shape) / p.shape[1] ** 0.5
        state[name] = v.to(DTYPES[conf["torch_dtype"]])
    return state


def token_ids(seed):
    return np.random.default_rng(seed).integers(3, VOCAB, TOKENS).tolist()


def round_to_q8(x, order):
    """Activations as ZK_ACT_Q8 keeps them (kernels/zk.h), the columns put into order first."""
    blocks = x[..., order].reshape(*x.shape[:-1], -1, 32)
    amax = blocks.abs().amax(-1, keepdim=True)
    q = torch.round(blocks * (127 / torch.clamp(amax, min=2.0**-100)))
    out = torch.empty_like(x)
    out[..., order] = (q * (amax / 127)).reshape(x.shape)
    return out


def round_keys_and_values(forward):
    def wrapped(module, query, key, value, *rest, **kw):
        return forward(module, query, key.half().float(), value.half().float(), *rest, **kw)

    return wrapped


@torch.no_grad()
def logits_of(conf, state, ids, q8=None):
    """q8: names of modules whose input is rounded to 8 bits, with the order of columns of each;
    keys and values are rounded to fp16 then, too: the daemon's default mode."""
    model = reference_model(conf, {k: v.float() for k, v in state.items()})
    plain_forward = modeling_mistral.eager_attention_forward
    for name, order in (q8 or {}).items():
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, args, order=order: (round_to_q8(args[0], order),))
    if q8:
        modeling_mistral.eager_attention_forward = round_keys_and_values(plain_forward)
    logits = model(torch.tensor([ids])).logits[0].float().numpy()
    modeling_mistral.eager_attention_forward = plain_forward
    return logits


# ---- quantization -----------------------------------------------------------------------------


def group_view(w, group):
    n, k = w.shape
    return w.reshape(n, k // group, group)


def quantize(w, args, g_idx=None):
    """Integers, scales and zero points (signed, as the library has them) of w, by the library's
    own arithmetic; with g_idx the groups are of columns that it puts together."""
    n, k = w.shape
    group = args.group_size if args.strategy == "group" else k
    sorted_w = w if g_idx is None else w[:, torch.argsort(g_idx, stable=True)]
    groups = group_view(sorted_w, group)
    scale, zero = calculate_qparams(groups.amin(-1).float(), groups.amax(-1).float(), args)
    return scale, zero


def scheme(**kw):
    return QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(type="int", **kw))


def ct_module(w, sch, dtype):
    """Tensors of one compressed-tensors module and the float32 matrix that they stand for, both by
    the library. Scales are rounded to dtype first and multiplied in float32."""
    scale, zero = quantize(w, sch.weights)
    scale = scale.to(dtype)
    state = {"weight": w.float(), "weight_scale": scale.float()}
    if not sch.weights.symmetric:
        state["weight_zero_point"] = zero
    packed = PackedQuantizationCompressor.compress(state, sch)
    dense = PackedQuantizationCompressor.decompress(packed, sch)["weight"]
    packed["weight_scale"] = scale
    packed["weight_shape"] = packed["weight_shape"].to(torch.int64)
    return packed, dense.float()


def integers(w, args, dtype, g_idx=None):
    """Unsigned codes [n][k], zero points [n][groups] and scales, for the layouts packed here."""
    scale, zero = quantize(w, args, g_idx)
    scale = scale.to(dtype)
    n, k = w.shape
    index = torch.arange(k) // args.group_size if g_idx is None else g_idx
    half = 1 << (args.num_bits - 1)
    z = zero.int() + half
    q = torch.clamp(torch.round(w.float() / scale.float()[:, index]) + z[:, index], 0, 2 * half - 1)
    dense = (q - z[:, index]) * scale.float()[:, index]
    return q.int().numpy(), z.numpy(), scale, dense


def words(a, order=range(8)):
    """Packs the last axis, eight codes to an int32: nibble i holds code order[i]."""
    a = a.reshape(*a.shape[:-1], -1, 8).astype(np.uint32)
    w = np.zeros(a.shape[:-1], np.uint32)
    for i, j in enumerate(order):
        w |= a[..., j] << np.uint32(4 * i)
    return torch.from_numpy(w.view(np.int32))


def ct_act_order_module(w, args, dtype, rng):
    n, k = w.shape
    g_idx = torch.from_numpy(rng.permutation(np.arange(k) // args.group_size).astype(np.int32))
    q, z, scale, dense = integers(w, args, dtype, g_idx.long())
    return {
        "weight_packed": words(q),
        "weight_scale": scale,
        "weight_zero_point": words(z.T).T.contiguous(),
        "weight_shape": torch.tensor([n, k]),
        "weight_g_idx": g_idx,
    }, dense


def awq_gemm(q, z, scale):
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    return {
        "qweight": words(q.T, order),
        "qzeros": words(z.T, order),
        "scales": scale.T.contiguous(),
    }


def padded(a, width):
    out = np.zeros((a.shape[0], width), a.dtype)
    out[:, : a.shape[1]] = a
    return out


def zero_words(group, groups):
    mult = 1 if group >= 128 else 2 if group == 64 else 4
    return -(-(-(-groups // 8)) // mult) * mult


def awq_gemv(q, z, scale, group):
    width = 8 * zero_words(group, z.shape[1])
    return {
        "qweight": words(q),
        "qzeros": words(padded(z, width)),
        "scales": torch.from_numpy(padded(scale.numpy(), width)),
    }


def awq_gemv_fast(q, z, scale, group):
    n, k = q.shape
    out = np.zeros((n // 4, k), np.uint16)
    for row in range(n):
        for col in range(k):
            at = 64 * (col // 64) + 16 * (row % 4) + 8 * (col // 32 % 2) + col % 8
            out[row // 4, at] |= np.uint16(q[row, col] << 4 * (col // 8 % 4))
    width = 8 * zero_words(group, z.shape[1])
    product = -(scale.float() * torch.from_numpy(z)).half()
    return {
        "qweight": torch.from_numpy(out.view(np.int16)),
        "qzeros": torch.from_numpy(padded(product.numpy(), width)).T.contiguous(),
        "scales": torch.from_numpy(padded(scale.numpy(), width)).T.contiguous(),
    }


def bnb_module(w, dtype, quant_type, block, nested):
    """Tensors of one bitsandbytes module, the float32 matrix that they stand for, and that matrix with
    the table as ZK_ACT_Q8 products take it (kernels/zk.h), all but the last by the library. It sees
    one long row: on a CPU it takes no blocks over several rows, which its format and GPU do."""
    codes, state = bnb.quantize_4bit(w.to(dtype).reshape(1, -1), blocksize=block,
                                     quant_type=quant_type, compress_statistics=nested)
    state.shape = w.shape
    tensors = {"weight": codes}
    tensors.update({f"weight.{k}": v for k, v in state.as_dict(packed=True).items()})
    state.dtype, state.shape = torch.float32, (1, w.numel())
    dense = bnb.dequantize_4bit(codes, state).reshape(w.shape)
    table = state.code.double().numpy()
    unit = min((np.abs(table).max() / m for m in range(127, 0, -1)),
               key=lambda u: ((np.round(table / u) * u - table) ** 2).sum())
    state.code = torch.from_numpy((np.round(table / unit) * unit).astype(np.float32))
    pairs = codes.reshape(-1).long()
    index = torch.stack([pairs >> 4, pairs & 15], 1).reshape(w.shape)
    absmax = state.absmax
    if nested:
        absmax = bnb.dequantize_blockwise(absmax, state.state2) + state.offset
    rounded = state.code[index] * absmax.repeat_interleave(block)[: w.numel()].reshape(w.shape)
    return tensors, dense, rounded


def fp8_module(w, rows, cols, scale_name, static=None):
    """E4M3 with a scale for each rows x cols, those at the ends being smaller."""
    n, k = w.shape
    amax = torch.zeros(-(-n // rows), -(-k // cols))
    for i in range(amax.shape[0]):
        for j in range(amax.shape[1]):
            amax[i, j] = w[i * rows:(i + 1) * rows, j * cols:(j + 1) * cols].abs().max()
    scale = amax.float() / 448
    wide = scale.repeat_interleave(rows, 0)[:n].repeat_interleave(cols, 1)[:, :k]
    codes = (w.float() / wide).to(torch.float8_e4m3fn)
    tensors = {"weight": codes, scale_name: scale if rows < n or cols < k else scale.reshape(1)}
    if static:
        tensors[static] = torch.tensor(0.05)
    return tensors, codes.float() * wide


@torch.no_grad()
def check_directory(path, ids, logits, quantization=CompressedTensorsConfig(run_compressed=False)):
    """transformers reads the finished directory by itself. It rounds weights to the checkpoint's type
    after dequantizing them, hence only near."""
    model = AutoModelForCausalLM.from_pretrained(
        path, attn_implementation="eager", quantization_config=quantization).float().eval()
    own = model(torch.tensor([ids])).logits[0].numpy()
    error = float(((own - logits) ** 2).sum() / (logits**2).sum())
    assert error < 1e-4, (path, error)


# ---- the set ----------------------------------------------------------------------------------


class Families:
    def __init__(self, out):
        self.out = pathlib.Path(out)
        self.cases, self.rows = [], []

    def save(self, weights, conf, state, shards=1):
        d = self.out / weights
        d.mkdir(parents=True, exist_ok=True)
        (d / "config.json").write_text(json.dumps(conf, indent=1) + "\n")
        state = {k: v.contiguous() for k, v in state.items()}
        if shards == 1:
            save_file(state, d / "model.safetensors", metadata={"format": "pt"})
            return
        names, weight_map = sorted(state), {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            part = names[i::shards]
            save_file({k: state[k] for k in part}, d / file, metadata={"format": "pt"})
            weight_map.update({k: file for k in part})
        index = {"metadata": {}, "weight_map": weight_map}
        (d / "model.safetensors.index.json").write_text(json.dumps(index) + "\n")

    def case(self, name, weights, ids, logits, override=None, same_as=None, q8=None):
        """same_as: the case whose logits these are. q8: logits of the default mode."""
        c = {"name": name, "weights": weights, "ids": ids, "override": override or {}}
        if same_as:
            c["same_as"] = same_as
        else:
            top = np.sort(logits, axis=1)
            c["greedy"] = logits.argmax(1).tolist()
            c["margin"] = [round(float(m), 6) for m in top[:, -1] - top[:, -2]]
            c["first_row"] = sum(len(r) for r in self.rows)
            c["scale"] = float(np.abs(logits).max())
            self.rows.append(logits[ROWS].astype("<f4"))
            if q8 is not None:
                c["first_row_q8"] = sum(len(r) for r in self.rows)
                self.rows.append(q8[ROWS].astype("<f4"))
                error = ((q8 - logits)[ROWS] ** 2).sum() / (logits[ROWS] ** 2).sum()
                c["nmse_q8"] = round(float(error), 6)
        self.cases.append(c)

    def finish(self):
        np.concatenate(self.rows).tofile(self.out / "logits.f32")
        cases = ",\n  ".join(json.dumps(c) for c in self.cases)
        (self.out / "manifest.json").write_text(
            f'{{"vocab": {VOCAB}, "rows": {json.dumps(ROWS)}, "cases": [\n  {cases}\n]}}\n'
        )


def plain(fam):
    """The four families, and what their configs can say about positions."""
    def one(weights, conf, seed, variants):
        state = random_state(conf, seed)
        fam.save(weights, conf, state)
        ids = token_ids(seed)
        for name, override in variants.items():
            c = {**conf, **override}
            fam.case(name, weights, ids, logits_of(c, state, ids), override)

    one("mistral-bf16",
        config("mistral", "MistralForCausalLM", "bfloat16", head_dim=24, sliding_window=None,
               rope_theta=1000000.0), 1,
        {"mistral": {}, "mistral-window": {"sliding_window": 11}})
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}
    one("llama-f32",
        config("llama", "LlamaForCausalLM", "float32", tie_word_embeddings=True), 2,
        {"llama-tied": {}, "llama3-rope": {"rope_scaling": llama3},
         "llama-linear-rope": {"rope_scaling": {"type": "linear", "factor": 2.5}}})
    one("llama-biases-bf16",
        config("llama", "LlamaForCausalLM", "bfloat16", attention_bias=True, mlp_bias=True,
               head_dim=32), 3, {"llama-biases": {}})
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    one("qwen2-f16",
        config("qwen2", "Qwen2ForCausalLM", "float16"), 4,
        {"qwen2": {}, "qwen2-yarn": {"rope_scaling": yarn},
         "qwen2-yarn-given": {"rope_scaling": {**yarn, "attention_factor": 1.3, "beta_fast": 20.0,
                                               "beta_slow": 2.0}},
         "qwen2-window": {"use_sliding_window": True, "sliding_window": 9,
                          "max_window_layers": 1}})
    one("qwen3-bf16",
        config("qwen3", "Qwen3ForCausalLM", "bfloat16", head_dim=32, num_key_value_heads=1), 5,
        {"qwen3": {},
         "qwen3-new-keys": {"rope_theta": None,
                            "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}})


def linears(state):
    return [k[: -len(".weight")] for k in state if k.endswith("_proj.weight")]


def quantized(fam):
    """One model in every packed form."""
    args = {"num_bits": 4, "symmetric": False, "strategy": "group", "group_size": 32}
    ct = {"quant_method": "compressed-tensors", "format": "pack-quantized",
          "quantization_status": "compressed", "ignore": ["lm_head"], "kv_cache_scheme": None}
    ids = token_ids(10)

    def base(dtype):
        conf = config("mistral", "MistralForCausalLM", dtype, head_dim=32, intermediate_size=128,
                      sliding_window=None, tie_word_embeddings=True)
        state = random_state(conf, 10, gain=1.0)
        torch.manual_seed(11)
        for name in linears(state):
            w = state[name + ".weight"].float()
            n, k = w.shape
            # groups that lean to one side: zero points from end to end
            lean = torch.randn(n, k // 32, 1).repeat(1, 1, 32).reshape(n, k) / k**0.5
            state[name + ".weight"] = w + lean
        return conf, state

    def store(weights, dtype, module, quantization, same_as=None, shards=1):
        conf, state = base(dtype)
        conf["quantization_config"] = quantization
        kept = {k: v for k, v in state.items() if not k.endswith("_proj.weight")}
        files, dense, rounded = dict(kept), dict(kept), dict(kept)
        for name in linears(state):
            tensors, dense[name + ".weight"], *other = module(name, state[name + ".weight"])
            rounded[name + ".weight"] = other[0] if other else dense[name + ".weight"]
            files.update({f"{name}.{k}": v for k, v in tensors.items()})
        fam.save(weights, conf, files, shards)
        logits = logits_of(conf, dense, ids)
        orders = {}
        for name in linears(state):
            k = dense[name + ".weight"].shape[1]
            g_idx = files.get(name + ".weight_g_idx", torch.zeros(k))
            if f"{name}.weight" not in files or f"{name}.weight.absmax" in files:
                orders[name] = torch.argsort(g_idx, stable=True)
        q8 = logits_of(conf, rounded, ids, orders) if orders else None
        fam.case(weights, weights, ids, logits, same_as=same_as, q8=q8)
        return logits

    def ct_groups(**groups):
        return {**ct, "config_groups": {
            f"group_{i}": {"targets": targets, "weights": a, "input_activations": None,
                           "output_activations": None}
            for i, (targets, a) in enumerate(groups.values())}}

    def ct_store(weights, dtype, a, **kw):
        sch = scheme(**a)
        logits = store(weights, dtype, lambda name, w: ct_module(w, sch, DTYPES[dtype]),
                       ct_groups(all=(["Linear"], {**a, "type": "int"})), **kw)
        check_directory(fam.out / weights, ids, logits)
        return logits

    # the same integers and scales four times
    first = ct_store("ct-asym-f16", "float16", args)
    q_args = QuantizationArgs(type="int", **args)
    awq = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True,
           "modules_to_not_convert": None}
    for version, pack in (("gemm", lambda *a: awq_gemm(*a[:3])), ("gemv", awq_gemv),
                          ("gemv_fast", awq_gemv_fast)):
        def module(name, w, pack=pack):
            q, z, scale, dense = integers(w, q_args, torch.float16)
            return pack(q, z, scale, 32), dense
        again = store(f"awq-{version}", "float16", module, {**awq, "version": version},
                      same_as="ct-asym-f16")
        assert np.array_equal(first, again), version

    ct_store("ct-asym-bf16", "bfloat16", args)
    ct_store("ct-sym-bf16", "bfloat16", {**args, "symmetric": True})
    ct_store("ct-channel-bf16", "bfloat16",
             {"num_bits": 4, "symmetric": False, "strategy": "channel"})
    ct_store("ct-w8-bf16", "bfloat16", {"num_bits": 8, "symmetric": True, "strategy": "channel"})
    rng = np.random.default_rng(12)
    store("ct-actorder-bf16", "bfloat16",
          lambda name, w: ct_act_order_module(w, q_args, torch.bfloat16, rng),
          ct_groups(all=(["Linear"], {**args, "type": "int", "actorder": "group"})))

    # eight bits for some modules, none for others, in shards
    w8 = {"num_bits": 8, "symmetric": False, "strategy": "group", "group_size": 64}
    mixed = {**ct_groups(a=(["re:.*(q|k|v)_proj$"], {**w8, "type": "int"}),
                         b=(["Linear"], {**args, "type": "int"})),
             "format": "mixed-precision", "ignore": ["lm_head", "re:model.layers.1.mlp.down"]}
    for g in mixed["config_groups"].values():
        g["format"] = "pack-quantized"

    def mixed_module(name, w):
        if name == "model.layers.1.mlp.down_proj":
            w = w.to(torch.bfloat16)
            return {"weight": w}, w
        a = w8 if name[-6] in "qkv" and name.endswith("_proj") else args
        return ct_module(w, scheme(**a), torch.bfloat16)

    store("ct-mixed-shards-bf16", "bfloat16", mixed_module, mixed, shards=2)

    # 4 bits through a table: scales in 8 bits themselves, and blocks over several rows
    def bnb_store(weights, dtype, quant_type, block, nested):
        store(weights, dtype,
              lambda name, w: bnb_module(w, DTYPES[dtype], quant_type, block, nested),
              {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False,
               "bnb_4bit_quant_type": quant_type, "bnb_4bit_use_double_quant": nested,
               "bnb_4bit_compute_dtype": dtype, "bnb_4bit_quant_storage": "uint8",
               "llm_int8_skip_modules": ["lm_head"], "llm_int8_threshold": 6.0})

    bnb_store("bnb-nf4-bf16", "bfloat16", "nf4", 64, True)
    bnb_store("bnb-fp4-f16", "float16", "fp4", 256, False)

    # fp8: one scale a matrix, blocks, and compressed-tensors with one a row
    fp8 = {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gate"]}
    store("fp8-tensor-bf16", "bfloat16",
          lambda name, w: fp8_module(w, *w.shape, *(
              ("weight_scale", "input_scale") if "mlp" in name else
              ("weight_scale_inv", "activation_scale"))),
          {"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]})
    logits = store("fp8-block-bf16", "bfloat16",
                   lambda name, w: fp8_module(w, 48, 32, "weight_scale_inv"),
                   {**fp8, "activation_scheme": "dynamic", "weight_block_size": [48, 32]})
    a = {"num_bits": 8, "type": "float", "symmetric": True, "dynamic": False}
    groups = ct_groups(all=(["Linear"], {**a, "strategy": "channel"}))
    groups["config_groups"]["group_0"]["input_activations"] = {
        **a, "strategy": "token", "dynamic": True}
    logits = store("ct-fp8-channel-bf16", "bfloat16",
                   lambda name, w: fp8_module(w, 1, w.shape[1], "weight_scale"),
                   {**groups, "format": "float-quantized"})
    check_directory(fam.out / "ct-fp8-channel-bf16", ids, logits)


def main():
    fam = Families(sys.argv[1])
    plain(fam)
    quantized(fam)
    fam.finish()


if __name__ == "__main__":
    main()
