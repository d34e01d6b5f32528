# SPDX-License-Identifier: MIT
"""Quantizes what train.py made and writes both forms of the model."""
import argparse
import pathlib
import shutil

import torch
from tokenizers import Tokenizer

import checkpoint
import corpus
import train
from awq import awq
from model import Mistral


def calibration(tokenizer, rows=48, length=256, seed=7):
    """Chats and plain text of the training kind, one after the other in rows of one length."""
    source, ids = corpus.Corpus(seed), []
    while len(ids) < rows * length:
        doc = source.plain() if source.rng.random() < 0.3 else source.chat()
        ids += train.encode(tokenizer, doc)[0]
    return torch.tensor(ids[:rows * length]).view(rows, length)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="the directory of train.py")
    parser.add_argument("--awq", default="../../zoracd/demo/model")
    parser.add_argument("--fp16", default="../../tests/golden/demo-fp16")
    parser.add_argument("--heldout", default="../../tests/golden/demo/heldout.txt")
    args = parser.parse_args()
    build = pathlib.Path(args.build)
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(build / "tokenizer.json"))
    model = Mistral()
    model.load_state_dict(torch.load(build / "model.pt", weights_only=True))

    quantized, codes = awq(model, calibration(tokenizer))
    checkpoint.write_fp16(args.fp16, model)
    checkpoint.write_awq(args.awq, quantized, codes)
    for path in (args.fp16, args.awq):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(build / name, path)
    pathlib.Path(args.heldout).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(build / "heldout.txt", args.heldout)


if __name__ == "__main__":
    main()
