#!/usr/bin/env python3
"""Makes every fixture in this folder: tiny random models in all the formats that Evolora reads,
and what transformers, peft, tokenizers and llama.cpp make of them.

    python make_reference.py            # rewrites everything beside this script

Deterministic: seeded, one thread, CPU. Expected logits are always computed from the *files* that were
written (in f32, by transformers), so rounding and quantisation are part of the reference, not an error.
The checks at the end of each step stop the script: a fixture that is written has been verified.
"""

import os

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")

import collections
import ctypes
import importlib.metadata
import json
import math
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import gguf
import llama_cpp
import mlx.core as mx
import numpy as np
import peft
import tokenizers
import torch
import transformers
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).resolve().parent
SEED = 20240817
VOCAB = 400
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PROMPT_LENGTHS = [3, 9, 17, 24]
# To keep the folder small: logits of every position for prompt 1 of every model and prompt 3 of these, else of the last one.
FULL_PROMPT = 1
LONG_PROMPT = 3
LONG_IN_FULL = ["llama-hf", "llama-sharded", "gpt-neo-hf", "peft/llama-0", "peft/llama-top", "peft/gpt-neo-0"]
SIZE_LIMIT = 5_400_000
GREEDY_PROMPT, GREEDY_TOKENS = 1, 12
GREEDY_MARGIN = 0.02  # the least gap between the best and second-best logit at any greedy step
LORA_RANK, LORA_ALPHA = 4, 8
PACKAGES = ["torch", "transformers", "peft", "tokenizers", "safetensors", "gguf", "llama_cpp_python", "mlx", "numpy"]

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# What this script writes, so that a rerun leaves nothing stale.
FOLDERS = [
    "tokenizer-smollm", "tokenizer-gpt2", "llama-hf", "llama-sharded", "llama-mlx-4bit", "llama-mlx-8bit",
    "gpt-neo-hf", "gpt-neo-bin", "peft",
]  # fmt: skip
FILES = ["expected.json", "expected.safetensors", "tokenizer_cases.json"]


def versions():
    """The versions of everything that takes part."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": sys.version.split()[0], **found}


def write_json(path, value, **options):
    """JSON with a last newline, in UTF-8 as it is."""
    path.write_text(json.dumps(value, ensure_ascii=False, **options) + "\n", encoding="utf-8")


def plain_f32(tensor):
    """A torch tensor as a contiguous f32 numpy array."""
    return np.ascontiguousarray(tensor.detach().to(torch.float32).numpy())


# ---------------------------------------------------------------------------------------------------------
# Text and tokenizers


def world_lines(count, seed):
    """Lines as the simulation's minds see them."""
    pick = random.Random(seed)
    arrows = ["↑", "↓", "←", "→", "↑→", "↓→", "↑←", "↓←", " here", "↓↓", "→→→"]
    things = ["food", "wall", "home", "stone", "Ada", "Kel", "water"]
    acts = ["move north", "move south", "move east", "move west", "take", "drop", "eat", "rest", 'say "food here"', "give Ada", "sleep"]
    lines = []
    for _ in range(count):
        seen = " ".join(pick.choice(things) + pick.choice(arrows) for _ in range(pick.randint(0, 4))) or "nothing"
        has = pick.choice(["has food", "has nothing", "has stone", "tired", "hungry"])
        lines.append(
            f"At ({pick.randint(0, 63)},{pick.randint(0, 63)}), E{pick.randint(0, 100)}, {has}."
            f" See: {seen}. Action: {pick.choice(acts)}"
        )
    return lines


ENGLISH = """Once upon a time there was a little girl who lived near the forest. She didn't know where the food was,
but she'd seen a stone by the river and she'll walk north until it's dark. "I'm hungry," said the bird. They've all gone home.
Remember where the water is and tell the others. When the energy is low, rest or eat; when a wall stands before you, turn east or west.
The minds are born, learn from what happens to them, meet, breed and die, and their children know a little of what they knew.
You are a creature in a small world. Answer with one action only: move north, move south, move east, move west, take, drop, eat, rest or say something."""


# Numbers and runs of spaces, so that merges come of them: those show which pre-tokenizer is at work.
NUMBERS = """    x = 10
        return 12 + 100
Energy  80,  food  12,  at  (10,  20)
1000 10000 2024 12 10 100 80 25 50 75
(10,12),(11,14),(21,23),(32,31),(40,42),(45,50),(51,54),(60,61),E10,E12,E24,E33,E41,E52,E63,E75,E80,E90,E99"""


def make_tokenizers():
    """Two byte-level BPE tokenizers of VOCAB tokens: with SmolLM's pre-tokenizer (single digits first) and with GPT-2's.

    Both have the same merges, trained with GPT-2's splitting: merges of digits must lie idle under SmolLM's, so
    a reader that takes one pre-tokenizer for the other gets other ids.
    """
    from tokenizers import decoders, models, pre_tokenizers, trainers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    kinds = {"smollm": pre_tokenizers.Sequence([digits, byte_level]), "gpt2": byte_level}
    corpus = world_lines(400, SEED) + ENGLISH.splitlines() * 40 + NUMBERS.splitlines() * 150
    made = {}
    for name, splitter in kinds.items():
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = byte_level
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCAB,
            special_tokens=SPECIALS,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(corpus, trainer)
        tokenizer.pre_tokenizer = splitter
        assert tokenizer.get_vocab_size() == VOCAB and [tokenizer.token_to_id(t) for t in SPECIALS] == [0, 1, 2]
        folder = HERE / f"tokenizer-{name}"
        folder.mkdir(parents=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        made[name] = tokenizer
    return made


# Strings on which byte-level BPE implementations are known to part ways.
HARD_STRINGS = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\t", "\t\t ", "\r\n", "\r\n\r\n", " \t \n \t ", "a ", " a", "  a", "a  ", "   a   b   ",
    "a\nb", "a\n\nb", "a \n b", "a\n  b", "line one\n\n\n  line two\n", "tab\tbetween\t\twords", "trailing spaces   ", "   leading spaces",
    "trailing newline\n", "\nleading newline", "x\u00a0y", "x\u00a0\u00a0y ", "\u2003em space\u2003", "zero\u200bwidth", "soft\u00adhyphen", "\ufeffbom first",
    "0", "7", "10", "100", "1000", "1000000", "3.14", "-3.14", "1,234,567.89", "12:34:56", "2024-08-17", "1e-5", "0x1F", "v1.2.3", "E80", "(7,12)",
    "(7, 12)", "x1y22z333", " 5", "  5", "5 ", "5  5", "1 2 3", "No. 42!", "50%", "$9.99", "Ⅷ", "x²y³", "½ cup", "①②③", "٣٤٥", "१२३", "2nd 3rd",
    "don't", "I'll", "I'm", "we've", "they're", "he'd", "it's", "DON'T", "I'LL", "rock'n'roll", "'s", "' s", "''s", "don’t", "I’ll be", "'tis the '90s",
    "can't've", "l'été", "o'clock 's", "café", "cafe\u0301", "naïve façade", "Ünïcödé", "ÀÉÎÕÜ ß ẞ", "Łódź", "İstanbul ı", "ﬁne ligature", "Ελληνικά", "Привет, мир", "שלום עולם",
    "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好,世界。", "日本語のテスト", "カタカナとひらがな", "한국어 시험", "漢字 kanji 12", "𠮷野家", "🙂", "🙂🙂", " 🙂 ", "👩‍👩‍👧‍👦",
    "👍🏽", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "1️⃣2️⃣", "text🙂text", "👨‍💻 codes", "↑", "↓→", "home↓→ food here wall↑", "↑↓←→", "← →", "⇒ ↦ ⟶", "…", "wait... what?!", "!!!", "?!?!", "!!! ???",
    "---", "--- ---", "***bold***", "### heading", "a,b;c:d", "(((())))", "[x]{y}<z>", "\"quoted\"", "“curly” ‘quotes’", "«guillemets»", "€100 £5 ¥7", "a/b\\c", "e@mail.com", "https://x.org/a?b=c&d=1#e",
    "fn main() {\n    println!(\"{}\", 1 + 2);\n}\n", "def f(x):\n\treturn x**2  # square\n", "if (a && b || !c) { i++; }", "{\"key\": [1, 2.5, null]}", "<div class=\"a\">&amp;</div>", "SELECT * FROM t WHERE id=1;",
    "snake_case camelCase PascalCase", "_underscore_ __dunder__", "ALLCAPS", "MiXeD", "a", "ab", "the", " the", "  the", "The  the", "thethethe", "\u0301", "a\u0301\u0302\u0303b", "\U0001d54f\U0001d550", "\u0660\u0967x",
    "Action: move north", "Action: say \"food here 12\"", "At (7,12), E80, has food. See: home↓→ food here wall↑. Action: move north",
]  # fmt: skip

# Strings that hold special tokens: whether they are read as such is the caller's choice.
SPECIAL_STRINGS = [
    "<|im_start|>user\nAt (7,12), E80.<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>", "a<|im_end|>b", "a <|im_end|> b", "<|im_end|><|im_end|>",
    "<|im_end", "<|im_end|> 12", "x\n<|im_start|>\ny",
]  # fmt: skip


def llama_cpp_vocabulary(path):
    """llama.cpp's tokenizer of a GGUF file as `encode(text, special)`."""
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return lambda text, special: model.tokenize(text.encode(), add_bos=False, special=special) if text else []


def write_tokenizer_cases(made):
    """tokenizer_cases.json: ids and decoded text of HF tokenizers and of llama.cpp, which should agree."""
    strings = list(dict.fromkeys(HARD_STRINGS))
    strings += world_lines(200 - len(strings), SEED + 1)
    assert len(set(strings)) == 200, len(strings)
    files = {"smollm": "llama-f16.gguf", "gpt2": "llama-gpt2-pre.gguf"}
    llamas = {name: llama_cpp_vocabulary(HERE / file) for name, file in files.items()}
    differing = {name: [] for name in files}

    cases = []
    for text in strings:
        case = {"text": text}
        for name, tokenizer in made.items():
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            case[name] = {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
            other = llamas[name](text, False)
            if other != ids:
                case[name]["llama_cpp"] = other
                differing[name].append(text)
        cases.append(case)
    apart = sum(case["smollm"]["ids"] != case["gpt2"]["ids"] for case in cases)
    print(f"the two pre-tokenizers give other ids for {apart} of {len(cases)} strings")
    assert apart >= 40

    specials = []
    for text in SPECIAL_STRINGS:
        case = {"text": text}
        for name, tokenizer in made.items():
            read = {}
            for key, as_text in [("parsed", False), ("as_text", True)]:
                tokenizer.encode_special_tokens = as_text
                read[key] = tokenizer.encode(text, add_special_tokens=False).ids
                other = llamas[name](text, not as_text)
                if other != read[key]:
                    read[key + "_llama_cpp"] = other
                    differing[name].append(text)
            tokenizer.encode_special_tokens = False
            read["decoded"] = tokenizer.decode(read["parsed"], skip_special_tokens=False)
            read["decoded_skipping"] = tokenizer.decode(read["parsed"], skip_special_tokens=True)
            case[name] = read
        specials.append(case)

    # A reply may be cut inside a character: what is left must come out as U+FFFD, not as an error.
    partial = []
    for text in ["food↓→", "🙂", "👩‍👩‍👧‍👦", "漢字", "café"]:
        for name, tokenizer in made.items():
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            for cut in range(1, len(ids)):
                for part in (ids[:cut], ids[cut:]):
                    decoded = tokenizer.decode(part, skip_special_tokens=False)
                    if "\ufffd" in decoded and len(partial) < 80:
                        partial.append({"tokenizer": name, "ids": part, "decoded": decoded})

    lines = lambda rows: "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
    note = (
        "ids: HF tokenizers, no special tokens added; llama.cpp's (add_bos false, special false) are equal unless `llama_cpp` says otherwise."
        " special_cases: `parsed` reads special tokens (HF's default, llama.cpp special=true), `as_text` does not (HF encode_special_tokens,"
        " llama.cpp special=false). partial_decodes: ids cut inside a character."
    )
    head = {"note": note, "versions": versions(), "gguf": files, "tokenizer_json": {n: f"tokenizer-{n}/tokenizer.json" for n in made}}
    head["llama_cpp_differs"] = differing
    body = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    body += f',\n"cases": {lines(cases)},\n"special_cases": {lines(specials)},\n"partial_decodes": {lines(partial)}\n}}\n'
    json.loads(body)
    (HERE / "tokenizer_cases.json").write_text(body, encoding="utf-8")
    print("strings on which llama.cpp differs from HF:", differing)


# ---------------------------------------------------------------------------------------------------------
# Models

WIDE_TYPES = {"q4_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, "q6_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K}
WIDE_TYPES |= {"q2_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q2_K, "q3_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q3_K_M}
GGUF_FILES = ["f32", "f16", "q8_0", "q4_0", "q5_0", "gpt2-pre", *WIDE_TYPES, "bf16", "q4_1", "q5_1"]
# Their logits are kept and their greedy tokens are not: no prompt keeps every file clear of near ties.
LOGITS_ONLY = ["llama-q2_k", "llama-q3_k", "llama-bf16", "llama-q4_1", "llama-q5_1"]
# Every type that the README names must be in some file.
GGUF_TYPES = "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K".split()


def randomise(model, seed, matrix, embedding):
    """Fills a model with seeded random weights: norms around 1, biases that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() == 1 and name.endswith("weight"):
                weight.copy_(1 + 0.2 * noise)
            elif weight.dim() == 1:
                weight.copy_(0.1 * noise)
            else:
                weight.copy_((embedding if "embed" in name or "wte" in name or "wpe" in name else matrix) * noise)
    return model.eval()


def llama_config(hidden, layers, intermediate, theta, tied):
    """A Llama with 4 heads and 2 KV heads."""
    return transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_theta=theta,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        attn_implementation="eager",
    )


def classic_llama_config(config, **more):
    """config.json as SmolLM's and nearly all published models have it: `rope_theta` at the top level."""
    rope = config.rope_parameters
    keys = """attention_bias attention_dropout hidden_act hidden_size initializer_range intermediate_size max_position_embeddings mlp_bias
        num_attention_heads num_hidden_layers num_key_value_heads rms_norm_eps tie_word_embeddings vocab_size""".split()
    values = {key: getattr(config, key) for key in keys}
    values |= {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "rope_theta": rope["rope_theta"],
        "rope_scaling": None,
        "torch_dtype": "float32",
        "use_cache": True,
        **more,
    }
    return dict(sorted(values.items()))


def save_hf(model, name, tokenizer, **options):
    """A Hugging Face folder: weights, config.json and tokenizer.json, nothing else."""
    folder = HERE / name
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return folder


def make_llama_folders(made):
    """llama-hf (f32, tied, θ 10000, classic config) and llama-sharded (bf16, own lm_head, θ 100000, transformers 5's config)."""
    small = randomise(transformers.LlamaForCausalLM(llama_config(64, 2, 128, 10000.0, True)), SEED + 10, 0.15, 0.15)
    folder = save_hf(small, "llama-hf", made["smollm"])
    write_json(folder / "config.json", classic_llama_config(small.config), indent=2)

    sharded = randomise(transformers.LlamaForCausalLM(llama_config(64, 2, 128, 100000.0, False)), SEED + 11, 0.15, 0.15)
    folder = save_hf(sharded.to(torch.bfloat16), "llama-sharded", made["smollm"], max_shard_size="110KB")
    assert len(list(folder.glob("*.safetensors"))) >= 2
    return small


def permute(rows, heads):
    """Q or K rows from Hugging Face's order to GGUF's, as llama.cpp's convert script does."""
    out = rows.shape[0]
    return rows.reshape(heads, 2, out // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def unpermute(rows, heads):
    """The inverse of `permute`."""
    out = rows.shape[0]
    return rows.reshape(heads, out // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def gguf_name(name):
    """A Llama tensor's GGUF name."""
    top = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    if name in top:
        return top[name]
    layer, rest = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{GGUF_NAMES[rest]}.weight"


def write_gguf(path, model, tokenizer, pre, kind, embedding_kind=None):
    """A `llama` GGUF of the model's weights, matrices in the given ggml type, norms in f32."""
    config = model.config
    types = gguf.GGMLQuantizationType
    file_types = {types.F32: 0, types.F16: 1, types.Q4_0: 2, types.Q4_1: 3, types.Q8_0: 7, types.Q5_0: 8, types.Q5_1: 9, types.BF16: 32}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("model")
    writer.add_name(path.stem)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(file_types[kind])
    writer.add_quantization_version(2)

    tokens = [tokenizer.id_to_token(i) for i in range(VOCAB)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHATML)

    for name, weight in model.named_parameters():
        rows = plain_f32(weight)
        if name.endswith("q_proj.weight"):
            rows = permute(rows, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            rows = permute(rows, config.num_key_value_heads)
        this = types.F32 if rows.ndim == 1 else (embedding_kind or kind) if "embed" in name else kind
        data = gguf.quants.quantize(np.ascontiguousarray(rows), this)
        writer.add_tensor(gguf_name(name), data, raw_dtype=this)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantise_with_llama_cpp(source, target, file_type):
    """llama.cpp's own quantiser, as `llama-quantize SOURCE TARGET TYPE`."""
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = file_type
    options.nthread = 1
    assert llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(options)) == 0


def make_ggufs(small, made):
    """The GGUF files: of the small Llama with gguf-py's types, of the wide one with llama.cpp's K-quants."""
    types = gguf.GGMLQuantizationType
    for name, kind, embedding in [
        ("f32", types.F32, None),
        ("f16", types.F16, None),
        ("q8_0", types.Q8_0, None),
        ("q4_0", types.Q4_0, types.Q8_0),  # llama.cpp gives a tied embedding 8 bits in its q4_0
        ("q5_0", types.Q5_0, None),
        ("bf16", types.BF16, types.Q8_0),
        ("q4_1", types.Q4_1, None),
        ("q5_1", types.Q5_1, None),
    ]:
        write_gguf(HERE / f"llama-{name}.gguf", small, made["smollm"], "smollm", kind, embedding)
    write_gguf(HERE / "llama-gpt2-pre.gguf", small, made["gpt2"], "gpt-2", types.Q4_0)

    wide = randomise(transformers.LlamaForCausalLM(llama_config(256, 1, 256, 10000.0, True)), SEED + 12, 0.08, 0.08)
    with tempfile.TemporaryDirectory(prefix="ref-") as folder:
        source = Path(folder) / "llama-wide.gguf"
        write_gguf(source, wide, made["smollm"], "smollm", types.F16)
        for name, file_type in WIDE_TYPES.items():
            quantise_with_llama_cpp(source, HERE / f"llama-{name}.gguf", file_type)




def read_gguf(path, put_back=True):
    """A transformers Llama (f32) with the file's own tensors: dequantised, Q and K rows put back (or not, to see it matter)."""
    reader = gguf.GGUFReader(path)
    field = lambda key: reader.get_field(f"llama.{key}").contents()
    hidden, heads, kv_heads = field("embedding_length"), field("attention.head_count"), field("attention.head_count_kv")
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    config = llama_config(hidden, field("block_count"), field("feed_forward_length"), field("rope.freq_base"), "output.weight" not in tensors)
    assert (heads, kv_heads) == (config.num_attention_heads, config.num_key_value_heads)
    model = transformers.LlamaForCausalLM(config).eval()
    for name, weight in model.named_parameters():
        rows = tensors[gguf_name(name)]
        if put_back and name.endswith("q_proj.weight"):
            rows = unpermute(rows, heads)
        elif put_back and name.endswith("k_proj.weight"):
            rows = unpermute(rows, kv_heads)
        weight.data.copy_(torch.from_numpy(np.ascontiguousarray(rows)))
    kinds = collections.Counter(t.tensor_type.name for t in reader.tensors)
    return model, dict(sorted(kinds.items()))


def make_gpt_neo(made):
    """gpt-neo-hf (f16 safetensors) and gpt-neo-bin (the same values in f32 as an old torch checkpoint with its mask buffers)."""
    config = transformers.GPTNeoConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_layers=4,
        num_heads=4,
        attention_types=[[["global", "local"], 2]],
        window_size=8,
        intermediate_size=None,
        max_position_embeddings=64,
        activation_function="gelu_new",
        layer_norm_epsilon=1e-5,
        resid_dropout=0.0,
        embed_dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    model = randomise(transformers.GPTNeoForCausalLM(config), SEED + 13, 0.2, 0.22)
    folder = save_hf(model.to(torch.float16), "gpt-neo-hf", made["gpt2"])
    model = model.to(torch.float32)

    old = HERE / "gpt-neo-bin"
    old.mkdir()
    values = json.loads((folder / "config.json").read_text())
    values.pop("dtype", None)
    values |= {"torch_dtype": "float32", "transformers_version": "4.28.1"}
    write_json(old / "config.json", dict(sorted(values.items())), indent=2)
    shutil.copy(folder / "tokenizer.json", old)

    # As transformers wrote it up to 4.2x: an OrderedDict with `_metadata`, mask buffers, and lm_head sharing wte's storage.
    state = model.state_dict()
    size = config.max_position_embeddings
    causal = torch.tril(torch.ones(size, size, dtype=torch.bool)).view(1, 1, size, size)
    banded = causal ^ torch.tril(causal, -config.window_size)
    with_masks = collections.OrderedDict()
    with_masks._metadata = collections.OrderedDict((name, {"version": 1}) for name in state._metadata)
    for name, weight in state.items():
        if name.endswith(".attn.attention.k_proj.weight"):
            stem = name.removesuffix("k_proj.weight")
            layer = int(name.split(".")[2])
            with_masks[stem + "bias"] = (banded if config.attention_layers[layer] == "local" else causal).clone()
            with_masks[stem + "masked_bias"] = torch.tensor(-1e9)
        with_masks[name] = weight
    assert with_masks["lm_head.weight"].data_ptr() == with_masks["transformer.wte.weight"].data_ptr()
    # torch numbers the zip's storages by order and stamps no time, so the bytes are the same every run.
    torch.save(with_masks, old / "pytorch_model.bin")


def make_mlx(small, made, bits, dtype):
    """An mlx-community folder: every linear and the embedding quantised in groups of 64, the rest in `dtype`."""
    folder = HERE / f"llama-mlx-{bits}bit"
    folder.mkdir()
    tensors = {}
    for name, weight in small.named_parameters():
        rows = mx.array(plain_f32(weight)).astype(dtype)
        if rows.ndim == 1:
            tensors[name] = rows
            continue
        stem = name.removesuffix(".weight")
        tensors[name], tensors[stem + ".scales"], tensors[stem + ".biases"] = mx.quantize(rows, group_size=64, bits=bits)
    tensors = dict(sorted(tensors.items()))
    mx.save_safetensors(str(folder / "model.safetensors"), tensors, metadata={"format": "mlx"})
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": {n: "model.safetensors" for n in tensors}}
    write_json(folder / "model.safetensors.index.json", index, indent=1)
    how = {"group_size": 64, "bits": bits}
    kind = str(dtype).removeprefix("mlx.core.")
    config = classic_llama_config(small.config, quantization=how, quantization_config=how, torch_dtype=kind)
    write_json(folder / "config.json", config, indent=2)
    made["smollm"].save(str(folder / "tokenizer.json"), pretty=False)


def read_mlx(folder):
    """A transformers Llama (f32) from an MLX folder: w = scale * q + bias, computed in f32 by hand and checked against mlx."""
    values = json.loads((folder / "config.json").read_text())
    bits, group = values["quantization"]["bits"], values["quantization"]["group_size"]
    stored = mx.load(str(folder / "model.safetensors"))
    f32 = lambda name: np.array(stored[name].astype(mx.float32))
    config = llama_config(values["hidden_size"], values["num_hidden_layers"], values["intermediate_size"], values["rope_theta"], True)
    model = transformers.LlamaForCausalLM(config).eval()
    for name, weight in model.named_parameters():
        stem = name.removesuffix(".weight")
        if stem + ".scales" in stored:
            packed = np.array(stored[name])
            shifts = np.arange(0, 32, bits, dtype=np.uint32)
            q = ((packed[:, :, None] >> shifts) & np.uint32(2**bits - 1)).reshape(packed.shape[0], -1)
            spread = lambda rows: np.repeat(rows, group, axis=1)
            rows = spread(f32(stem + ".scales")) * q.astype(np.float32) + spread(f32(stem + ".biases"))
            parts = [stored[stem + part].astype(mx.float32) for part in (".scales", ".biases")]
            theirs = np.array(mx.dequantize(stored[name], *parts, group_size=group, bits=bits))
            assert np.abs(rows - theirs).max() < 1e-5
        else:
            rows = f32(name)
        weight.data.copy_(torch.from_numpy(rows))
    return model


# ---------------------------------------------------------------------------------------------------------
# Adapters

LLAMA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {  # name: (base, targets, layers, how large the change is, further options of peft)
    "llama-0": ("llama-hf", LLAMA_TARGETS, None, 0.05),
    "llama-1": ("llama-hf", LLAMA_TARGETS, None, 0.05),
    "llama-2": ("llama-hf", LLAMA_TARGETS, None, 0.05),
    "llama-top": ("llama-hf", ["q_proj", "v_proj"], [1], 0.2),
    "gpt-neo-0": ("gpt-neo-hf", ["q_proj", "k_proj", "v_proj", "out_proj"], None, 0.06),
    "gpt-neo-1": ("gpt-neo-hf", ["q_proj", "k_proj", "v_proj", "out_proj"], None, 0.06),
    "gpt-neo-mlp": ("gpt-neo-hf", ["c_fc", "c_proj"], None, 0.06),
    "llama-rslora": ("llama-hf", ["q_proj", "down_proj"], None, 0.05, {"use_rslora": True}),
}


def make_adapter(name, seed):
    """One PEFT folder with random A and B, as peft's save_pretrained writes it."""
    base, targets, layers, size, *more = ADAPTERS[name]
    options = {} if layers is None else {"layers_to_transform": layers, "layers_pattern": "layers"}
    for further in more:
        options |= further
    config = peft.LoraConfig(
        r=LORA_RANK, lora_alpha=LORA_ALPHA, lora_dropout=0.0, bias="none", target_modules=targets, task_type="CAUSAL_LM", **options
    )
    model = peft.get_peft_model(read_hf(base), config)
    generator = torch.Generator().manual_seed(seed)
    for key, weight in sorted(model.named_parameters()):
        if "lora_" in key:
            weight.data.copy_(torch.randn(weight.shape, generator=generator) * (0.15 if "lora_A" in key else size))
    folder = HERE / "peft" / name
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    # The base's path on this machine and the order of a Python set must not be in the fixture.
    values = json.loads((folder / "adapter_config.json").read_text())
    values |= {"base_model_name_or_path": base, "target_modules": targets}
    write_json(folder / "adapter_config.json", values, indent=2)


# ---------------------------------------------------------------------------------------------------------
# Expected values


def read_hf(name, **options):
    """The folder as transformers reads it, in f32."""
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        HERE / name, dtype=torch.float32, attn_implementation="eager", output_loading_info=True, **options
    )
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    return model.eval()


def logits_of(model, ids):
    """The logits [tokens, vocabulary] of a prompt, in f32, without a cache."""
    with torch.no_grad():
        return plain_f32(model(torch.tensor([ids]), use_cache=False).logits[0])


def greedy(model, ids):
    """GREEDY_TOKENS tokens, the best each time, and the least gap to the second best."""
    ids, margin = list(ids), math.inf
    for _ in range(GREEDY_TOKENS):
        best = logits_of(model, ids)[-1]
        second, first = np.sort(best)[-2:]
        margin = min(margin, float(first - second))
        ids.append(int(best.argmax()))
    return ids[-GREEDY_TOKENS:], margin


def choose_prompts(models):
    """Random prompts; the greedy one is drawn until no model's continuation hangs on a near tie or holds a special token."""
    pick = random.Random(SEED + 3)
    draw = lambda length: [pick.randrange(len(SPECIALS), VOCAB) for _ in range(length)]
    prompts = [draw(length) for length in PROMPT_LENGTHS]
    for tries in range(2000):
        prompts[GREEDY_PROMPT] = draw(PROMPT_LENGTHS[GREEDY_PROMPT])
        continued = {}
        for name, model in models.items():
            continued[name] = greedy(model, prompts[GREEDY_PROMPT])
            tokens, margin = continued[name]
            if margin < GREEDY_MARGIN or min(tokens) < len(SPECIALS) or len(set(tokens)) < 4:
                break
        else:
            print(f"prompt {GREEDY_PROMPT}: draw {tries}")
            return prompts, continued
    raise SystemExit("no prompt keeps clear of near ties")


def check_with_llama_cpp(path, prompts, expected):
    """The largest difference of logits between llama.cpp on the file and transformers on its tensors."""
    model = llama_cpp.Llama(
        str(path), n_ctx=64, n_batch=64, n_threads=1, logits_all=True, verbose=False, flash_attn=False, type_k=0, type_v=0
    )
    worst = 0.0
    for ids, reference in zip(prompts, expected, strict=True):
        model.reset()
        model.eval(ids)
        worst = max(worst, float(np.abs(np.array(model.scores[: len(ids)]) - reference).max()))
    return worst


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    print(json.dumps(versions()))
    for name in FOLDERS:
        shutil.rmtree(HERE / name, ignore_errors=True)
    for path in [*HERE.glob("*.gguf"), *(HERE / name for name in FILES)]:
        path.unlink(missing_ok=True)

    made = make_tokenizers()
    small = make_llama_folders(made)
    make_ggufs(small, made)
    make_gpt_neo(made)
    make_mlx(small, made, 4, mx.float16)
    make_mlx(small, made, 8, mx.bfloat16)
    write_tokenizer_cases(made)

    # Every model, read back from its files. Where two are bit-equal, `same` names the one whose logits are stored.
    models, notes = {}, {}
    for name in ["llama-hf", "llama-sharded", "gpt-neo-hf"]:
        models[name] = read_hf(name)
    models["gpt-neo-bin"] = read_hf("gpt-neo-bin", use_safetensors=False)
    for name in GGUF_FILES:
        models[f"llama-{name}"], kinds = read_gguf(HERE / f"llama-{name}.gguf")
        notes[f"llama-{name}"] = {"tensor_types": kinds}
    for bits in (4, 8):
        models[f"llama-mlx-{bits}bit"] = read_mlx(HERE / f"llama-mlx-{bits}bit")
    same = {"llama-f32": "llama-hf", "gpt-neo-bin": "gpt-neo-hf"}
    seen = {kind for note in notes.values() for kind in note["tensor_types"]}
    assert seen == set(GGUF_TYPES), seen
    apart = [*same, *LOGITS_ONLY]
    prompts, continued = choose_prompts({name: model for name, model in models.items() if name not in apart})

    stored, report = {}, {}

    def keep(name, all_logits):
        """Stores a model's logits and returns which prompts have every position."""
        full = [FULL_PROMPT] + [LONG_PROMPT] * (name in LONG_IN_FULL)
        for i, logits in enumerate(all_logits):
            stored[f"{name}/prompt{i}"] = logits if i in full else logits[-1:]
        return full

    for name, model in models.items():
        all_logits = [logits_of(model, ids) for ids in prompts]
        is_gguf = name.removeprefix("llama-") in GGUF_FILES
        report[name] = {"path": name + (".gguf" if is_gguf else ""), "logits": same.get(name, name), **notes.get(name, {})}
        tokens, margin = continued.get(same.get(name, name), (None, 0))
        if tokens:
            report[name] |= {"greedy": tokens, "greedy_least_margin": round(margin, 4)}
        if name in same:
            theirs = [logits_of(models[same[name]], ids) for ids in prompts]
            assert all(np.array_equal(a, b) for a, b in zip(all_logits, theirs, strict=True)), name
            report[name]["full_prompts"] = report[same[name]]["full_prompts"]
        else:
            report[name]["full_prompts"] = keep(name, all_logits)
        spread = np.concatenate(all_logits)
        line = f"{name:16} logits std {spread.std():.2f} min {spread.min():.2f} max {spread.max():.2f}  greedy {tokens}"
        if is_gguf:
            worst = check_with_llama_cpp(HERE / report[name]["path"], prompts, all_logits)
            line += f"  llama.cpp differs by {worst:.2g}"
            assert worst < 1e-2 or name not in ("llama-f32", "llama-f16"), line
            wrong, _ = read_gguf(HERE / report[name]["path"], put_back=False)
            wrong = max(float(np.abs(logits_of(wrong, ids) - a).max()) for ids, a in zip(prompts, all_logits, strict=True))
            line += f", Q/K rows left as they are by {wrong:.2g}"
            assert wrong > 1, line
            report[name]["llama_cpp_differs_by"] = float(f"{worst:.1g}")
        print(line)
        report[name]["logits_std"] = round(float(spread.std()), 3)

    for number, (name, (base, *_)) in enumerate(ADAPTERS.items()):
        make_adapter(name, SEED + 100 + number)
        model = peft.PeftModel.from_pretrained(read_hf(base), HERE / "peft" / name).eval()
        all_logits = [logits_of(model, ids) for ids in prompts]
        full = keep(f"peft/{name}", all_logits)
        moved = [np.abs(a - logits_of(models[base], ids)) for a, ids in zip(all_logits, prompts, strict=True)]
        mean, most = float(np.concatenate(moved).mean()), float(np.concatenate(moved).max())
        assert mean > 0.1, (name, mean)
        report[f"peft/{name}"] = {"path": f"peft/{name}", "logits": f"peft/{name}", "full_prompts": full, "base": base}
        report[f"peft/{name}"]["mean_change"] = round(mean, 3)
        print(f"peft/{name:11} moves the logits by {mean:.2f} on average, {most:.2f} at most")

    save_file({key: np.ascontiguousarray(value, dtype=np.float32) for key, value in stored.items()}, HERE / "expected.safetensors")
    head = {
        "note": "Logits are expected.safetensors['{models[name].logits}/prompt{i}'], f32 [positions, vocabulary]: all positions for"
        " the model's full_prompts, only the last for the others. Computed in f32 by transformers from the file's own (dequantised) tensors."
        " greedy: the best token each time after prompts[greedy_prompt]; greedy_least_margin is the least gap to the second best."
        " llama_cpp_differs_by: what llama.cpp's rounding of activations costs (8 bits for quantised matrices).",
        "versions": versions(),
        "vocabulary": VOCAB,
        "greedy_prompt": GREEDY_PROMPT,
        "prompts": prompts,
    }
    body = json.dumps(head, indent=1)[:-2] + ',\n"models": {\n'
    body += ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in report.items()) + "\n}\n}\n"
    json.loads(body)
    (HERE / "expected.json").write_text(body)
    total = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    print(f"{total} bytes in all")
    assert total <= SIZE_LIMIT, total


if __name__ == "__main__":
    main()
