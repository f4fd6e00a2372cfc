"""Chromium and its WebDriver, for what people see. Installed, for the libraries they need."""

from __future__ import annotations

from .system import SystemPart

CHROMIUM = SystemPart("chromium", command="chromium", package="chromium")
CHROMEDRIVER = SystemPart("chromedriver", command="chromedriver", package="chromium-driver")
