# SPDX-License-Identifier: Apache-2.0
"""The server: requests checked, worked on by one engine, answered."""
