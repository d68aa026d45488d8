"""A model for the classifiers: one ONNX file that guardkit, llm-guard and the floor read alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks import encoder

from ._environments import VENVS

LAYERS = 6


def model() -> Path:
    """An encoder of random weights, 6 layers of 384, in a folder for each who reads it; made once.

    guardkit takes no file that its manifest does not name, so `plain` is the same with what
    transformers wants to know.
    """
    folder = VENVS / "model"
    own, plain = folder / "guardkit", folder / "plain"
    stamp = plain / "config.json"
    if stamp.is_file():
        return folder
    words = encoder.tokenizer()
    made = encoder.encoder_onnx(LAYERS, words.get_vocab_size())
    encoder.encoder_dir(own, made, words)
    plain.mkdir(exist_ok=True)
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copyfile(own / name, plain / name)
    tokens = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": encoder.LONGEST,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "model_input_names": ["input_ids", "attention_mask"],
    }
    labels = {str(i): f"label{i}" for i in range(encoder.LABELS)}
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "vocab_size": words.get_vocab_size(),
        "hidden_size": encoder.WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": encoder.HEADS,
        "intermediate_size": encoder.INNER,
        "max_position_embeddings": encoder.LONGEST,
        "id2label": labels,
        "label2id": {label: int(i) for i, label in labels.items()},
    }
    (plain / "tokenizer_config.json").write_text(json.dumps(tokens), encoding="utf-8")
    stamp.write_text(json.dumps(config), encoding="utf-8")
    return folder
