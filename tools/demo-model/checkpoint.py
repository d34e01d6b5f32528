# SPDX-License-Identifier: MIT
"""Writes and reads the two forms of the model: float16, and compressed-tensors with 4-bit codes."""
import json
import pathlib

import torch
from safetensors.torch import load_file, save_file

import awq
from model import CONFIG, Mistral

QUANTIZATION = {
    "config_groups": {"group_0": {
        "format": "pack-quantized", "input_activations": None, "output_activations": None,
        "targets": ["Linear"],
        "weights": {
            "actorder": None, "block_structure": None, "dynamic": False, "group_size": awq.GROUP,
            "num_bits": 4, "observer": "minmax", "observer_kwargs": {}, "strategy": "group",
            "symmetric": False, "type": "int"}}},
    "format": "pack-quantized", "global_compression_ratio": None, "ignore": ["lm_head"],
    "kv_cache_scheme": None, "quant_method": "compressed-tensors",
    "quantization_status": "compressed", "sparsity_config": {}, "transform_config": {},
    "version": "0.12.2"}
GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "do_sample": True,
              "temperature": 0.3, "top_p": 0.9}


def pack(codes):
    """Eight 4-bit codes of a row to a word, the first lowest."""
    codes = codes.to(torch.int64).unflatten(1, (-1, 8))
    words = (codes << (4 * torch.arange(8))).sum(-1)
    return torch.where(words >= 2 ** 31, words - 2 ** 32, words).to(torch.int32)


def unpack(words):
    codes = (words.to(torch.int64)[..., None] >> (4 * torch.arange(8))) & 15
    return codes.flatten(1).to(torch.uint8)


def write(path, tensors, config):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.contiguous() for k, v in tensors.items()}
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    (path / "model.safetensors").chmod(0o644)
    (path / "config.json").write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")
    (path / "generation_config.json").write_text(json.dumps(GENERATION, indent=2) + "\n")


def write_fp16(path, model):
    tensors = {k: v.half() for k, v in model.state_dict().items()}
    write(path, tensors, {**CONFIG, "torch_dtype": "float16"})


def write_awq(path, model, codes):
    tensors = {}
    for name, value in model.state_dict().items():
        module = name.removesuffix(".weight")
        if module not in codes:
            tensors[name] = value.bfloat16()
            continue
        code, zero, scale = codes[module]
        tensors[module + ".weight_packed"] = pack(code)
        tensors[module + ".weight_scale"] = scale
        # Zero points are packed along the output channels.
        tensors[module + ".weight_zero_point"] = pack(zero.T).T
        tensors[module + ".weight_shape"] = torch.tensor(value.shape)
    write(path, tensors, {**CONFIG, "quantization_config": QUANTIZATION})


def read(path):
    """The model of either form, in float32."""
    tensors, state = load_file(pathlib.Path(path) / "model.safetensors"), {}
    for name, value in tensors.items():
        if name.endswith(".weight"):
            state[name] = value.float()
        elif name.endswith(".weight_packed"):
            part = name.removesuffix("_packed")
            zero = unpack(tensors[part + "_zero_point"].T).T
            state[part] = awq.dequantize(unpack(value), zero, tensors[part + "_scale"])
    model = Mistral()
    model.load_state_dict(state)
    return model.eval()
