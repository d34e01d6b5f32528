# SPDX-License-Identifier: MIT
"""The Mistral forward pass in plain PyTorch; names of parameters as in the checkpoints."""
import torch
import torch.nn.functional as F
from torch import nn

# Every width that a linear layer reads is a multiple of 128, the quantization group. As in the
# target (Mistral Small), heads * head_dim is not hidden_size, and query heads share a key head.
CONFIG = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 256,
    "initializer_range": 0.02,
    "intermediate_size": 384,
    "max_position_embeddings": 2048,
    "model_type": "mistral",
    "num_attention_heads": 6,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 1280,
}


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        x = x.float()
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rope_table(length, head_dim, theta):
    angle = torch.outer(torch.arange(length).float(),
                        theta ** (-torch.arange(0, head_dim, 2).float() / head_dim))
    return angle.cos(), angle.sin()


def rotate(x, table):
    (cos, sin), (a, b) = table, x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        self.head_dim = c["head_dim"]
        linear = lambda k, n: nn.Linear(k, n, bias=False)
        self.q_proj = linear(c["hidden_size"], self.heads * self.head_dim)
        self.k_proj = linear(c["hidden_size"], self.kv_heads * self.head_dim)
        self.v_proj = linear(c["hidden_size"], self.kv_heads * self.head_dim)
        self.o_proj = linear(self.heads * self.head_dim, c["hidden_size"])

    def forward(self, x, table, mask):
        split = lambda y, n: y.view(*x.shape[:2], n, self.head_dim).transpose(1, 2)
        q = rotate(split(self.q_proj(x), self.heads), table)
        k = rotate(split(self.k_proj(x), self.kv_heads), table)
        v = split(self.v_proj(x), self.kv_heads)
        share = self.heads // self.kv_heads
        k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
        if mask is None or x.shape[1] > 512:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        else:
            # On a CPU the plain form trains short rows in two thirds of the time of the fused one.
            score = (q @ k.transpose(-1, -2)).float() * self.head_dim ** -0.5
            y = score.masked_fill(~mask, float("-inf")).softmax(-1).to(v.dtype) @ v
        return self.o_proj(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = MLP(c)

    def forward(self, x, table, mask):
        x = x + self.self_attn(self.input_layernorm(x), table, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Mistral(nn.Module):
    def __init__(self, c=CONFIG):
        super().__init__()
        self.config = c
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.model.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.model.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)
        self.table = rope_table(c["max_position_embeddings"], c["head_dim"], c["rope_theta"])

    def forward(self, ids, mask=None):
        """Logits for ids [batch, length]; mask, if given, is true where a token may look."""
        table = tuple(t[:ids.shape[1]] for t in self.table)
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, table, mask)
        return self.lm_head(self.model.norm(x))
