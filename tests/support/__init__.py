# SPDX-License-Identifier: Apache-2.0
"""Things that several tests build: tiny ONNX graphs with the signatures found in the wild."""
