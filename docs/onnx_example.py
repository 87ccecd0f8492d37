"""A saliency map with numpy, onnxruntime and Pillow alone: python onnx_example.py model.onnx photo.jpg map.png"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, source, target = sys.argv[1:]
options, run = onnxruntime.SessionOptions(), onnxruntime.RunOptions()
options.add_session_config_entry("session.set_denormal_as_zero", "1")  # a CPU is slow with subnormal numbers
run.only_execute_path_to_fetches = True  # compute only what was asked for
session = onnxruntime.InferenceSession(model, options)
card = json.loads(session.get_modelmeta().custom_metadata_map["inspyrenet"])
if card["backend"] != "pillow":  # in `prepare`, cv2.resize would take its place
    sys.exit("this network was trained on images that OpenCV resizes")
photo = ImageOps.exif_transpose(Image.open(source)).convert("RGB")


def prepare(height, width):
    pixels = np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
    return ((pixels - card["mean"]) / card["std"]).transpose(2, 0, 1)[None].astype(np.float32)


def nearest(side):  # sides are multiple * n + offset, from `least` on
    multiple, offset, least = card["multiple"], card["offset"], card["least"]
    side = round((max(side, least) - offset) / multiple) * multiple + offset
    return side if side >= least else side + multiple


def stretch(lines, length):  # bilinear along the first axis, first and last line stay where they are
    at = np.linspace(0, len(lines) - 1, length)
    low = at.astype(int)
    share = (at - low)[:, None]
    return lines[low] * (1 - share) + lines[np.minimum(low + 1, len(lines) - 1)] * share


size, output = card["size"], "saliency"
if card["sizing"] == "dynamic":  # the shorter side is at most `size`, the longer one eight times that
    scale = min(1, size / min(photo.size), 8 * size / max(photo.size))
    size = [nearest(max(32, round(side * scale / 32) * 32)) for side in (photo.height, photo.width)]
inputs = {"image": prepare(*size)}
if "resized" in card["inputs"]:  # two passes, blended; one on the copy is enough for a small image
    inputs["resized"] = prepare(*card["base_size"])
    output = "saliency" if min(size) > card["threshold"] else "low"
saliency = session.run([output], inputs, run)[0][0, 0]  # (height, width) in 0..1
if card["normalize"] == "minmax" and np.ptp(saliency) >= 1 / 255:
    saliency = (saliency - saliency.min()) / np.ptp(saliency)
saliency = stretch(stretch(saliency, photo.height).T, photo.width).T
Image.fromarray((saliency * 255).round().astype(np.uint8)).save(target)
