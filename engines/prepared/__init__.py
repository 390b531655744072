# SPDX-License-Identifier: Apache-2.0
"""What is made of a model file before it runs, once, and kept: half-precision and INT8 graphs, compiled engines, and the cache they lie in."""
