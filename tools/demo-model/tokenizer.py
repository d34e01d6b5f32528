# SPDX-License-Identifier: MIT
"""Trains the byte-level BPE tokenizer of the demo model and writes its files.

It is laid out as the tokenizer of Mistral's newer models ("tekken"): the same split pattern, all
256 bytes in the vocabulary, control tokens first.
"""
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
UNK, BOS, EOS, INST, INST_END, SYSTEM, SYSTEM_END = range(len(SPECIAL))

UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
SPLIT = (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*"
         r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# Control tokens touch the text without spaces between, as in version 7 of Mistral's templates.
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
        {{- '[SYSTEM_PROMPT]' + message['content'] + '[/SYSTEM_PROMPT]' }}
    {%- elif message['role'] == 'user' %}
        {{- '[INST]' + message['content'] + '[/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- message['content'] + eos_token }}
    {%- else %}
        {{- raise_exception('Unknown role, not system, user or assistant: ' + message['role']) }}
    {%- endif %}
{%- endfor %}
"""


def train(texts, vocab_size):
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, BpeTrainer(
        vocab_size=vocab_size, show_progress=False,
        special_tokens=[AddedToken(t, special=True) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", BOS)])
    return tokenizer


def encode_chat(tokenizer, messages):
    """The ids of a chat as CHAT_TEMPLATE renders it, and for each whether it is to be learned."""
    ids, learn = [BOS], [False]

    def add(more, flag):
        ids.extend(more)
        learn.extend([flag] * len(more))

    for role, text in messages:
        text = tokenizer.encode(text, add_special_tokens=False).ids
        if role == "system":
            add([SYSTEM, *text, SYSTEM_END], False)
        elif role == "user":
            add([INST, *text, INST_END], False)
        else:
            add([*text, EOS], True)
    return ids, learn


def save(tokenizer, path, context):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"), pretty=False)
    config = {
        "add_bos_token": True, "add_eos_token": False, "add_prefix_space": False,
        "added_tokens_decoder": {str(i): {
            "content": t, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False, "special": True} for i, t in enumerate(SPECIAL)},
        "bos_token": "<s>", "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False,
        "eos_token": "</s>", "model_max_length": context,
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
    (path / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
