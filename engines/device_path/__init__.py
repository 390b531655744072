# SPDX-License-Identifier: Apache-2.0
"""The path of a frame that never leaves the device between its upload and its download.

Three graphs hand tensors over where they lie: a small one before the model (uint8 frame to input tensor), the model's own, unchanged, and a
small one after it (scale, sky, upsampling, validity). Everything here runs on ONNX Runtime's CPU provider too, which is how it is tested;
what only a GPU does (CUDA graphs, pinned memory, copies that overlap) was never executed where this was built.
"""
