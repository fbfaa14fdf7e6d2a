"""A model as other programs read it: a folder in timm's form, weights alone, ONNX; and to a hub."""
