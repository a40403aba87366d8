"""The tools that quantise an ONNX file to int8 after training, a file each."""
