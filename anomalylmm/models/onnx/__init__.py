"""Running of ONNX files by OpenVINO or ONNX Runtime."""
