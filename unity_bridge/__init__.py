# SPDX-License-Identifier: Apache-2.0
"""The Unity side: wire protocol, server, client, capture folders, measuring. The only shipped code that imports ``zmq``."""
