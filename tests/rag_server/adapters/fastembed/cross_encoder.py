"""A cross-encoder of a few hundred bytes: its logit is the number of tokens of a pair minus seven."""

import json
import shutil
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from rag_server.adapters.fastembed.models import BUNDLED_FOLDER

MAX_TOKENS = 12
OFFSET = 7.0
SPECIAL_TOKENS = 3  # [CLS] query [SEP] document [SEP]


def make_cross_encoder(folder: Path, outputs: int = 1) -> Path:
    """Write it, with the bundled model's words. `outputs` other than 1 is no cross-encoder's shape."""
    folder.mkdir(parents=True)
    (folder / "onnx").mkdir()
    onnx.save(_graph(outputs), folder / "onnx" / "model.onnx")
    specification = json.loads((BUNDLED_FOLDER / "tokenizer.json").read_text("utf-8"))
    mark = {"SpecialToken": {"id": "[PAD]", "type_id": 0}}
    query, document = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))
    number = specification["model"]["vocab"]["[PAD]"]
    specification["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [mark, query, mark],
        "pair": [mark, query, mark, document, mark],
        "special_tokens": {"[PAD]": {"id": "[PAD]", "ids": [number], "tokens": ["[PAD]"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    shutil.copyfile(BUNDLED_FOLDER / "special_tokens_map.json", folder / "special_tokens_map.json")
    config = {"model_max_length": MAX_TOKENS, "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def _graph(outputs: int) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "axis"], ["counts"], keepdims=1),
        helper.make_node("Sub", ["counts", "offset"], ["logit"]),
    ]
    result: tuple[str, list[str | int]] = ("logit", ["batch", 1])
    if outputs != 1:
        nodes.append(helper.make_node("Concat", ["logit"] * outputs, ["wide"], axis=1))
        nodes.append(helper.make_node("Unsqueeze", ["wide", "axis"], ["deep"]))
        result = ("deep", ["batch", 1, outputs])  # what an embedding model gives, and no figure for a pair
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("offset", TensorProto.FLOAT, [1], [OFFSET]),
    ]
    output = helper.make_tensor_value_info(result[0], TensorProto.FLOAT, result[1])
    graph = helper.make_graph(nodes, "counting", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
