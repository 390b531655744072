# SPDX-License-Identifier: Apache-2.0
"""A run over a capture as one HTML file: pictures, error plots and a table of all objects, with nothing fetched from anywhere."""

from .frames import AccuracyNumbers, ReportAbout, ReportFrame, ReportPictures
from .write import write_report

__all__ = ["AccuracyNumbers", "ReportAbout", "ReportFrame", "ReportPictures", "write_report"]
