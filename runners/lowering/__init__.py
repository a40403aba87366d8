"""From a trained network to a file that an inference runtime reads: ONNX, quantisation, weights."""
