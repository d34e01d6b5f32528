# SPDX-License-Identifier: MIT
"""Compares both forms with what transformers and compressed-tensors make of the same files."""
import argparse
import json
import pathlib

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationScheme
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, CompressedTensorsConfig

import checkpoint

PARTS = ("weight_packed", "weight_scale", "weight_zero_point", "weight_shape")


def check_packing(path):
    """The library unpacks to our weights (rounded to bfloat16) and packs those to the same bits."""
    config = json.loads((pathlib.Path(path) / "config.json").read_text())["quantization_config"]
    scheme = QuantizationScheme(**config["config_groups"]["group_0"])
    library = BaseCompressor.get_value_from_registry(config["format"])
    tensors, ours = load_file(f"{path}/model.safetensors"), checkpoint.read(path).state_dict()
    names = [n.removesuffix(PARTS[0]) for n in tensors if n.endswith(PARTS[0])]
    for name in names:
        stored = {p: tensors[name + p] for p in PARTS}
        loose = library.decompress(stored, scheme)
        assert torch.equal(loose["weight"], ours[name + "weight"].bfloat16()), name
        again = library.compress({p: loose[p] for p in ("weight", *PARTS[1:3])}, scheme)
        assert all(torch.equal(again[p], stored[p]) for p in PARTS), name
    print(f"{len(names)} linear layers unpack and pack to the same bits")


@torch.no_grad()
def check_logits(form, path, lines, **kwargs):
    ours = checkpoint.read(path)
    theirs = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **kwargs).eval()
    worst, same, count = 0.0, 0, 0
    for x in lines:
        if x.get("kind") == "greedy" and x["form"] == form:
            ids, start = torch.tensor([x["ids"] + x["next"][:-1]]), len(x["ids"]) - 1
            a, b = ours(ids)[0, start:], theirs(ids).logits[0, start:]
            worst = max(worst, (a - b).abs().max().item())
            same += (b.argmax(-1) == torch.tensor(x["next"])).sum().item()
            count += len(x["next"])
    print(f"{form}: largest difference of a logit {worst:.1e}, same token {same} of {count}")


def check_template(path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    text = "".join(map(chr, range(0x500))) + "你好 \U0001f600"
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and tokenizer.decode(ids[1:]) == text
    messages = [{"role": r, "content": r[0]} for r in ("system", "user", "assistant", "user")]
    print(tokenizer.apply_chat_template(messages, tokenize=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--awq", default="../../zoracd/demo/model")
    parser.add_argument("--fp16", default="../../tests/golden/demo-fp16")
    parser.add_argument("--golden", default="../../tests/golden/demo")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = (pathlib.Path(args.golden) / "reference.jsonl").read_text().splitlines()
    lines = [json.loads(x) for x in lines]
    check_template(args.awq)
    check_packing(args.awq)
    # This route rounds the weights to bfloat16. (The one that keeps them packed can not load
    # asymmetric ones: it expects zero points that are not packed.)
    check_logits("awq", args.awq, lines,
                 quantization_config=CompressedTensorsConfig(dequantize=True))
    check_logits("fp16", args.fp16, lines)


if __name__ == "__main__":
    main()
