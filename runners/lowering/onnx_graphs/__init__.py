"""Changes of the graph of an ONNX file that leave its outputs as they are."""
