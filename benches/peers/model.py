"""Writes one random model of SmolLM-135M's shape in all the forms that are compared, adapters for it, and prompts.

    python model.py FOLDER

    FOLDER/f32.gguf, q4_0.gguf, q8_0.gguf, q4_k_m.gguf   llama.cpp's own quantiser makes the last three of the first
    FOLDER/hf/                                           the same weights for transformers, in f32
    FOLDER/adapters/0.gguf …                             an adapter of rank 8 on q and v of all layers for each agent
    FOLDER/prompts.json                                  prompts as a habitat writes them, with their tokens

The tokens are those of the model that ships with Evolora; the rest of the vocabulary is filled up with words that never occur.
Speed does not depend on what the weights are, so random ones need no download.
"""

import ctypes
import json
import random
import sys
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import save_file

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD, VOCABULARY, CONTEXT = 576, 1536, 30, 9, 3, 64, 49152, 2048
AGENTS, RANK, ALPHA = 20, 8, 16.0
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "evolora-206k.gguf"
FORMS = {
    "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}
# llama.cpp's names, Hugging Face's, and the shapes of a layer's matrices.
MATRICES = {
    "attn_q": ("self_attn.q_proj", HEADS * HEAD, HIDDEN),
    "attn_k": ("self_attn.k_proj", KV_HEADS * HEAD, HIDDEN),
    "attn_v": ("self_attn.v_proj", KV_HEADS * HEAD, HIDDEN),
    "attn_output": ("self_attn.o_proj", HIDDEN, HEADS * HEAD),
    "ffn_gate": ("mlp.gate_proj", INNER, HIDDEN),
    "ffn_up": ("mlp.up_proj", INNER, HIDDEN),
    "ffn_down": ("mlp.down_proj", HIDDEN, INNER),
}
draw = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    """Uniform in ±0.05."""
    return draw.uniform(-0.05, 0.05, shape).astype(np.float32)


def interleaved(rows: np.ndarray) -> np.ndarray:
    """Rows of queries or keys from Hugging Face's order into llama.cpp's, which has rotary pairs side by side."""
    return rows.reshape(-1, 2, HEAD // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def tokenizer() -> tuple[list[str], list[int], list[str]]:
    """Tokens, their kinds, and merges: those of the model that ships, filled up."""
    fields = gguf.GGUFReader(SHIPPED).fields
    read = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    tokens, kinds = list(read("tokens")), list(read("token_type"))
    filled = VOCABULARY - len(tokens)
    tokens += [f"<unused {at}>" for at in range(filled)]
    return tokens, kinds + [int(gguf.TokenType.UNUSED)] * filled, list(read("merges"))


def write_models(folder: Path) -> None:
    """The same weights as a GGUF file and as a Hugging Face folder."""
    writer = gguf.GGUFWriter(folder / "f32.gguf", "llama")
    writer.add_name("random weights of SmolLM-135M's shape")
    writer.add_vocab_size(VOCABULARY)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_rope_dimension_count(HEAD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    tokens, kinds, merges = tokenizer()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    theirs: dict[str, np.ndarray] = {}

    def add(name: str, other: str, values: np.ndarray) -> None:
        writer.add_tensor(name, interleaved(values) if "attn_q." in name or "attn_k." in name else values)
        theirs[f"model.{other}.weight"] = values

    add("token_embd.weight", "embed_tokens", numbers(VOCABULARY, HIDDEN))
    add("output_norm.weight", "norm", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        for norm, other in {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}.items():
            add(f"blk.{layer}.{norm}.weight", f"layers.{layer}.{other}", np.ones(HIDDEN, np.float32))
        for name, (other, out, inner) in MATRICES.items():
            add(f"blk.{layer}.{name}.weight", f"layers.{layer}.{other}", numbers(out, inner))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (folder / "hf").mkdir(exist_ok=True)
    save_file(theirs, folder / "hf" / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
        "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0,
        "tie_word_embeddings": True, "hidden_act": "silu", "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 0,
    }
    (folder / "hf" / "config.json").write_text(json.dumps(config, indent=1))


def quantise(folder: Path) -> None:
    """The quantised forms, by llama.cpp."""
    for form, kind in FORMS.items():
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = kind
        source, target = str(folder / "f32.gguf").encode(), str(folder / f"{form}.gguf").encode()
        if llama_cpp.llama_model_quantize(source, target, ctypes.byref(options)) != 0:
            sys.exit(f"llama.cpp could not make {form}.gguf.")


def write_adapters(folder: Path) -> None:
    """An adapter for each agent, as llama.cpp's --lora has them."""
    (folder / "adapters").mkdir(exist_ok=True)
    for agent in range(AGENTS):
        writer = gguf.GGUFWriter(folder / "adapters" / f"{agent}.gguf", "llama")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", ALPHA)
        for layer in range(LAYERS):
            for name in ["attn_q", "attn_v"]:
                _, out, inner = MATRICES[name]
                writer.add_tensor(f"blk.{layer}.{name}.weight.lora_a", numbers(RANK, inner))
                writer.add_tensor(f"blk.{layer}.{name}.weight.lora_b", numbers(out, RANK))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def write_prompts(folder: Path) -> None:
    """As many prompts as ten rounds need, with home, food and a wall in sight, as `evolora bench` asks them."""
    model = llama_cpp.Llama(str(folder / "q4_0.gguf"), vocab_only=True, verbose=False)
    tokens = lambda text: model.tokenize(text.encode(), add_bos=False, special=False)
    choose = random.Random(1)
    prompts = []
    for _ in range(10 * AGENTS):
        home, food, wall = (choose.choice("↑↓→←") for _ in range(3))
        load = ", has food" if choose.random() < 0.3 else ""
        at = f"({choose.randrange(20)},{choose.randrange(20)})"
        text = f"At {at}, E{choose.randrange(0, 101, 10)}{load}. See: home{home} food{food} wall{wall} Action:"
        prompts.append({"text": text, "tokens": tokens(text)})
    replies = {word: tokens(f" {word}") for word in ["move north", "pick up", "drop", "eat", "wait"]}
    (folder / "prompts.json").write_text(json.dumps({"prompts": prompts, "replies": replies}, ensure_ascii=False))
    lengths = [len(prompt["tokens"]) for prompt in prompts]
    print(f"prompts of {min(lengths)} to {max(lengths)} tokens, {sum(lengths) / len(lengths):.1f} on average")


def main() -> None:
    """Writes everything that is not there yet."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_models(folder)
    quantise(folder)
    write_adapters(folder)
    write_prompts(folder)


if __name__ == "__main__":
    main()
